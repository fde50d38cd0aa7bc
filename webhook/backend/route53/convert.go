package route53

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/spokedns/spokedns/webhook/backend"
)

// toService is the RRset, which has its form, as the service takes it.
func toService(zone hostedZone, r *backend.RRset) *types.ResourceRecordSet {
	out := &types.ResourceRecordSet{Name: aws.String(wireName(r.Name)), Type: types.RRType(r.Type)}
	if r.SetID != "" {
		out.SetIdentifier = aws.String(r.SetID)
	}
	if r.Alias() {
		out.AliasTarget = aliasTarget(zone, r)
	} else {
		out.TTL = aws.Int64(int64(r.TTL / time.Second))
		out.ResourceRecords = make([]types.ResourceRecord, len(r.Values))
		for i, v := range r.Values {
			out.ResourceRecords[i].Value = aws.String(wireValue(r.Type, v))
		}
	}
	text := func(name string) *string {
		if v, ok := r.Attrs[name]; ok {
			return &v
		}
		return nil
	}
	out.HealthCheckId = text(attrHealthCheck)
	out.Region = types.ResourceRecordSetRegion(r.Attrs[attrRegion])
	out.Failover = types.ResourceRecordSetFailover(r.Attrs[attrFailover])
	if w, ok := integer(r.Attrs[attrWeight]); ok {
		out.Weight = aws.Int64(int64(w))
	}
	if r.Attrs[attrMultiValue] == yes {
		out.MultiValueAnswer = aws.Bool(true)
	}
	if g := (types.GeoLocation{ContinentCode: text(attrContinent), CountryCode: text(attrCountry), SubdivisionCode: text(attrSubdivision)}); g != (types.GeoLocation{}) {
		out.GeoLocation = &g
	}
	if bias, ok := integer(r.Attrs[attrNearBias]); ok {
		out.GeoProximityLocation = &types.GeoProximityLocation{AWSRegion: text(attrNearRegion), LocalZoneGroup: text(attrNearGroup), Bias: aws.Int32(bias)}
		if lat, long, ok := strings.Cut(r.Attrs[attrNearPoint], ","); ok {
			out.GeoProximityLocation.Coordinates = &types.Coordinates{Latitude: &lat, Longitude: &long}
		}
	}
	return out
}

func integer(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil
}

// aliasTarget is where an alias leads to. What neither a property nor the target's name says is in the
// record's own zone.
func aliasTarget(zone hostedZone, r *backend.RRset) *types.AliasTarget {
	target := r.Values[0]
	id := r.Attrs[attrTargetZone]
	if id == "" {
		if id, _ = impliedZone(zone.name, r.Name, target); id == "" {
			id = zone.id
		}
	}
	return &types.AliasTarget{
		DNSName: aws.String(wireName(target)), HostedZoneId: &id, EvaluateTargetHealth: r.Attrs[attrEvaluate] == yes,
	}
}

// fromService reads a record set of the service, or returns false for one that is not ours to list: SOA
// and NS of the zone, other types, those of traffic policies, those chosen by the questioner's network,
// aliases of something else than addresses, and those with names or values that have no canonical form.
func (f former) fromService(zone hostedZone, s *types.ResourceRecordSet) (backend.RRset, bool) {
	name, ok := plainName(aws.ToString(s.Name))
	typ := string(s.Type)
	ours := ok && slices.Contains(listedTypes(), typ) && s.TrafficPolicyInstanceId == nil && s.CidrRoutingConfig == nil &&
		(typ != "NS" || name != zone.name) && (s.AliasTarget == nil || typ == "A" || typ == "AAAA")
	if !ours {
		return backend.RRset{}, false
	}
	r := backend.RRset{Key: backend.Key{Name: name, Type: typ, SetID: aws.ToString(s.SetIdentifier)}, TTL: time.Duration(aws.ToInt64(s.TTL)) * time.Second}
	if s.AliasTarget != nil {
		target, ok := plainName(aws.ToString(s.AliasTarget.DNSName))
		if !ok {
			return r, false
		}
		r.Values, r.TTL = []string{target}, f.DefaultTTL
	} else {
		r.Values = make([]string, len(s.ResourceRecords))
		for i, v := range s.ResourceRecords {
			r.Values[i] = aws.ToString(v.Value)
			if typ != "TXT" {
				continue
			}
			if r.Values[i], ok = plainText(r.Values[i]); !ok {
				return r, false
			}
		}
	}
	r.Attrs = given(zone, r, s)
	r, err := backend.Canonical(r)
	if err != nil || len(r.Values) == 0 {
		return r, false
	}
	if formed, err := f.attrs(zone.name, r); err == nil {
		return formed, true
	}
	return r, true // odd, but there: it can be deleted as it is
}

func listedTypes() []string {
	return []string{"A", "AAAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV", "TXT"}
}

// given are the attributes of a record set, nil when there are none.
func given(zone hostedZone, r backend.RRset, s *types.ResourceRecordSet) map[string]string {
	if s.SetIdentifier == nil && s.AliasTarget == nil && s.HealthCheckId == nil {
		return nil
	}
	out := map[string]string{}
	set := func(name string, v *string) {
		if v != nil {
			out[name] = *v
		}
	}
	set(attrHealthCheck, s.HealthCheckId)
	if s.Weight != nil {
		out[attrWeight] = strconv.FormatInt(*s.Weight, 10)
	}
	if s.Region != "" {
		out[attrRegion] = string(s.Region)
	}
	if s.Failover != "" {
		out[attrFailover] = string(s.Failover)
	}
	if aws.ToBool(s.MultiValueAnswer) {
		out[attrMultiValue] = yes
	}
	if g := s.GeoLocation; g != nil {
		set(attrContinent, g.ContinentCode)
		set(attrCountry, g.CountryCode)
		set(attrSubdivision, g.SubdivisionCode)
	}
	if g := s.GeoProximityLocation; g != nil {
		set(attrNearRegion, g.AWSRegion)
		set(attrNearGroup, g.LocalZoneGroup)
		if g.Bias != nil {
			out[attrNearBias] = strconv.Itoa(int(*g.Bias))
		}
		if c := g.Coordinates; c != nil {
			out[attrNearPoint] = aws.ToString(c.Latitude) + "," + aws.ToString(c.Longitude)
		}
	}
	if a := s.AliasTarget; a != nil {
		out[attrAlias], out[attrEvaluate] = yes, fmt.Sprint(a.EvaluateTargetHealth)
		id := zoneID(aws.ToString(a.HostedZoneId))
		implied, where := impliedZone(zone.name, r.Name, r.Values[0])
		if id != implied && (where != inZone || id != zone.id) {
			out[attrTargetZone] = id
		}
	}
	return out
}
