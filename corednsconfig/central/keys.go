package central

import (
	"encoding/json"
	"fmt"
	"strings"
)

// value is what CoreDNS's etcd plugin reads from a key, as far as it is needed here.
type value struct {
	Host        string `json:"host"`
	Port        int    `json:"port,omitempty"`
	Priority    int    `json:"priority,omitempty"`
	TTL         int    `json:"ttl,omitempty"`
	TargetStrip int    `json:"targetstrip,omitempty"`
	Group       string `json:"group"`
}

// NameServerTTL is the TTL, in seconds, of the zones' name servers.
const NameServerTTL = 300

// Keys are the keys that belong to the zones themselves, with their values. For every zone, and every cluster's:
//
//   - The addresses of its name servers, below dns/ns: CoreDNS answers NS from there, and SOA names ns.dns.
//   - A key below dns/apex that holds no record. CoreDNS answers the zone's own addresses from there, and if
//     nothing stands there it gives those of every name in the zone.
//   - A guard of the zone's name, of dns, and of each name between a cluster's zone and the base domain. Its
//     group is the name's own and it holds nothing, so that the name is not answered with what stands below it.
//
// A cluster's webhook reads them as records that are not its own, and leaves them alone.
func (l Landscape) Keys() map[string]string {
	keys := map[string]string{}
	for _, zone := range l.allZones() {
		dir := l.keyPath(zone)
		keys[dir+"/$"] = guard(zone, 1)
		keys[dir+"/dns/$"] = guard("dns."+zone, 1)
		keys[dir+"/dns/apex/$"] = guard(zone, 3)
		for i, addr := range l.NameServers {
			keys[fmt.Sprintf("%s%s%d", dir, nameServers, i+1)] = encode(value{
				Host: addr.Unmap().String(), TTL: NameServerTTL, Group: "ns.dns." + zone,
			})
		}
		for name := parent(zone); l.within(name); name = parent(name) {
			keys[l.keyPath(name)+"/$"] = guard(name, 1)
		}
	}
	return keys
}

// nameServers is where, below a zone's path, its name servers stand as ns1, ns2 and so on.
const nameServers = "/dns/ns/ns"

// guard is the value of a key that answers nothing: CoreDNS leaves an alias of a name to itself out of
// answers about addresses and texts, and port -1 out of those about services.
func guard(name string, strip int) string {
	return encode(value{Host: name, Port: -1, Priority: -1, TargetStrip: strip, Group: name})
}

func encode(v value) string {
	b, _ := json.Marshal(v) // strings and numbers cannot fail
	return string(b)
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// within reports whether the name is that of a base domain or lies in one.
func (l Landscape) within(name string) bool {
	for _, zone := range l.Zones {
		if inZone(name, zone) {
			return true
		}
	}
	return false
}
