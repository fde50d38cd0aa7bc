package azuredns

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"

	"github.com/spokedns/spokedns/webhook/backend"
)

// publicService is Azure DNS.
type publicService struct {
	zoneClient *armdns.ZonesClient
	records    *armdns.RecordSetsClient
}

func newPublic(c *client, subscription string) (service, error) {
	zones, err := armdns.NewZonesClient(subscription, c.credential, c.options)
	if err != nil {
		return nil, err
	}
	records, err := armdns.NewRecordSetsClient(subscription, c.credential, c.options)
	return &publicService{zones, records}, err
}

func (s *publicService) zones(ctx context.Context, group string, large bool) ([]zoneID, error) {
	if group == "" {
		return collect(ctx, s.zoneClient.NewListPager(&armdns.ZonesClientListOptions{Top: largest(large)}), func(p armdns.ZonesClientListResponse) []*armdns.Zone { return p.Value }, publicZone)
	}
	return collect(ctx, s.zoneClient.NewListByResourceGroupPager(group, &armdns.ZonesClientListByResourceGroupOptions{Top: largest(large)}),
		func(p armdns.ZonesClientListByResourceGroupResponse) []*armdns.Zone { return p.Value }, publicZone)
}

// publicZone leaves out the private zones that this service held before there was another for them.
func publicZone(z *armdns.Zone) (zoneID, bool) {
	if z.Properties != nil && value(z.Properties.ZoneType) == armdns.ZoneTypePrivate {
		return zoneID{}, false
	}
	id, err := parseZoneID(value(z.ID))
	return id, err == nil
}

func (s *publicService) list(ctx context.Context, z zoneID, large bool) ([]record, error) {
	pager := s.records.NewListAllByDNSZonePager(z.group, z.name, &armdns.RecordSetsClientListAllByDNSZoneOptions{Top: largest(large)})
	return collect(ctx, pager, func(p armdns.RecordSetsClientListAllByDNSZoneResponse) []*armdns.RecordSet { return p.Value },
		func(r *armdns.RecordSet) (record, bool) { return z.record(publicShown(r)) })
}

func (s *publicService) get(ctx context.Context, z zoneID, key backend.Key) (*record, error) {
	resp, err := s.records.Get(ctx, z.group, z.name, z.relative(key.Name), armdns.RecordType(key.Type), nil)
	if err != nil {
		return absentOr(err)
	}
	r, _ := z.record(publicShown(&resp.RecordSet))
	return &r, nil
}

func (s *publicService) put(ctx context.Context, z zoneID, r record, g guard) (string, error) {
	o := &armdns.RecordSetsClientCreateOrUpdateOptions{}
	o.IfMatch, o.IfNoneMatch = g.headers()
	props := publicProperties(r.set)
	props.Metadata = r.metadata
	resp, err := s.records.CreateOrUpdate(ctx, z.group, z.name, z.relative(r.set.Name), armdns.RecordType(r.set.Type), armdns.RecordSet{Properties: props}, o)
	return value(resp.Etag), err
}

func (s *publicService) remove(ctx context.Context, z zoneID, key backend.Key, g guard) error {
	_, err := s.records.Delete(ctx, z.group, z.name, z.relative(key.Name), armdns.RecordType(key.Type), &armdns.RecordSetsClientDeleteOptions{IfMatch: &g.etag})
	return err
}

// publicShown reads a record set of Azure DNS.
func publicShown(r *armdns.RecordSet) shown {
	s := shown{name: r.Name, typ: r.Type, etag: r.Etag}
	p := r.Properties
	if p == nil {
		return s
	}
	s.ttl, s.metadata = p.TTL, p.Metadata
	if p.TargetResource != nil && value(p.TargetResource.ID) != "" {
		s.foreign = "it is an alias of " + value(p.TargetResource.ID)
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
	for _, n := range p.NsRecords {
		s.values = append(s.values, value(n.Nsdname))
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

// publicProperties writes an RRset for Azure DNS.
func publicProperties(r backend.RRset) *armdns.RecordSetProperties {
	p := &armdns.RecordSetProperties{TTL: ttl(r)}
	for _, v := range r.Values {
		n, host := numbers(v)
		switch r.Type {
		case "A":
			p.ARecords = append(p.ARecords, &armdns.ARecord{IPv4Address: &v})
		case "AAAA":
			p.AaaaRecords = append(p.AaaaRecords, &armdns.AaaaRecord{IPv6Address: &v})
		case "CNAME":
			p.CnameRecord = &armdns.CnameRecord{Cname: &v}
		case "MX":
			p.MxRecords = append(p.MxRecords, &armdns.MxRecord{Preference: n[0], Exchange: &host})
		case "NS":
			p.NsRecords = append(p.NsRecords, &armdns.NsRecord{Nsdname: &v})
		case "PTR":
			p.PtrRecords = append(p.PtrRecords, &armdns.PtrRecord{Ptrdname: &v})
		case "SRV":
			p.SrvRecords = append(p.SrvRecords, &armdns.SrvRecord{Priority: n[0], Weight: n[1], Port: n[2], Target: &host})
		case "TXT":
			p.TxtRecords = append(p.TxtRecords, &armdns.TxtRecord{Value: parts(v)})
		}
	}
	return p
}

// collect reads all pages of a list and converts what keep keeps.
func collect[P, E, T any](ctx context.Context, pager *runtime.Pager[P], entries func(P) []*E, keep func(*E) (T, bool)) ([]T, error) {
	var all []T
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range entries(page) {
			if e == nil {
				continue
			}
			if t, ok := keep(e); ok {
				all = append(all, t)
			}
		}
	}
	return all, nil
}
