package azuredns

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"

	"github.com/spokedns/spokedns/webhook/backend"
)

// privateService is Azure Private DNS.
type privateService struct {
	zoneClient *armprivatedns.PrivateZonesClient
	records    *armprivatedns.RecordSetsClient
}

func newPrivate(c *client, subscription string) (service, error) {
	zones, err := armprivatedns.NewPrivateZonesClient(subscription, c.credential, c.options)
	if err != nil {
		return nil, err
	}
	records, err := armprivatedns.NewRecordSetsClient(subscription, c.credential, c.options)
	return &privateService{zones, records}, err
}

func (s *privateService) zones(ctx context.Context, group string, large bool) ([]zoneID, error) {
	if group == "" {
		return collect(ctx, s.zoneClient.NewListPager(&armprivatedns.PrivateZonesClientListOptions{Top: largest(large)}), func(p armprivatedns.PrivateZonesClientListResponse) []*armprivatedns.PrivateZone { return p.Value }, privateZone)
	}
	return collect(ctx, s.zoneClient.NewListByResourceGroupPager(group, &armprivatedns.PrivateZonesClientListByResourceGroupOptions{Top: largest(large)}),
		func(p armprivatedns.PrivateZonesClientListByResourceGroupResponse) []*armprivatedns.PrivateZone {
			return p.Value
		}, privateZone)
}

func privateZone(z *armprivatedns.PrivateZone) (zoneID, bool) {
	id, err := parseZoneID(value(z.ID))
	return id, err == nil
}

func (s *privateService) list(ctx context.Context, z zoneID, large bool) ([]record, error) {
	pager := s.records.NewListPager(z.group, z.name, &armprivatedns.RecordSetsClientListOptions{Top: largest(large)})
	return collect(ctx, pager, func(p armprivatedns.RecordSetsClientListResponse) []*armprivatedns.RecordSet { return p.Value },
		func(r *armprivatedns.RecordSet) (record, bool) { return z.record(privateShown(r)) })
}

func (s *privateService) get(ctx context.Context, z zoneID, key backend.Key) (*record, error) {
	resp, err := s.records.Get(ctx, z.group, z.name, armprivatedns.RecordType(key.Type), z.relative(key.Name), nil)
	if err != nil {
		return absentOr(err)
	}
	r, _ := z.record(privateShown(&resp.RecordSet))
	return &r, nil
}

func (s *privateService) put(ctx context.Context, z zoneID, r record, g guard) (string, error) {
	o := &armprivatedns.RecordSetsClientCreateOrUpdateOptions{}
	o.IfMatch, o.IfNoneMatch = g.headers()
	props := privateProperties(r.set)
	props.Metadata = r.metadata
	resp, err := s.records.CreateOrUpdate(ctx, z.group, z.name, armprivatedns.RecordType(r.set.Type), z.relative(r.set.Name), armprivatedns.RecordSet{Properties: props}, o)
	return value(resp.Etag), err
}

func (s *privateService) remove(ctx context.Context, z zoneID, key backend.Key, g guard) error {
	_, err := s.records.Delete(ctx, z.group, z.name, armprivatedns.RecordType(key.Type), z.relative(key.Name), &armprivatedns.RecordSetsClientDeleteOptions{IfMatch: &g.etag})
	return err
}

// privateShown reads a record set of Azure Private DNS.
func privateShown(r *armprivatedns.RecordSet) shown {
	s := shown{name: r.Name, typ: r.Type, etag: r.Etag}
	p := r.Properties
	if p == nil {
		return s
	}
	s.ttl, s.metadata = p.TTL, p.Metadata
	if value(p.IsAutoRegistered) {
		s.foreign = "it was registered automatically for a virtual machine"
	}
	for _, a := range p.ARecords {
		s.values = append(s.values, value(a.IPv4Address))
	}
	for _, a := range p.AaaaRecords {
		s.values = append(s.values, value(a.IPv6Address))
	}
	if p.CnameRecord != nil {
		s.values = append(s.values, value(p.CnameRecord.Cname))
	}
	for _, m := range p.MxRecords {
		s.values = append(s.values, numbersAndHost(value(m.Exchange), m.Preference))
	}
	for _, n := range p.PtrRecords {
		s.values = append(s.values, value(n.Ptrdname))
	}
	for _, v := range p.SrvRecords {
		s.values = append(s.values, numbersAndHost(value(v.Target), v.Priority, v.Weight, v.Port))
	}
	for _, t := range p.TxtRecords {
		s.values = append(s.values, text(t.Value))
	}
	return s
}

// privateProperties writes an RRset for Azure Private DNS.
func privateProperties(r backend.RRset) *armprivatedns.RecordSetProperties {
	p := &armprivatedns.RecordSetProperties{TTL: ttl(r)}
	for _, v := range r.Values {
		n, host := numbers(v)
		switch r.Type {
		case "A":
			p.ARecords = append(p.ARecords, &armprivatedns.ARecord{IPv4Address: &v})
		case "AAAA":
			p.AaaaRecords = append(p.AaaaRecords, &armprivatedns.AaaaRecord{IPv6Address: &v})
		case "CNAME":
			p.CnameRecord = &armprivatedns.CnameRecord{Cname: &v}
		case "MX":
			p.MxRecords = append(p.MxRecords, &armprivatedns.MxRecord{Preference: n[0], Exchange: &host})
		case "PTR":
			p.PtrRecords = append(p.PtrRecords, &armprivatedns.PtrRecord{Ptrdname: &v})
		case "SRV":
			p.SrvRecords = append(p.SrvRecords, &armprivatedns.SrvRecord{Priority: n[0], Weight: n[1], Port: n[2], Target: &host})
		case "TXT":
			p.TxtRecords = append(p.TxtRecords, &armprivatedns.TxtRecord{Value: parts(v)})
		}
	}
	return p
}
