package zonefile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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
// the others (or several, where one holds too few values), named by its name and type. What they mean is exactly the
// RRsets but those left; it is an error where the zone's own cannot be meant by a DNSZone.
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
	for _, key := range slices.SortedFunc(maps.Keys(rest), compareKeys) {
		set := rest[key]
		if owner := owned(key); owner != nil {
			left = append(left, Left{key, owner.Error()})
			continue
		}
		if !slices.Contains(content.Types(), key.Type) {
			left = append(left, Left{key, "there are no DNSRecords of the type"})
			continue
		}
		recs = append(recs, dnsRecords(z, &set)...)
	}
	refused := judge(z, recs, rest)
	recs = slices.DeleteFunc(recs, func(r v1alpha1.DNSRecord) bool { return refused[keyOf(z, &r)] != "" })
	for key, why := range refused {
		left = append(left, Left{key, why})
	}
	slices.SortFunc(left, func(a, b Left) int { return compareKeys(a.Key, b.Key) })
	return z, recs, left, nil
}

// judge tells of which RRsets the records would be refused, or would not mean what stands, and why.
func judge(z *v1alpha1.DNSZone, recs []v1alpha1.DNSRecord, sets map[backend.Key]backend.RRset) map[backend.Key]string {
	refused := map[backend.Key]string{}
	wanted, faults := content.Records(z, recs)
	means := make(map[backend.Key]backend.RRset, len(wanted.Sets))
	for _, set := range wanted.Sets {
		means[set.Key] = set
	}
	for i := range recs {
		r := &recs[i]
		key := keyOf(z, r)
		set, want := means[key], sets[key]
		switch f, ok := faults[types.NamespacedName{Namespace: r.Namespace, Name: r.Name}]; {
		case ok:
			refused[key] = f.Error()
		case slices.ContainsFunc(r.Spec.Values, func(v string) bool { return len(v) > v1alpha1.MaxValueLength }):
			refused[key] = fmt.Sprintf("a value has more than %d characters", v1alpha1.MaxValueLength)
		case !set.Same(&want) || set.TTL != want.TTL:
			refused[key] = fmt.Sprintf("DNSRecords would mean %q with a TTL of %s", set.Values, set.TTL)
		}
	}
	return refused
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
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: objectName(zone, "", 1)},
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

// dnsRecords are as many as there have to be for the values of an RRset.
func dnsRecords(z *v1alpha1.DNSZone, set *backend.RRset) []v1alpha1.DNSRecord {
	name := "@"
	if set.Name != z.Spec.ZoneName {
		name = strings.TrimSuffix(set.Name, "."+z.Spec.ZoneName)
		if backend.InZone(name, z.Spec.ZoneName) {
			name = set.Name + "." // relative, it would be taken for a forgotten dot
		}
	}
	var recs []v1alpha1.DNSRecord
	for part := range slices.Chunk(set.Values, v1alpha1.MaxValues) {
		r := v1alpha1.DNSRecord{
			TypeMeta:   metav1.TypeMeta{APIVersion: z.APIVersion, Kind: "DNSRecord"},
			ObjectMeta: metav1.ObjectMeta{Namespace: z.Namespace, Name: objectName(set.Name, set.Type, len(recs)+1)},
			Spec: v1alpha1.DNSRecordSpec{
				Zone: v1alpha1.ZoneReference{Name: z.Name}, Name: name, Type: set.Type,
				TTL: unless(set.TTL, time.Duration(z.Spec.TTL)*time.Second),
			},
		}
		for _, v := range part {
			r.Spec.Values = append(r.Spec.Values, valueOf(set.Type, v))
		}
		recs = append(recs, r)
	}
	return recs
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

// keyOf is the RRset that a record made here came of.
func keyOf(z *v1alpha1.DNSZone, r *v1alpha1.DNSRecord) backend.Key {
	name := r.Spec.Name
	switch {
	case name == "@":
		name = z.Spec.ZoneName
	case !strings.HasSuffix(name, "."):
		name += "." + z.Spec.ZoneName
	}
	return backend.Key{Name: strings.TrimSuffix(name, "."), Type: r.Spec.Type}
}

func compareKeys(a, b backend.Key) int {
	return cmp.Or(compareNames(a.Name, b.Name), strings.Compare(a.Type, b.Type))
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
