// Package central owns what the central DNS of a landscape is made of: the Corefile of its CoreDNS, the users
// of its etcd with their rights, and the keys in etcd that belong to the zones themselves and to no cluster.
//
// All of it follows from a Landscape and is data; Apply and Seed bring it to an etcd.
package central

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Landscape is one set of clusters that resolve each other's names by one central DNS.
type Landscape struct {
	// Path is where all keys of the landscape stand in etcd, one segment: "/skydns". Landscapes that share
	// an etcd have one each. CoreDNS derives names from keys by cutting off one segment, so it cannot be more.
	Path string `yaml:"path"`
	// Zones are the base domains CoreDNS answers for, "openmcp.cluster" for example, and trees of addresses,
	// "18.172.in-addr.arpa"; in lower case, without a dot at the end.
	Zones []string `yaml:"zones"`
	// Clusters are those that publish names, each in zones of its own.
	Clusters []Cluster `yaml:"clusters"`
	// NameServers are the addresses at which the central DNS is reached. They become the NS records of every
	// zone; without any a question for those is answered NXDOMAIN.
	NameServers []netip.Addr `yaml:"nameServers"`
}

// Cluster is one cluster that publishes names.
type Cluster struct {
	// Name is a DNS label, and part of the name of the cluster's user in etcd.
	Name string `yaml:"name"`
	// Zones are those that the cluster's webhook serves; empty means <name>.<zone> for each of the
	// landscape's zones that is no tree of addresses. No other cluster's zone may be the same, or below.
	Zones []string `yaml:"zones"`
}

// ZonesOf are the zones of a cluster of the landscape.
func (l Landscape) ZonesOf(c Cluster) []string {
	if len(c.Zones) > 0 {
		return c.Zones
	}
	var zones []string
	for _, zone := range l.Zones {
		if !reverse(zone) {
			zones = append(zones, c.Name+"."+zone)
		}
	}
	return zones
}

// allZones are the base domains and below them the clusters' zones, each once.
func (l Landscape) allZones() []string {
	zones := slices.Clone(l.Zones)
	for _, c := range l.Clusters {
		for _, zone := range l.ZonesOf(c) {
			if !slices.Contains(zones, zone) {
				zones = append(zones, zone)
			}
		}
	}
	return zones
}

// Validate reports every mistake, each with the field, its value and what would be right.
func (l Landscape) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, fmt.Errorf("%s is %q: want %s", field, value, want))
	}
	if !pathPattern().MatchString(l.Path) {
		wrong("path", l.Path, "one segment of lower-case letters, digits, - and _, for example /skydns: CoreDNS cuts off exactly one to get a name")
	}
	if len(l.Zones) == 0 {
		wrong("zones", "", "at least one base domain, for example openmcp.cluster")
	}
	for i, zone := range l.Zones {
		field := fmt.Sprintf("zones[%d]", i)
		if !isZone(zone) {
			wrong(field, zone, wantZone)
		}
		for _, other := range l.Zones[:i] {
			if inZone(zone, other) || inZone(other, zone) {
				wrong(field, zone, fmt.Sprintf("a zone that neither contains %s nor lies in it; what lies in it is a cluster's", other))
			}
		}
	}
	for i, a := range l.NameServers {
		if !a.IsValid() || a.IsUnspecified() || a.Zone() != "" {
			wrong(fmt.Sprintf("nameServers[%d]", i), a.String(), "an address at which the clusters reach the central DNS")
		}
	}
	return errors.Join(append(errs, l.validateClusters()...)...)
}

func (l Landscape) validateClusters() (errs []error) {
	wrong := func(field, value, want string) {
		errs = append(errs, fmt.Errorf("%s is %q: want %s", field, value, want))
	}
	type owned struct{ zone, by string }
	var taken []owned
	for i, c := range l.Clusters {
		field := fmt.Sprintf("clusters[%d]", i)
		if !labelPattern().MatchString(c.Name) {
			wrong(field+".name", c.Name, "a DNS label: at most 63 lower-case letters, digits and -, for example workload01")
			continue
		}
		if slices.ContainsFunc(l.Clusters[:i], func(o Cluster) bool { return o.Name == c.Name }) {
			wrong(field+".name", c.Name, "a name that no other cluster has")
			continue
		}
		for j, zone := range l.ZonesOf(c) {
			field := fmt.Sprintf("%s.zones[%d]", field, j)
			switch {
			case !isZone(zone):
				wrong(field, zone, wantZone)
				continue
			case !slices.ContainsFunc(l.Zones, func(base string) bool { return zone != base && inZone(zone, base) }):
				wrong(field, zone, "a zone below one of "+strings.Join(l.Zones, ", "))
				continue
			}
			for _, o := range taken {
				if inZone(zone, o.zone) || inZone(o.zone, zone) {
					wrong(field, zone, fmt.Sprintf("a zone that neither contains %s of cluster %s nor lies in it: who may write a zone may write all below", o.zone, o.by))
				}
			}
			taken = append(taken, owned{zone, c.Name})
		}
	}
	return errs
}

const wantZone = "a domain name in lower case without a dot at its end, of letters, digits, - and _, and no label any, for example openmcp.cluster"

func pathPattern() *regexp.Regexp  { return regexp.MustCompile(`^/[a-z0-9_-]+$`) }
func labelPattern() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) }

// isZone reports whether the name can be a zone here. CoreDNS takes the label any for a wildcard.
func isZone(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label == "any" || label == WildcardLabel {
			return false
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func inZone(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// reverse reports whether the zone is one of the trees of addresses, where keys hold PTR records.
func reverse(zone string) bool { return inZone(zone, "in-addr.arpa") || inZone(zone, "ip6.arpa") }

// keyPath is the key of a name: "/skydns/cluster/openmcp/c1".
func (l Landscape) keyPath(name string) string {
	labels := strings.Split(name, ".")
	slices.Reverse(labels)
	return l.Path + "/" + strings.Join(labels, "/")
}
