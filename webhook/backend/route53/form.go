package route53

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// former knows the one form in which an RRset is asked for, stored and listed.
type former struct{ Config }

// form returns the RRset in the form in which List returns it, or says why it cannot be stored. Applied
// again it changes nothing.
func (f former) form(zone string, r backend.RRset) (backend.RRset, error) {
	r, err := f.attrs(zone, r)
	if err != nil {
		return r, err
	}
	return r, refuse(r)
}

// attrs brings the attributes into canonical form, and with them what depends on them: the TTL of an
// alias, of which Route 53 stores none, is the backend's default.
func (f former) attrs(zone string, r backend.RRset) (backend.RRset, error) {
	if len(r.Attrs) == 0 && r.SetID == "" && r.Type != "CNAME" {
		r.Attrs = nil
		return r, nil
	}
	out := map[string]string{}
	chosen, err := routing(r, out)
	if err != nil {
		return r, err
	}
	if id := strings.TrimSpace(r.Attrs[attrHealthCheck]); id != "" {
		if len(id) > 64 {
			return r, wrong(attrHealthCheck, id, "the id of a health check")
		}
		out[attrHealthCheck] = id
	}
	alias, asked, err := aliasOf(r)
	if err != nil {
		return r, err
	}
	switch {
	case alias && r.Type == "CNAME":
		return r, wrong(attrAlias, r.Attrs[attrAlias], "type A or AAAA: Route 53 has no CNAME that is an alias of an address")
	case alias && chosen == "multivalue answer":
		return r, wrong(attrMultiValue, yes, "no alias: one answer of many cannot be an alias")
	case alias:
		out[attrAlias] = yes
		if r, err = f.target(zone, r, out); err != nil {
			return r, err
		}
	case r.Type == "CNAME" && len(r.Values) == 1 && isService(r.Name, r.Values[0]):
		out[attrAlias] = no // without it, Adjust would make an alias of it
	case asked && (r.Type == "A" || r.Type == "AAAA"):
		if r, err = addresses(r); err != nil {
			return r, err
		}
	}
	if r.Attrs = out; len(out) == 0 {
		r.Attrs = nil
	}
	return r, nil
}

// aliasOf reports whether the RRset is to be an alias, and whether the property says so. An address cannot
// be aliased: annotations are about all of an object's records, and it may have addresses as well.
func aliasOf(r backend.RRset) (alias, asked bool, err error) {
	given, ok := r.Attrs[attrAlias]
	if !ok || r.Type != "A" && r.Type != "AAAA" && r.Type != "CNAME" {
		return false, false, nil
	}
	alias, err = truth(attrAlias, given)
	if r.Type == "CNAME" || !alias || err != nil {
		return alias, ok, err
	}
	for _, v := range r.Values {
		if _, bad := netip.ParseAddr(v); bad == nil {
			return false, true, nil
		}
	}
	return true, true, nil
}

// addresses gives an RRset that is no alias after all the values of its type in canonical form.
func addresses(r backend.RRset) (backend.RRset, error) {
	plain := r
	plain.Attrs = nil
	plain, err := backend.Canonical(plain)
	if err != nil {
		return r, fmt.Errorf("%w, or an alias of one name", err)
	}
	plain.Attrs = r.Attrs
	return plain, nil
}

// target fills in what an alias needs: where its target is, and whether the target's health counts.
func (f former) target(zone string, r backend.RRset, out map[string]string) (backend.RRset, error) {
	if len(r.Values) != 1 {
		return r, fmt.Errorf("an alias has one target, not %d", len(r.Values))
	}
	out[attrEvaluate] = yes
	if f.IgnoreTargetHealth {
		out[attrEvaluate] = no
	}
	if given, ok := r.Attrs[attrEvaluate]; ok {
		b, err := truth(attrEvaluate, given)
		if err != nil {
			return r, err
		}
		out[attrEvaluate] = fmt.Sprint(b)
	}
	r.TTL = f.DefaultTTL
	target := r.Values[0]
	given := strings.ToUpper(zoneID(strings.TrimSpace(r.Attrs[attrTargetZone])))
	implied, where := impliedZone(zone, r.Name, target)
	switch {
	case given != "" && !isZoneID(given):
		return r, wrong(attrTargetZone, given, "the id of the hosted zone that holds "+target)
	case where == inService && given != "" && given != implied:
		return r, wrong(attrTargetZone, given, implied+", the hosted zone that holds "+target+", or nothing")
	case where == elsewhere && given == "":
		return r, fmt.Errorf("alias of %s, which is neither in zone %s nor a resource of AWS whose hosted zone is known: want property %s with the id of its hosted zone", target, zone, attrTargetZone)
	case where == elsewhere:
		out[attrTargetZone] = given
	}
	if target == r.Name && where == inZone {
		return r, fmt.Errorf("an alias of itself")
	}
	return r, nil
}

// place is where the target of an alias is.
type place int

const (
	elsewhere place = iota // a resource of AWS that is not in our tables
	inZone                 // in the same hosted zone
	inService              // in a hosted zone of an AWS service
)

// impliedZone says in which hosted zone a target is, as far as its name tells. The zone's own id is not
// known here; nothing else can hold a name of the zone, for aliases never lead into another hosted zone of
// an account (API reference, AliasTarget, HostedZoneId).
func impliedZone(zone, name, target string) (id string, where place) {
	if id := awsZone(name, target); id != "" {
		return id, inService
	}
	if backend.InZone(target, zone) {
		return "", inZone
	}
	return "", elsewhere
}

// awsZone returns the id of the hosted zone of an AWS service that holds target, or "". A website in S3
// answers to the name of its bucket only, and the alias points to the endpoint of all buckets, so a bucket
// counts for a record of its own name.
func awsZone(name, target string) string {
	if id := bucketZone(strings.TrimPrefix(target, name+".")); id != "" {
		return id
	}
	if !mayBeService(target) {
		return ""
	}
	for rest, ok := target, true; ok; {
		if _, rest, ok = strings.Cut(rest, "."); ok {
			if id := serviceZone(rest); id != "" {
				return id
			}
		}
	}
	return ""
}

// mayBeService tells most names apart from those of AWS at a glance.
func mayBeService(target string) bool {
	for _, suffix := range []string{".amazonaws.com", ".amazonaws.com.cn", ".cloudfront.net", ".cloudfront.cn", ".awsglobalaccelerator.com", ".elasticbeanstalk.com"} {
		if strings.HasSuffix(target, suffix) {
			return true
		}
	}
	return false
}

// isService reports whether target is a resource of AWS that a record of this name can be an alias of.
func isService(name, target string) bool { return awsZone(name, target) != "" }
