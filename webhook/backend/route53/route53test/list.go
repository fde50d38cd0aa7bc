package route53test

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The most that one page holds.
const (
	recordsPage = 300 // ListResourceRecordSets, MaxItems
	zonesPage   = 100 // ListHostedZones, MaxItems
	tagsPage    = 10  // ListTagsForResources, ResourceIds
)

// page is how many items the answer to a request may hold.
func (s *Server) page(query url.Values, most int) (int, *refusal) {
	n := most
	if v := query.Get("maxitems"); v != "" {
		asked, err := strconv.Atoi(v)
		if err != nil || asked < 1 { // InvalidInput
			return 0, refused(http.StatusBadRequest, "InvalidInput", "maxitems "+v+" is not valid")
		}
		n = min(n, asked)
	}
	if s.options.PageSize > 0 {
		n = min(n, s.options.PageSize)
	}
	return n, nil
}

func (s *Server) listRecords(z *zone, query url.Values) (any, *refusal) {
	most, no := s.page(query, recordsPage)
	if no != nil {
		return nil, no
	}
	name, typ, id := query.Get("name"), query.Get("type"), query.Get("identifier")
	if name == "" && typ != "" || typ == "" && id != "" { // ListResourceRecordSets, StartRecordType
		return nil, refused(http.StatusBadRequest, "InvalidInput", "The request contains invalid parameters: type without name")
	}
	from := 0
	if name != "" {
		canonical, err := canonicalName(name)
		if err != nil {
			return nil, refused(http.StatusBadRequest, "InvalidInput", "name "+name+" is not valid")
		}
		from, _ = z.at(order(canonical, typ, id))
	}
	out := struct {
		XMLName              xml.Name    `xml:"ListResourceRecordSetsResponse"`
		Xmlns                string      `xml:"xmlns,attr"`
		ResourceRecordSets   []RecordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
		IsTruncated          bool
		NextRecordName       string `xml:",omitempty"`
		NextRecordType       string `xml:",omitempty"`
		NextRecordIdentifier string `xml:",omitempty"`
		MaxItems             int
	}{Xmlns: namespace, MaxItems: most}
	for i := from; i < len(z.sets); i++ {
		if len(out.ResourceRecordSets) == most {
			next := z.sets[i]
			out.IsTruncated, out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = true, next.Name, next.Type, next.SetIdentifier
			break
		}
		out.ResourceRecordSets = append(out.ResourceRecordSets, z.sets[i].RecordSet)
	}
	return out, nil
}

func (z *zone) xml() hostedZoneXML {
	out := hostedZoneXML{ID: "/hostedzone/" + z.id, Name: z.name, CallerReference: z.id, ResourceRecordSetCount: len(z.sets)}
	out.Config.Comment, out.Config.PrivateZone = z.spec.Comment, z.spec.Private
	return out
}

// sorted are the zones in an order.
func (s *Server) sorted(by func(a, b *zone) int) []*zone {
	return slices.SortedFunc(maps.Values(s.zones), by)
}

func byID(a, b *zone) int { return strings.Compare(a.id, b.id) }

func (s *Server) listZones(query url.Values) (any, *refusal) {
	most, no := s.page(query, zonesPage)
	if no != nil {
		return nil, no
	}
	out := struct {
		XMLName     xml.Name        `xml:"ListHostedZonesResponse"`
		Xmlns       string          `xml:"xmlns,attr"`
		HostedZones []hostedZoneXML `xml:"HostedZones>HostedZone"`
		Marker      string          `xml:",omitempty"`
		IsTruncated bool
		NextMarker  string `xml:",omitempty"`
		MaxItems    int
	}{Xmlns: namespace, MaxItems: most, Marker: query.Get("marker")}
	for _, z := range s.sorted(byID) {
		switch {
		case z.id < out.Marker:
		case query.Get("hostedzonetype") == "PrivateHostedZone" && !z.spec.Private:
		case len(out.HostedZones) == most:
			out.IsTruncated, out.NextMarker = true, z.id
			return out, nil
		default:
			out.HostedZones = append(out.HostedZones, z.xml())
		}
	}
	return out, nil
}

func (s *Server) listZonesByName(query url.Values) (any, *refusal) {
	most, no := s.page(query, zonesPage)
	if no != nil {
		return nil, no
	}
	place := func(name, id string) string { return order(name, "", id) }
	from := ""
	if name := query.Get("dnsname"); name != "" {
		canonical, err := canonicalName(name)
		if err != nil { // ListHostedZonesByName, InvalidDomainName
			return nil, refused(http.StatusBadRequest, "InvalidDomainName", name)
		}
		from = place(canonical, query.Get("hostedzoneid"))
	}
	out := struct {
		XMLName          xml.Name        `xml:"ListHostedZonesByNameResponse"`
		Xmlns            string          `xml:"xmlns,attr"`
		HostedZones      []hostedZoneXML `xml:"HostedZones>HostedZone"`
		IsTruncated      bool
		NextDNSName      string `xml:",omitempty"`
		NextHostedZoneID string `xml:"NextHostedZoneId,omitempty"`
		MaxItems         int
	}{Xmlns: namespace, MaxItems: most}
	for _, z := range s.sorted(func(a, b *zone) int { return cmp.Compare(place(a.name, a.id), place(b.name, b.id)) }) {
		switch {
		case place(z.name, z.id) < from:
		case len(out.HostedZones) == most:
			out.IsTruncated, out.NextDNSName, out.NextHostedZoneID = true, z.name, z.id
			return out, nil
		default:
			out.HostedZones = append(out.HostedZones, z.xml())
		}
	}
	return out, nil
}

func (s *Server) listZonesByVPC(query url.Values) (any, *refusal) {
	most, no := s.page(query, zonesPage)
	if no != nil {
		return nil, no
	}
	vpc := VPC{query.Get("vpcregion"), query.Get("vpcid")}
	if !strings.HasPrefix(vpc.ID, "vpc-") || vpc.Region == "" { // ListHostedZonesByVPC, InvalidInput
		return nil, refused(http.StatusBadRequest, "InvalidInput", "vpcid and vpcregion are required")
	}
	type summary struct {
		HostedZoneID string `xml:"HostedZoneId"`
		Name         string
		Owner        string `xml:"Owner>OwningAccount"`
	}
	out := struct {
		XMLName   xml.Name  `xml:"ListHostedZonesByVPCResponse"`
		Xmlns     string    `xml:"xmlns,attr"`
		Zones     []summary `xml:"HostedZoneSummaries>HostedZoneSummary"`
		MaxItems  int
		NextToken string `xml:",omitempty"`
	}{Xmlns: namespace, MaxItems: most}
	for _, z := range s.sorted(byID) {
		switch {
		case z.id < query.Get("nexttoken") || !slices.Contains(z.spec.VPCs, vpc):
		case len(out.Zones) == most:
			out.NextToken = z.id
			return out, nil
		default:
			out.Zones = append(out.Zones, summary{z.id, z.name, Account})
		}
	}
	return out, nil
}

func (s *Server) getZone(z *zone) any {
	out := struct {
		XMLName    xml.Name `xml:"GetHostedZoneResponse"`
		Xmlns      string   `xml:"xmlns,attr"`
		HostedZone hostedZoneXML
		VPCs       []vpcXML `xml:"VPCs>VPC,omitempty"`
	}{Xmlns: namespace, HostedZone: z.xml()}
	for _, v := range z.spec.VPCs {
		out.VPCs = append(out.VPCs, vpcXML{v.Region, v.ID})
	}
	return out
}

func (z *zone) tags() tagSetXML {
	out := tagSetXML{ResourceType: "hostedzone", ResourceID: z.id}
	for _, k := range slices.Sorted(maps.Keys(z.spec.Tags)) {
		out.Tags = append(out.Tags, tagXML{k, z.spec.Tags[k]})
	}
	return out
}

func (s *Server) listTags(body []byte) (any, *refusal) {
	var in struct {
		IDs []string `xml:"ResourceIds>ResourceId"`
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		return nil, refused(http.StatusBadRequest, "MalformedInput", err.Error())
	}
	if len(in.IDs) == 0 || len(in.IDs) > tagsPage { // ListTagsForResources, ResourceIds
		return nil, refused(http.StatusBadRequest, "InvalidInput", "1 to 10 resources")
	}
	out := struct {
		XMLName xml.Name    `xml:"ListTagsForResourcesResponse"`
		Xmlns   string      `xml:"xmlns,attr"`
		Sets    []tagSetXML `xml:"ResourceTagSets>ResourceTagSet"`
	}{Xmlns: namespace}
	for _, id := range in.IDs {
		z := s.zones[id]
		if z == nil {
			return nil, refused(http.StatusNotFound, "NoSuchHostedZone", "No hosted zone found with ID: "+id)
		}
		out.Sets = append(out.Sets, z.tags())
	}
	return out, nil
}
