package content

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// admission takes entries one after the other, each only if it goes with all that were taken before.
type admission struct {
	zone string
	ttl  time.Duration
	own  map[backend.Key]bool // SOA, NS and glue
	sets map[backend.Key]*rrset

	at       map[string][]*entry // what stands at a name or below it, for all names but the zone's
	first    map[string]*entry   // the oldest at a name: either a CNAME, or something that cannot be beside one
	pointed  map[string]*entry   // the oldest MX, NS or SRV that points to a name
	referral map[string][]string // delegated names, with the names of their servers
}

// rrset is an RRset while it is put together.
type rrset struct {
	ttl    time.Duration
	size   int // bytes of the values
	values []string
	of     []types.NamespacedName
}

// newAdmission begins with what Zone returned, and expects as many entries as are said.
func newAdmission(own []backend.RRset, entries int) *admission {
	a := &admission{
		own: map[backend.Key]bool{}, sets: make(map[backend.Key]*rrset, entries),
		at: make(map[string][]*entry, entries), first: make(map[string]*entry, entries),
		pointed: map[string]*entry{}, referral: map[string][]string{},
	}
	for _, set := range own {
		a.own[set.Key] = true
		if set.Type == "NS" {
			a.zone, a.ttl = set.Name, set.TTL
		}
	}
	return a
}

// admit takes an entry, or says what stands against it.
func (a *admission) admit(e *entry) *Fault {
	for _, check := range []func(*entry) *Fault{a.checkOwn, a.checkAlone, a.checkTargets, a.checkDelegated, a.checkDelegation, a.checkSize} {
		if f := check(e); f != nil {
			return f
		}
	}
	set := a.sets[e.key]
	if set == nil {
		set = &rrset{ttl: e.ttl}
		a.sets[e.key] = set
	}
	set.ttl = min(set.ttl, e.ttl)
	set.of = append(set.of, e.id)
	for _, v := range e.values {
		if !slices.Contains(set.values, v) {
			set.values, set.size = append(set.values, v), set.size+len(v)
		}
	}
	if a.first[e.key.Name] == nil {
		a.first[e.key.Name] = e
	}
	for name := range upward(e.key.Name, a.zone) {
		a.at[name] = append(a.at[name], e)
	}
	for _, target := range e.targets {
		if a.pointed[target] == nil {
			a.pointed[target] = e
		}
	}
	if e.key.Type == "NS" {
		a.referral[e.key.Name] = append(a.referral[e.key.Name], e.targets...)
	}
	return nil
}

// checkOwn keeps what the zone itself says.
func (a *admission) checkOwn(e *entry) *Fault {
	switch {
	case e.key.Name == a.zone && e.key.Type == "NS":
		return fault(v1alpha1.ReasonZonesOwn, "spec.name", "the NS records of the zone %s itself stand in the DNSZone: want them in its spec.nameServers", a.zone)
	case e.key.Name == a.zone && e.key.Type == "CNAME":
		return fault(v1alpha1.ReasonZonesOwn, "spec.name", "a CNAME cannot stand at the name of the zone %s, where its SOA and NS records are (RFC 1034 §3.6.2): want A and AAAA", a.zone)
	case a.own[e.key]:
		return fault(v1alpha1.ReasonZonesOwn, "spec.name", "%s is the address of a name server of the zone: want it in spec.nameServers of the DNSZone", e.key)
	case e.key.Type == "CNAME" && (a.own[backend.Key{Name: e.key.Name, Type: "A"}] || a.own[backend.Key{Name: e.key.Name, Type: "AAAA"}]):
		return fault(v1alpha1.ReasonZonesOwn, "spec.name", "%s is a name server of the zone with its addresses: want another name for a CNAME", e.key.Name)
	}
	return nil
}

// checkAlone keeps a CNAME and other records of a name apart.
func (a *admission) checkAlone(e *entry) *Fault {
	first := a.first[e.key.Name]
	if first == nil {
		return nil
	}
	const rule = "a CNAME stands alone at its name (RFC 1034 §3.6.2)"
	switch alias := first.key.Type == "CNAME"; {
	case alias && e.key.Type == "CNAME" && !slices.Equal(first.values, e.values):
		return fault(v1alpha1.ReasonNameTaken, "spec.values", "%s: %q of %s is older than %q of %s: want one name, a CNAME has no more", e.key, first.values[0], first.id, e.values[0], e.id)
	case alias != (e.key.Type == "CNAME"):
		return fault(v1alpha1.ReasonNameTaken, "spec.name", "%s of %s stands beside the older %s of %s, but %s: want another name, or one of the two deleted",
			e.key, e.id, first.key, first.id, rule)
	}
	return nil
}

// checkTargets keeps what MX, NS and SRV point to from being a CNAME.
func (a *admission) checkTargets(e *entry) *Fault {
	for _, target := range e.targets {
		if first := a.first[target]; first != nil && first.key.Type == "CNAME" {
			return fault(v1alpha1.ReasonTargetIsAlias, "spec.values", "%q is a CNAME by %s, and %s may not point to one (RFC 2181 §10.3): want the name it stands for, %q",
				target, first.id, e.key.Type, first.values[0])
		}
	}
	if by := a.pointed[e.key.Name]; by != nil && e.key.Type == "CNAME" {
		return fault(v1alpha1.ReasonTargetIsAlias, "spec.name", "the older %s of %s points to %s, and may not point to a CNAME (RFC 2181 §10.3): want A or AAAA here",
			by.key, by.id, e.key.Name)
	}
	return nil
}

// checkDelegated keeps names that are delegated away free of what nobody would ever be answered with.
func (a *admission) checkDelegated(e *entry) *Fault {
	for cut := range upward(e.key.Name, a.zone) {
		servers := a.referral[cut]
		if servers == nil || cut == e.key.Name && e.key.Type == "NS" || isGlue(e, servers) {
			continue
		}
		return fault(v1alpha1.ReasonDelegated, "spec.name",
			"%s is delegated by the NS records of %s, only addresses of the servers in them stand here (RFC 1034 §4.2.1): want the record in the zone %s, or all servers of the delegation in its oldest DNSRecord",
			cut, a.sets[backend.Key{Name: cut, Type: "NS"}].of[0], cut)
	}
	return nil
}

// checkDelegation keeps what stands already from being delegated away.
func (a *admission) checkDelegation(e *entry) *Fault {
	if e.key.Type != "NS" {
		return nil
	}
	servers := slices.Concat(a.referral[e.key.Name], e.targets)
	for _, there := range a.at[e.key.Name] {
		if there.key != e.key && !isGlue(there, servers) {
			return fault(v1alpha1.ReasonDelegated, "spec.name", "NS records at %s would delegate away the older %s of %s (RFC 1034 §4.2.1): want that record in the zone %s, or deleted",
				e.key.Name, there.key, there.id, e.key.Name)
		}
	}
	return nil
}

func isGlue(e *entry, servers []string) bool {
	return (e.key.Type == "A" || e.key.Type == "AAAA") && slices.Contains(servers, e.key.Name)
}

// checkSize keeps RRsets as small as messages are.
func (a *admission) checkSize(e *entry) *Fault {
	const each = 12 // bytes of a record besides its values: pointer to the name, type, class, TTL, length
	size := 0
	if set := a.sets[e.key]; set != nil {
		size = set.size + each*len(set.values)
	}
	for _, v := range e.values {
		size += each + len(v)
	}
	if size > largest {
		return fault(v1alpha1.ReasonTooLarge, "spec.values", "%s would have %d bytes of values with those of older DNSRecords: want at most %d, a DNS message holds no more", e.key, size, largest)
	}
	return nil
}

// wanted is what was taken.
func (a *admission) wanted() Wanted {
	w := Wanted{Sets: make([]backend.RRset, 0, len(a.sets)), Of: make(map[backend.Key][]types.NamespacedName, len(a.sets)), Delegated: map[backend.Key]bool{}}
	for key, set := range a.sets {
		slices.Sort(set.values)
		w.Sets = append(w.Sets, backend.RRset{Key: key, TTL: set.ttl, Values: set.values})
		w.Of[key] = set.of
		a.noteDelegated(key, w.Delegated)
	}
	for key := range a.own {
		a.noteDelegated(key, w.Delegated)
	}
	slices.SortFunc(w.Sets, func(a, b backend.RRset) int { return compareKeys(a.Key, b.Key) })
	return w
}

// noteDelegated notes an RRset at or below a delegation.
func (a *admission) noteDelegated(key backend.Key, delegated map[backend.Key]bool) {
	for cut := range upward(key.Name, a.zone) {
		if a.referral[cut] != nil {
			delegated[key] = true
		}
	}
}

func compareKeys(a, b backend.Key) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type), strings.Compare(a.SetID, b.SetID))
}
