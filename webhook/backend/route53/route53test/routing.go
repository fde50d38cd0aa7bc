package route53test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// refuseAlias checks what only alias records have (AliasTarget; Developer Guide, Choosing between alias
// and non-alias records).
func (s *Server) refuseAlias(z *zone, r RecordSet) error {
	if r.TTL != nil || len(r.Values) > 0 { // ResourceRecordSet, TTL and ResourceRecords: omit them
		return says("Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=%s]", r.Name, r.Type, r.SetIdentifier)
	}
	if r.Type == "NS" || r.Type == "SOA" { // ResourceRecordSet, Type
		return says("an alias cannot have type %s", r.Type)
	}
	target, err := canonicalName(r.AliasTarget.DNSName)
	if err != nil {
		return says("FATAL problem: DomainLabelEmpty (%v) encountered with '%s'", err, r.AliasTarget.DNSName)
	}
	suffixes, known := awsZones()[r.AliasTarget.HostedZoneID]
	within := func(suffix string) bool {
		return target == suffix+"." || strings.HasSuffix(target, "."+suffix+".")
	}
	switch {
	case r.AliasTarget.HostedZoneID == z.id:
		if !inZone(target, z.name) {
			return errOutside(target, r.AliasTarget.HostedZoneID)
		}
	case !known && s.zones[r.AliasTarget.HostedZoneID] != nil: // AliasTarget, HostedZoneId: not in a different hosted zone
		return says("Tried to create an alias that targets %s, type %s in zone %s, but the alias target is in another hosted zone", target, r.Type, r.AliasTarget.HostedZoneID)
	case !known:
		return says("The specified hosted zone id '%s' for alias target is invalid", r.AliasTarget.HostedZoneID)
	case !slices.ContainsFunc(suffixes, within):
		return errOutside(target, r.AliasTarget.HostedZoneID)
	case z.spec.Private && slices.Contains(suffixes, "cloudfront.net"): // AliasTarget, HostedZoneId
		return says("alias records for CloudFront cannot be created in a private zone")
	case strings.HasPrefix(target, "s3-website") && r.Type != "A": // ResourceRecordSet, Type: Amazon S3 buckets: A
		return says("an alias for an S3 bucket has type A")
	}
	return nil
}

func errOutside(target, zone string) error {
	return says("Tried to create an alias that targets %s, type A in zone %s, but the alias target name does not lie within the target zone", target, zone)
}

// awsZones are hosted zones of AWS services that records may be aliases into, with the names they hold
// (AWS General Reference, endpoints and quotas of each service). A handful stand for all.
func awsZones() map[string][]string {
	return map[string][]string{
		"Z32O12XQLNTSW2":        {"eu-west-1.elb.amazonaws.com"},
		"Z2IFOLAFXWLO4F":        {"elb.eu-west-1.amazonaws.com"},
		"Z215JYRZR1TBD5":        {"eu-central-1.elb.amazonaws.com"},
		"Z3F0SRJ5LGBH90":        {"elb.eu-central-1.amazonaws.com"},
		"Z35SXDOTRQ7X7K":        {"us-east-1.elb.amazonaws.com"},
		"Z26RNL4JYFTOTI":        {"elb.us-east-1.amazonaws.com"},
		"Z2FDTNDATAQYW2":        {"cloudfront.net"},
		"Z2BJ6XQ5FK7U4H":        {"awsglobalaccelerator.com"},
		"Z1BKCTXD74EZPE":        {"s3-website-eu-west-1.amazonaws.com"},
		"Z21DNDUVLTQW6Q":        {"s3-website.eu-central-1.amazonaws.com"},
		"ZLY8HYME6SFDD":         {"execute-api.eu-west-1.amazonaws.com"},
		"Z38GZ743OKFT7T":        {"eu-west-1.vpce.amazonaws.com"},
		"Z2NYPWQ7DFZAZH":        {"eu-west-1.elasticbeanstalk.com"},
		"Z0PRIVATELINKEXAMPLE0": {"vpce.example-service.com"}, // of a service that nobody lists
	}
}

// policy names the routing policy of a record set, and the place in its group that no other may take.
func policy(r RecordSet) (name, place string, err error) {
	type found struct{ name, place string }
	var all []found
	if r.Weight != nil {
		all = append(all, found{"weighted", ""})
		if *r.Weight < 0 || *r.Weight > 255 { // ResourceRecordSet, Weight: 0 to 255
			return "", "", says("Weight %d is not within 0 to 255", *r.Weight)
		}
	}
	if r.Region != "" {
		all = append(all, found{"latency", r.Region})
		if !strings.Contains(r.Region, "-") {
			return "", "", says("Region %s is not valid", r.Region)
		}
	}
	if r.Failover != "" {
		all = append(all, found{"failover", r.Failover})
		if r.Failover != "PRIMARY" && r.Failover != "SECONDARY" {
			return "", "", says("Failover %s is not PRIMARY or SECONDARY", r.Failover)
		}
	}
	if g := r.GeoLocation; g != nil {
		all = append(all, found{"geolocation", g.ContinentCode + "/" + g.CountryCode + "/" + g.SubdivisionCode})
		if err := refuseLocation(*g); err != nil {
			return "", "", err
		}
	}
	if g := r.GeoProximityLocation; g != nil {
		all = append(all, found{"geoproximity", ""})
		if err := refuseProximity(*g); err != nil {
			return "", "", err
		}
	}
	if r.MultiValueAnswer != nil {
		all = append(all, found{"multivalue answer", ""})
	}
	if r.CidrRoutingConfig != nil {
		all = append(all, found{"cidr", r.CidrRoutingConfig.CollectionID + "/" + r.CidrRoutingConfig.LocationName})
	}
	switch {
	case len(all) > 1:
		return "", "", says("Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found more than one in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=%s]", r.Name, r.Type, r.SetIdentifier)
	case len(all) == 0 && r.SetIdentifier != "":
		return "", "", says("Invalid request: Missing field 'Weight', 'Region', 'Failover' or another policy in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=%s]", r.Name, r.Type, r.SetIdentifier)
	case len(all) == 1 && r.SetIdentifier == "": // ResourceRecordSet, SetIdentifier
		return "", "", says("Invalid request: Missing field 'SetIdentifier' in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=null]", r.Name, r.Type)
	case len(r.SetIdentifier) > 128: // ResourceRecordSetIdentifier: 1 to 128
		return "", "", says("SetIdentifier has more than 128 characters")
	case len(all) == 0:
		return "simple", "", nil
	}
	return all[0].name, all[0].place, nil
}

// refuseLocation follows GeoLocation.
func refuseLocation(g GeoLocation) error {
	continents := []string{"AF", "AN", "AS", "EU", "OC", "NA", "SA"}
	switch {
	case g.ContinentCode != "" && (g.CountryCode != "" || g.SubdivisionCode != ""):
		return says("ContinentCode with either CountryCode or SubdivisionCode")
	case g.ContinentCode != "" && !slices.Contains(continents, g.ContinentCode):
		return says("ContinentCode %s is not one of %v", g.ContinentCode, continents)
	case g.ContinentCode == "" && g.CountryCode != "*" && (len(g.CountryCode) != 2 || strings.ToUpper(g.CountryCode) != g.CountryCode):
		return says("CountryCode %q is not two capital letters or *", g.CountryCode)
	case g.SubdivisionCode != "" && g.CountryCode != "US" && g.CountryCode != "UA":
		return says("SubdivisionCode without US as CountryCode")
	}
	return nil
}

// refuseProximity follows GeoProximityLocation and Coordinates.
func refuseProximity(g GeoProximity) error {
	n := 0
	for _, set := range []bool{g.AWSRegion != "", g.LocalZoneGroup != "", g.Coordinates != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return says("GeoProximityLocation has one of AWSRegion, LocalZoneGroup and Coordinates")
	}
	if g.Bias != nil && (*g.Bias < -99 || *g.Bias > 99) {
		return says("Bias %d is not within -99 to 99", *g.Bias)
	}
	if c := g.Coordinates; c != nil {
		for text, limit := range map[string]float64{c.Latitude: 90, c.Longitude: 180} {
			if f, err := strconv.ParseFloat(text, 64); err != nil || f < -limit || f > limit {
				return says("Coordinates %q out of range", text)
			}
		}
	}
	return nil
}

// refuseRouting checks what a record set's routing policy excludes (ResourceRecordSet, the policies).
func (s *Server) refuseRouting(r RecordSet) error {
	name, _, err := policy(r)
	switch {
	case err != nil:
		return err
	case name != "simple" && (r.Type == "NS" || r.Type == "SOA"): // ResourceRecordSet, Type, values for weighted … record sets
		return says("record sets of type %s cannot have a %s routing policy", r.Type, name)
	case name == "multivalue answer" && r.Type == "CNAME": // ResourceRecordSet, Type, values for multivalue answer
		return says("multivalue answer record sets cannot have type CNAME")
	case name == "multivalue answer" && r.AliasTarget != nil: // ResourceRecordSet, MultiValueAnswer: no multivalue answer alias records
		return says("multivalue answer record sets cannot be alias records")
	case r.HealthCheckID != "" && !s.checks[r.HealthCheckID]: // ChangeResourceRecordSets, NoSuchHealthCheck
		return errNoHealthCheck
	}
	return nil
}

var errNoHealthCheck = words("no such health check")

// refuseGroup checks a name of the zone as it would be: what stands beside what.
func (z *zone) refuseGroup(name string) []string {
	var out []string
	byType := map[string][]RecordSet{}
	for _, r := range z.named(name) {
		byType[r.Type] = append(byType[r.Type], r)
	}
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		if typ == "CNAME" && len(byType) > 1 { // Developer Guide, CNAME record type
			out = append(out, fmt.Sprintf("RRSet of type CNAME with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s", name, z.name))
		}
		out = append(out, z.refuseSiblings(byType[typ])...)
	}
	return out
}

// refuseSiblings checks the record sets of one name and type.
func (z *zone) refuseSiblings(group []RecordSet) []string {
	var out []string
	first, _, _ := policy(group[0])
	places := map[string]bool{}
	for _, r := range group {
		name, place, _ := policy(r)
		switch {
		case name != first: // ResourceRecordSet, each policy: no others beside it
			out = append(out, fmt.Sprintf("RRSet with DNS name %s, type %s, SetIdentifier %s cannot be created because a non-%s RRSet with the same name and type already exists.", r.Name, r.Type, r.SetIdentifier, name))
		case place != "" && places[place]: // one for each region, location, PRIMARY and SECONDARY
			out = append(out, fmt.Sprintf("RRSet with DNS name %s, type %s, SetIdentifier %s cannot be created because the same %s (%s) is taken", r.Name, r.Type, r.SetIdentifier, name, place))
		case name == "weighted" && r.TTL != nil && group[0].TTL != nil && *r.TTL != *group[0].TTL: // ResourceRecordSet, TTL: the same for a group
			out = append(out, fmt.Sprintf("RRSet with DNS name %s, type %s, SetIdentifier %s cannot be created because its TTL is not that of the other weighted RRSets", r.Name, r.Type, r.SetIdentifier))
		case name == "weighted" && len(group) > 100: // ResourceRecordSet, Weight
			out = append(out, fmt.Sprintf("RRSet with DNS name %s, type %s: more than 100 weighted RRSets", r.Name, r.Type))
		}
		places[place] = true
		if a := r.AliasTarget; a != nil && a.HostedZoneID == z.id {
			target, _ := canonicalName(a.DNSName)
			if !slices.ContainsFunc(z.named(target), func(t RecordSet) bool { return t.Type == r.Type }) {
				out = append(out, fmt.Sprintf("Tried to create an alias that targets %s, type %s in zone %s, but that target was not found", target, r.Type, z.id))
			}
		}
	}
	return out
}
