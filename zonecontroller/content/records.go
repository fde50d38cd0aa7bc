package content

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// Wanted is what DNSRecords ask for in a zone.
type Wanted struct {
	// Sets are the RRsets, by name and type in order. None of them is the zone's own (see Zone).
	Sets []backend.RRset
	// Of are the objects that an RRset is made of, the oldest first.
	Of map[backend.Key][]types.NamespacedName
	// Delegated are the RRsets, also of those of Zone, that servers hand out without authority, in referrals: NS records
	// below the zone's apex and the addresses at and below those names. No server answers them with the AA bit.
	Delegated map[backend.Key]bool
}

// Records is what of all DNSRecords belongs to the zone, and what is wrong with those that do and cannot be used. Objects
// that refer to another zone, and those that are being deleted, count for nothing.
func Records(z *v1alpha1.DNSZone, recs []v1alpha1.DNSRecord) (Wanted, map[types.NamespacedName]Fault) {
	faults := map[types.NamespacedName]Fault{}
	own, zoneFaults := Zone(z)
	if len(zoneFaults) > 0 {
		return Wanted{}, faults // there is nothing to put records in
	}
	var mine []*v1alpha1.DNSRecord
	for i := range recs {
		if r := &recs[i]; r.DeletionTimestamp == nil && ZoneOf(r) == idOf(z) {
			mine = append(mine, r)
		}
	}
	slices.SortFunc(mine, func(a, b *v1alpha1.DNSRecord) int { return Older(a, b) })
	a := newAdmission(own, len(mine))
	for _, r := range mine {
		e, f := a.read(z, r)
		if f == nil {
			f = a.admit(e)
		}
		if f != nil {
			faults[idOf(r)] = *f
		}
	}
	return a.wanted(), faults
}

// ZoneOf is the DNSZone that a DNSRecord refers to.
func ZoneOf(r *v1alpha1.DNSRecord) types.NamespacedName {
	id := types.NamespacedName{Namespace: r.Spec.Zone.Namespace, Name: r.Spec.Zone.Name}
	if id.Namespace == "" {
		id.Namespace = r.Namespace
	}
	return id
}

// entry is a DNSRecord that is right in itself.
type entry struct {
	id      types.NamespacedName
	key     backend.Key
	ttl     time.Duration
	values  []string
	targets []string // names that values of MX, NS and SRV point to
}

// read judges an object by itself.
func (a *admission) read(z *v1alpha1.DNSZone, r *v1alpha1.DNSRecord) (*entry, *Fault) {
	if !Allows(z.Namespace, z.Spec.RecordNamespaces, r.Namespace) {
		return nil, fault(v1alpha1.ReasonNamespaceNotAllowed, "spec.zone",
			"DNSZone %s does not take DNSRecords of the namespace %q: want it in its spec.recordNamespaces", idOf(z), r.Namespace)
	}
	invalid := func(field string, err error) (*entry, *Fault) {
		return nil, fault(v1alpha1.ReasonInvalid, field, "%v", err)
	}
	typ := strings.ToUpper(r.Spec.Type)
	name, err := fqdn(a.zone, r.Spec.Name)
	if err != nil {
		if o := (*outside)(nil); errors.As(err, &o) {
			return nil, fault(v1alpha1.ReasonOutsideZone, "spec.name", "%v", err)
		}
		return invalid("spec.name", err)
	}
	e := &entry{id: idOf(r), key: backend.Key{Name: name, Type: typ}, ttl: a.ttl}
	if r.Spec.TTL != nil {
		var faults []Fault
		if e.ttl = checkTTL("spec.ttl", *r.Spec.TTL, &faults); len(faults) > 0 {
			return nil, &faults[0]
		}
	}
	if len(r.Spec.Values) == 0 {
		return invalid("spec.values", errors.New("want at least one value"))
	}
	for i, text := range r.Spec.Values {
		value, target, err := Value(typ, text)
		if err != nil {
			return invalid(fmt.Sprintf("spec.values[%d]", i), err)
		}
		e.values = append(e.values, value)
		if typ == "MX" || typ == "NS" || typ == "SRV" {
			e.targets = append(e.targets, target)
		}
	}
	slices.Sort(e.values)
	e.values = slices.Compact(e.values)
	switch {
	case typ == "CNAME" && len(e.values) > 1:
		return invalid("spec.values", fmt.Errorf("%d names: want one, a CNAME has no more (RFC 1034 §3.6.2)", len(e.values)))
	case typ == "NS" && name[0] == '*':
		return invalid("spec.name", fmt.Errorf("%q: want no wildcard, it cannot be delegated (RFC 4592 §4.2)", r.Spec.Name))
	}
	return e, nil
}

// Allows reports whether objects of the namespace other may use an object in the namespace own that lists namespaces.
func Allows(own string, listed []string, other string) bool {
	return own == other || slices.Contains(listed, other) || slices.Contains(listed, "*")
}
