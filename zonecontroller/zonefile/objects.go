package zonefile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// Options are what a zone on a server does not say.
type Options struct {
	Namespace string            // of the objects
	Selector  map[string]string // labels of the DNSServers that are to have the zone
}

// Left is an RRset that no object stands for. It is left to stand in DNS as it is.
type Left struct {
	Key backend.Key
	Why string
}

// Objects are those that mean the RRsets of a zone: a DNSZone with SOA, NS records and glue, and a DNSRecord for each of
// the others, named by its name and type. What they mean is exactly the RRsets but those left; it is an error where the
// zone's own cannot be meant by a DNSZone.
func Objects(zone string, sets []backend.RRset, o Options) (*v1alpha1.DNSZone, []v1alpha1.DNSRecord, []Left, error) {
	rest := make(map[backend.Key]backend.RRset, len(sets))
	for _, set := range sets {
		rest[set.Key] = set
	}
	z, err := dnsZone(zone, rest, o)
	if err != nil {
		return nil, nil, nil, err
	}
	owned := content.ExternalDNS(sets)
	var recs []v1alpha1.DNSRecord
	var left []Left
	for key, set := range rest {
		if owner := owned(key); owner != nil {
			left = append(left, Left{key, owner.Error()})
			continue
		}
		if !slices.Contains(content.Types(), key.Type) {
			left = append(left, Left{key, "there are no DNSRecords of the type"})
			continue
		}
		recs = append(recs, dnsRecord(z, &set))
	}
	left = append(left, judge(z, &recs, rest)...)
	slices.SortFunc(recs, func(a, b v1alpha1.DNSRecord) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(left, func(a, b Left) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return z, recs, left, nil
}

// judge takes out the records that would be refused, or would not mean what stands.
func judge(z *v1alpha1.DNSZone, recs *[]v1alpha1.DNSRecord, sets map[backend.Key]backend.RRset) []Left {
	var left []Left
	wanted, faults := content.Records(z, *recs)
	means := map[string]backend.RRset{}
	for _, set := range wanted.Sets {
		means[wanted.Of[set.Key][0].Name] = set
	}
	*recs = slices.DeleteFunc(*recs, func(r v1alpha1.DNSRecord) bool {
		key := keyOf(z, &r)
		set, want := means[r.Name], sets[key]
		f, refused := faults[types.NamespacedName{Namespace: r.Namespace, Name: r.Name}]
		switch {
		case refused:
			left = append(left, Left{key, f.Error()})
		case !set.Same(&want) || set.TTL != want.TTL:
			left = append(left, Left{key, fmt.Sprintf("a DNSRecord would mean %q with a TTL of %s", set.Values, set.TTL)})
		default:
			return false
		}
		return true
	})
	return left
}

// dnsZone takes SOA, NS and glue out of the RRsets.
func dnsZone(zone string, sets map[backend.Key]backend.RRset, o Options) (*v1alpha1.DNSZone, error) {
	soaSet, ns := sets[backend.Key{Name: zone, Type: "SOA"}], sets[backend.Key{Name: zone, Type: "NS"}]
	if len(soaSet.Values) != 1 || len(ns.Values) == 0 {
		return nil, fmt.Errorf("the zone %s has %d SOA and %d NS records of its own: want one, and at least one", zone, len(soaSet.Values), len(ns.Values))
	}
	soa, err := soaOf(soaSet.Values[0])
	if err != nil {
		return nil, err
	}
	z := &v1alpha1.DNSZone{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: "DNSZone"},
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: objectName(zone, "")},
		Spec: v1alpha1.DNSZoneSpec{
			ZoneName: zone, SOA: soa, TTL: seconds(ns.TTL), ServerSelector: metav1.LabelSelector{MatchLabels: o.Selector},
		},
	}
	z.Spec.SOA.TTL = unless(soaSet.TTL, ns.TTL)
	delete(sets, soaSet.Key)
	delete(sets, ns.Key)
	for _, host := range ns.Values {
		server := v1alpha1.NameServer{Hostname: whole(host)}
		if backend.InZone(host, zone) {
			takeGlue(&server, host, ns.TTL, sets)
		}
		z.Spec.NameServers = append(z.Spec.NameServers, server)
	}
	_, faults := content.Zone(z)
	var errs []error
	for _, f := range faults {
		errs = append(errs, fmt.Errorf("the zone %s cannot be a DNSZone: %w", zone, f))
	}
	return z, errors.Join(errs...)
}

// takeGlue gives a name server its addresses. Those of a second family that have another TTL stay records.
func takeGlue(server *v1alpha1.NameServer, host string, ttl time.Duration, sets map[backend.Key]backend.RRset) {
	a, aaaa := sets[backend.Key{Name: host, Type: "A"}], sets[backend.Key{Name: host, Type: "AAAA"}]
	if len(a.Values) > 0 {
		server.IPv4Addresses, server.TTL = a.Values, unless(a.TTL, ttl)
		delete(sets, a.Key)
	}
	if len(aaaa.Values) > 0 && (len(a.Values) == 0 || a.TTL == aaaa.TTL) {
		server.IPv6Addresses, server.TTL = aaaa.Values, unless(aaaa.TTL, ttl)
		delete(sets, aaaa.Key)
	}
}

func soaOf(value string) (v1alpha1.SOA, error) {
	soa, err := rfc2136.ParseSOA(value)
	s := v1alpha1.SOA{
		PrimaryNS: whole(soa.MName), AdminEmail: content.Email(soa.RName), Refresh: int64(soa.Refresh), Retry: int64(soa.Retry),
		Expire: int64(soa.Expire), NegativeTTL: int64(soa.Minimum),
	}
	if serial := int64(soa.Serial); serial != 0 {
		s.Serial = &serial
	}
	return s, err
}

func dnsRecord(z *v1alpha1.DNSZone, set *backend.RRset) v1alpha1.DNSRecord {
	r := v1alpha1.DNSRecord{
		TypeMeta:   metav1.TypeMeta{APIVersion: z.APIVersion, Kind: "DNSRecord"},
		ObjectMeta: metav1.ObjectMeta{Namespace: z.Namespace, Name: objectName(set.Name, set.Type)},
		Spec: v1alpha1.DNSRecordSpec{
			Zone: v1alpha1.ZoneReference{Name: z.Name}, Name: "@", Type: set.Type,
			TTL: unless(set.TTL, time.Duration(z.Spec.TTL)*time.Second),
		},
	}
	if set.Name != z.Spec.ZoneName {
		r.Spec.Name = strings.TrimSuffix(set.Name, "."+z.Spec.ZoneName)
		if backend.InZone(r.Spec.Name, z.Spec.ZoneName) {
			r.Spec.Name = set.Name + "." // relative, it would be taken for a forgotten dot
		}
	}
	for _, v := range set.Values {
		r.Spec.Values = append(r.Spec.Values, valueOf(set.Type, v))
	}
	return r
}

// valueOf is a value as a DNSRecord has it.
func valueOf(typ, value string) string {
	if typ != "TXT" {
		return data(typ, value)
	}
	if text := backend.QuoteText(value); text != `"`+value+`"` || value == "" {
		return text // what cannot stand in an object as it is, or would be taken for something else
	}
	return value
}

func keyOf(z *v1alpha1.DNSZone, r *v1alpha1.DNSRecord) backend.Key {
	name, _ := content.FQDN(z.Spec.ZoneName, r.Spec.Name) // "" where it is refused, and the fault has the name
	return backend.Key{Name: name, Type: r.Spec.Type}
}

// whole is a name that nobody takes for a part of one.
func whole(name string) string {
	if strings.Contains(name, ".") {
		return name
	}
	return name + "."
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// unless is a TTL, or nil for the usual one.
func unless(ttl, usual time.Duration) *int64 {
	if ttl == usual {
		return nil
	}
	s := seconds(ttl)
	return &s
}
