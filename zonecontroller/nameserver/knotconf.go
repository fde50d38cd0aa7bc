package nameserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

// knotConf is a zone's configuration on Knot: what is set, in the order it is set. Everything beside the
// zone has an identifier that begins with the zone's own.
type knotConf struct {
	id    string      // begins the identifiers
	zone  string      // "zone[example.org]"
	items [][2]string // of the zone: item and values, separated by blanks
	other [][]string  // commands that set what the items refer to
}

// knotMark begins the comment of every zone that is ours; the rest says what it was set to.
const knotMark = "spokedns:"

func knotID(zone string) string {
	sum := sha256.Sum256([]byte(zone))
	return "spokedns-" + hex.EncodeToString(sum[:8])
}

// knotSeed is the remote that a zone fetches its first content from.
func knotSeed(id string) string { return id + "-seed" }

// knotConfigured is the zone as it should stay.
func knotConfigured(file string, z ZoneConfig, role v1alpha1.Role, key keyfile.Key, p peers) knotConf {
	c := knotConf{id: knotID(z.Zone), zone: "zone[" + z.Zone + "]"}
	set := func(args ...string) { c.other = append(c.other, append([]string{"conf-set"}, args...)) }
	remotes := func(kind string, all []peer) string {
		var ids []string
		for i, r := range all {
			id := fmt.Sprintf("%s-%s%d", c.id, kind, i)
			set("remote[" + id + "]")
			set("remote["+id+"].address", knotAddr(r.addr))
			if r.key != "" {
				set("remote["+id+"].key", r.key)
			}
			ids = append(ids, id)
		}
		return strings.Join(ids, " ")
	}
	var acls []string
	if key.Name != "" {
		id := c.id + "-key"
		set("acl[" + id + "]")
		set("acl["+id+"].key", key.Name)
		if role == v1alpha1.Primary {
			set("acl["+id+"].action", "transfer", "update")
		} else {
			set("acl["+id+"].action", "transfer")
		}
		acls = append(acls, id)
	}
	if len(p.allowTransfer) > 0 {
		id := c.id + "-hosts"
		set("acl[" + id + "]")
		addresses := []string{"acl[" + id + "].address"}
		for _, a := range p.allowTransfer {
			addresses = append(addresses, a.String())
		}
		set(addresses...)
		set("acl["+id+"].action", "transfer")
		acls = append(acls, id)
	}
	add := func(item, value string) {
		if value != "" {
			c.items = append(c.items, [2]string{item, value})
		}
	}
	add("file", file)
	add("acl", strings.Join(acls, " "))
	add("notify", remotes("n", p.alsoNotify))
	if role == v1alpha1.Secondary {
		// Only of ours: a primary tells us, and who else does is not asked for.
		id := c.id + "-told"
		set("acl[" + id + "]")
		told := []string{"acl[" + id + "].address"}
		for _, r := range p.primaries {
			told = append(told, r.addr.Addr().String())
		}
		set(told...)
		set("acl["+id+"].action", "notify")
		for i := range c.items {
			if c.items[i][0] == "acl" {
				c.items[i][1] += " " + id
			}
		}
		if len(acls) == 0 {
			add("acl", id)
		}
		add("master", remotes("p", p.primaries))
	}
	if z.DNSSECPolicy != "" {
		add("dnssec-signing", "on")
		if z.DNSSECPolicy != "default" {
			add("dnssec-policy", z.DNSSECPolicy)
		}
	}
	sum := sha256.Sum256(fmt.Append(nil, c.items, c.other))
	add("comment", knotMark+hex.EncodeToString(sum[:8]))
	return c
}

func knotAddr(a netip.AddrPort) string { return fmt.Sprintf("%s@%d", a.Addr(), a.Port()) }

// same reports whether the zone's section is as wished. What its identifiers refer to is in the comment.
func (c knotConf) same(section map[string][]string) bool {
	if len(section) != len(c.items) {
		return false
	}
	for _, i := range c.items {
		if !slices.Equal(section[i[0]], strings.Fields(i[1])) {
			return false
		}
	}
	return true
}

// commands turn what stands into what is wished: the identifiers that there are begin with the zone's.
func (c knotConf) commands(section map[string][]string, remotes, acls []string) [][]string {
	out := knotUnset(section, c.zone, remotes, acls)
	out = append(out, c.other...)
	if section == nil {
		out = append(out, []string{"conf-set", c.zone})
	}
	for _, i := range c.items {
		out = append(out, append([]string{"conf-set", c.zone + "." + i[0]}, strings.Fields(i[1])...))
	}
	return out
}

// knotUnset takes away a zone's items, and what they refer to.
func knotUnset(section map[string][]string, zone string, remotes, acls []string) [][]string {
	var out [][]string
	for item := range section {
		out = append(out, []string{"conf-unset", zone + "." + item})
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
	for _, id := range acls {
		out = append(out, []string{"conf-unset", "acl[" + id + "]"})
	}
	for _, id := range remotes {
		out = append(out, []string{"conf-unset", "remote[" + id + "]"})
	}
	return out
}
