package content

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// Servers are those of the DNSServers that a zone selects and may use, by namespace and name in order. Selectors mean what
// they mean to Kubernetes: NotIn also finds what has no such label. The Fault says why there are none.
func Servers(z *v1alpha1.DNSZone, all []v1alpha1.DNSServer) ([]*v1alpha1.DNSServer, *Fault) {
	selector, err := metav1.LabelSelectorAsSelector(&z.Spec.ServerSelector)
	if err != nil {
		return nil, fault(v1alpha1.ReasonInvalid, "spec.serverSelector", "%v: want operators In, NotIn, Exists or DoesNotExist, with values only for the first two", err)
	}
	var selected []*v1alpha1.DNSServer
	var closed []string
	for i := range all {
		s := &all[i]
		switch {
		case !selector.Matches(labels.Set(s.Labels)):
		case Allows(s.Namespace, s.Spec.AllowedNamespaces, z.Namespace):
			selected = append(selected, s)
		default:
			closed = append(closed, idOf(s).String())
		}
	}
	slices.SortFunc(selected, func(a, b *v1alpha1.DNSServer) int { return strings.Compare(idOf(a).String(), idOf(b).String()) })
	slices.Sort(closed)
	switch {
	case len(selected) > 0:
		return selected, nil
	case len(closed) > 0:
		return nil, fault(v1alpha1.ReasonNamespaceNotAllowed, "spec.serverSelector", "%s: selected, but not for zones of the namespace %q: want it in spec.allowedNamespaces of the DNSServer",
			strings.Join(closed, ", "), z.Namespace)
	}
	return nil, fault(v1alpha1.ReasonNoServers, "spec.serverSelector", "%q finds none of %d DNSServers: want labels that one of them has", selector.String(), len(all))
}

// Duplicates are the DNSZones that an older one of the same name keeps from a server that both select, with the Fault for
// each. servers are those that a zone selects (see Servers), or still has something on. DNSZones of one name on different
// servers are no duplicates. One that is being deleted keeps its place until it is gone.
func Duplicates(zones []v1alpha1.DNSZone, servers func(*v1alpha1.DNSZone) []types.NamespacedName) map[types.NamespacedName]Fault {
	byAge := make([]*v1alpha1.DNSZone, 0, len(zones))
	for i := range zones {
		byAge = append(byAge, &zones[i])
	}
	slices.SortFunc(byAge, func(a, b *v1alpha1.DNSZone) int { return Older(a, b) })
	type place struct {
		zone   string
		server types.NamespacedName
	}
	taken := map[place]types.NamespacedName{}
	lost := map[types.NamespacedName]Fault{}
	for _, z := range byAge {
		name, err := backend.Name(z.Spec.ZoneName)
		if err != nil {
			continue // Zone says so
		}
		var places []place
		for _, s := range servers(z) {
			places = append(places, place{name, s})
		}
		if i := slices.IndexFunc(places, func(p place) bool { _, ok := taken[p]; return ok }); i >= 0 {
			lost[idOf(z)] = *fault(v1alpha1.ReasonDuplicateZone, "spec.zoneName", "DNSZone %s is older and has %s on DNSServer %s: want one of the two deleted, or on other servers",
				taken[places[i]], name, places[i].server)
			continue
		}
		for _, p := range places {
			taken[p] = idOf(z)
		}
	}
	return lost
}

// Summary names the first of several faults, and how many more there are.
func Summary(faults []Fault) string {
	if len(faults) == 0 {
		return ""
	}
	if more := len(faults) - 1; more > 0 {
		return fmt.Sprintf("%v (and %d more)", faults[0], more)
	}
	return faults[0].Error()
}
