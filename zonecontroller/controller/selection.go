package controller

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// chosen are the servers of a zone.
type chosen struct {
	servers   []*v1alpha1.DNSServer // by name, those that are being deleted left out
	forbidden []string              // selected, but not for the zone's namespace
}

// choose finds the servers whose labels a zone's selector matches and that allow its namespace. An empty selector finds
// none: a zone that went everywhere because of a forgotten line would be the worse mistake.
func choose(z *v1alpha1.DNSZone, servers []v1alpha1.DNSServer) (chosen, error) {
	var c chosen
	if len(z.Spec.ServerSelector.MatchLabels)+len(z.Spec.ServerSelector.MatchExpressions) == 0 {
		return c, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(&z.Spec.ServerSelector)
	if err != nil {
		return c, fmt.Errorf("spec.serverSelector: %w", err)
	}
	for i := range servers {
		s := &servers[i]
		switch {
		case s.DeletionTimestamp != nil || !selector.Matches(labels.Set(s.Labels)):
		case !content.Allows(s.Namespace, s.Spec.AllowedNamespaces, z.Namespace):
			c.forbidden = append(c.forbidden, keyOf(s).String())
		default:
			c.servers = append(c.servers, s)
		}
	}
	slices.SortFunc(c.servers, func(a, b *v1alpha1.DNSServer) int { return strings.Compare(keyOf(a).String(), keyOf(b).String()) })
	slices.Sort(c.forbidden)
	return c, nil
}

func (c chosen) has(server types.NamespacedName) bool {
	return slices.ContainsFunc(c.servers, func(s *v1alpha1.DNSServer) bool { return keyOf(s) == server })
}

// rival is the oldest of the zones that have the zone's name and one of its servers and are older than it; nil when there
// is none. Zones of one name on servers of their own are none of each other's business: that is how a name is answered
// differently inside and outside. One that is being deleted has its servers until they let go of it.
func rival(z *v1alpha1.DNSZone, c chosen, zones []v1alpha1.DNSZone, servers []v1alpha1.DNSServer) *v1alpha1.DNSZone {
	var oldest *v1alpha1.DNSZone
	for i := range zones {
		o := &zones[i]
		if o.UID == z.UID || o.Spec.ZoneName != z.Spec.ZoneName || content.Older(o, z) >= 0 || oldest != nil && content.Older(oldest, o) < 0 {
			continue
		}
		theirs, err := choose(o, servers)
		if err != nil {
			continue // it has no servers
		}
		for _, s := range c.servers {
			held := o.DeletionTimestamp == nil && theirs.has(keyOf(s))
			if held || holds(o, keyOf(s)) {
				oldest = o
				break
			}
		}
	}
	return oldest
}

// keyOf is the name of an object.
func keyOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// holds says whether a zone's status lists a server.
func holds(z *v1alpha1.DNSZone, server types.NamespacedName) bool {
	name := server.String()
	return slices.ContainsFunc(z.Status.Servers, func(s v1alpha1.ZoneServer) bool { return s.Name == name })
}
