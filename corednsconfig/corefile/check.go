package corefile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Rules are what Check holds a Corefile against.
type Rules struct {
	// Want are the forwards that must be in the file, on the port and bind of its default block.
	Want []Forward
	// Site has the version, and the port and bind for a file without a default block of its own.
	Site Site
	// ClusterDNS are the addresses of this cluster's own DNS: the Service, node-local caches, the pods.
	ClusterDNS []netip.Addr
	// ClusterDomain is the cluster's domain, if known; the zones of the kubernetes plugin count besides.
	ClusterDomain string
	// Plugins are known to be in this cluster's CoreDNS besides those of the release.
	Plugins []string
	// Migration: kubeadm or Cluster API may migrate this Corefile, so what they would do to our blocks counts.
	Migration bool
}

// Check is the static gate: all that can be known to be wrong with a Corefile before a CoreDNS reads it. The error joins
// one *Fault per finding (see [Faults]); nil means that nothing was found, not that CoreDNS will load it: names of
// interfaces, certificates, zone files and API servers are known only there.
func Check(src []byte, p Process, rules Rules) error {
	f, err := Parse(src, p)
	if err != nil {
		return err
	}
	want, err := settle(rules.Want)
	if err != nil {
		return err
	}
	c := &checker{file: f, rules: rules, want: want}
	if f.broken != nil {
		c.faults = append(c.faults, f.broken)
	}
	c.duplicates()
	c.directives()
	c.own()
	c.clusterNames()
	c.loops()
	if rules.Migration {
		c.migration(src)
	}
	return errors.Join(c.faults...)
}

type checker struct {
	file   *File
	rules  Rules
	want   []Forward
	faults []error
}

func (c *checker) add(b Block, r Reason, format string, args ...any) {
	c.faults = append(c.faults, &Fault{File: b.File, Line: b.Line, Reason: r, Ours: b.mine() || r == UserZone, Text: fmt.Sprintf(format, args...)})
}

// addOurs is for findings about a wish that is in no block.
func (c *checker) addOurs(r Reason, format string, args ...any) {
	c.faults = append(c.faults, &Fault{Reason: r, Ours: true, Text: fmt.Sprintf(format, args...)})
}

func (b Block) mine() bool { return b.Ours || b.Altered }

// duplicates finds what CoreDNS calls "already defined" and "zone overlap listener capacity": a key served twice on one
// address, or once on one address and once on all. A block with a view may share.
func (c *checker) duplicates() {
	type listener struct {
		Key
		address string
	}
	first := map[listener]Block{} // by exact address; "" is all
	bound := map[Key]Block{}      // the first with any address
	for _, b := range c.file.blocks {
		addresses := b.Bind
		if len(addresses) == 0 {
			addresses = []string{""}
		}
		for _, k := range b.Keys {
			if k.Port == 0 {
				continue
			}
			for _, a := range addresses {
				other, taken := first[listener{k, a}]
				if !taken && a == "" {
					other, taken = bound[k]
				}
				if !taken && a != "" {
					other, taken = first[listener{k, ""}]
				}
				if taken {
					c.faults = append(c.faults, &Fault{
						File: b.File, Line: b.Line, Reason: Duplicate, Ours: b.mine() || other.mine(),
						Text: fmt.Sprintf("%s is already served by the block of line %d; CoreDNS does not start", k, other.Line),
					})
					continue
				}
				if slices.Contains(b.Plugins, "view") {
					continue
				}
				first[listener{k, a}] = b
				if _, there := bound[k]; !there {
					bound[k] = b
				}
			}
		}
	}
}

// directives looks at every plugin with its arguments and options.
func (c *checker) directives() {
	v := c.rules.Site.Version
	known, knownOptions := directives(), options()
	for i, s := range c.file.servers {
		ours := c.file.blocks[i].mine()
		seen := map[string]bool{}
		for _, d := range s.directives {
			add := func(r Reason, format string, args ...any) {
				c.faults = append(c.faults, directiveFault(d, ours, r, format, args...))
			}
			if !slices.Contains(c.rules.Plugins, d.name) {
				release, ok := known[d.name]
				if !ok {
					add(Plugin, "CoreDNS has no plugin of this name")
					continue
				}
				if why := release.why(v); why != "" {
					add(Plugin, "%s", why)
					continue
				}
			}
			if seen[d.name] && onlyOnce(d.name, v) {
				add(Option, "stands twice in this block, CoreDNS takes it once")
			}
			seen[d.name] = true
			if i := slices.IndexFunc(d.tokens, func(t token) bool { return t.text == "{" }); i > 0 && !d.tokens[i].follows(d.tokens[i-1]) {
				add(Option, "its opening brace stands on the next line, where the plugin does not look for it")
			}
			if fault := argumentFault(d, v); fault != "" {
				add(Option, "%s", fault)
			}
			allowed, looked := knownOptions[d.name]
			if !looked {
				continue
			}
			for _, line := range d.options() {
				c.option(d, ours, words(line), line[0], allowed)
			}
		}
	}
}

func (c *checker) option(d directive, ours bool, line []string, at token, allowed map[string]span) {
	add := func(format string, args ...any) {
		f := directiveFault(d, ours, Option, format, args...)
		f.Line, f.File = at.line, at.file
		c.faults = append(c.faults, f)
	}
	if line[0] == "import" || isOpenReference(line[0]) {
		return
	}
	release, ok := allowed[line[0]]
	if !ok {
		add("has no option %q", line[0])
		return
	}
	if why := release.why(c.rules.Site.Version); why != "" {
		add("option %s %s", line[0], why)
		return
	}
	if fault := optionFault(d.name, line, c.rules.Site.Version); fault != "" {
		add("option %s: %s", line[0], fault)
	}
}

// own holds our blocks against the default block, and the wishes against our blocks.
func (c *checker) own() {
	site, err := c.file.Site()
	if err != nil {
		site = c.rules.Site
		if site.Port == 0 && len(c.want) > 0 {
			c.addOurs(NoDefault, "%v", err)
		}
	}
	served := map[string]bool{}
	zones := zonesOf(c.want)
	for _, b := range c.file.blocks {
		wanted := ""
		port := false
		for _, k := range b.Keys {
			if k.Transport != "dns" {
				continue
			}
			port = port || k.Port == site.Port
			if slices.Contains(zones, k.Zone) {
				wanted = k.Zone
				served[k.Zone] = served[k.Zone] || k.Port == site.Port
			}
		}
		mine := b.mine()
		switch {
		case !mine && wanted == "" || site.Port == 0:
			continue
		case !mine && port:
			c.add(b, UserZone, "zone %q is served by a block that is not ours: take the block or the zone away", wanted)
			continue
		case !mine:
			continue // another listener of the user's
		case b.Altered:
			c.add(b, Altered, "this block carries our mark but was changed by somebody else")
		}
		if !port {
			c.add(b, Port, "the block listens on port %d, the default block on %d: it would load and never be asked", b.Keys[0].Port, site.Port)
			for _, k := range b.Keys {
				served[k.Zone] = true // said already
			}
		}
		if !sameSet(b.Bind, site.Bind) {
			c.add(b, Bind, "the block is bound to [%s], the default block to [%s]: it would load and never be asked", strings.Join(b.Bind, " "), strings.Join(site.Bind, " "))
		}
	}
	for _, zone := range zones {
		if !served[zone] {
			c.addOurs(Missing, "zone %q is in no block of this file", zone)
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// clusterNames finds zones that would take the cluster's own names away from it.
func (c *checker) clusterNames() {
	domains := c.file.ClusterDomains()
	if domain := canonical(c.rules.ClusterDomain); domain != "" && !slices.Contains(domains, domain) {
		domains = append(domains, domain)
	}
	var reverse []string
	for _, addr := range c.rules.ClusterDNS {
		if name, err := dns.ReverseAddr(addr.Unmap().WithZone("").String()); err == nil {
			reverse = append(reverse, canonical(name))
		}
	}
	c.eachOwnZone(func(zone string, add func(Reason, string, ...any)) {
		for _, domain := range domains {
			if how := overlap(zone, domain); how != "" {
				add(ClusterDomain, "zone %q %s", zone, how)
			}
		}
		for _, name := range reverse {
			if zone == name || strings.HasSuffix(name, "."+zone) {
				add(ClusterDomain, "zone %q holds the reverse name of the cluster's own DNS, %s", zone, name)
				return
			}
		}
	})
}

// eachOwnZone calls f for every zone of our blocks, and every wanted zone that is in none.
func (c *checker) eachOwnZone(f func(zone string, add func(Reason, string, ...any))) {
	done := map[string]bool{}
	for _, b := range c.file.blocks {
		if !b.mine() {
			continue
		}
		for _, k := range b.Keys {
			done[k.Zone] = true
			f(k.Zone, func(r Reason, format string, args ...any) { c.add(b, r, format, args...) })
		}
	}
	for _, zone := range zonesOf(c.want) {
		if !done[zone] {
			f(zone, c.addOurs)
		}
	}
}

// loops finds upstreams that lead back to this cluster's DNS.
func (c *checker) loops() {
	for i, s := range c.file.servers {
		b := c.file.blocks[i]
		if !b.mine() {
			continue
		}
		for _, d := range s.directives {
			if d.name != "forward" {
				continue
			}
			args := d.args()
			for _, text := range args[min(1, len(args)):] {
				u, err := parseUpstream(text)
				if err != nil {
					continue // said among the arguments
				}
				if why := c.loop(u); why != "" {
					c.faults = append(c.faults, directiveFault(d, true, Loop, "upstream %s is %s: queries would go in circles", text, why))
				}
			}
		}
	}
	for _, f := range c.want {
		for _, u := range f.Upstreams {
			if why := c.loop(u); why != "" && !c.said(u) {
				c.addOurs(Loop, "upstream %s is %s: queries would go in circles", upstreamText([]netip.AddrPort{u}), why)
			}
		}
	}
}

// said reports whether a block of ours forwards to u, so that it has been looked at there.
func (c *checker) said(u netip.AddrPort) bool {
	for i, s := range c.file.servers {
		for _, d := range s.directives {
			if c.file.blocks[i].mine() && d.name == "forward" && slices.ContainsFunc(d.args(), func(text string) bool {
				other, err := parseUpstream(text)
				return err == nil && other == u
			}) {
				return true
			}
		}
	}
	return false
}

func (c *checker) loop(u netip.AddrPort) string {
	addr := u.Addr().Unmap()
	if slices.ContainsFunc(c.rules.ClusterDNS, func(own netip.Addr) bool { return own.Unmap() == addr }) {
		return "this cluster's own DNS"
	}
	for _, b := range c.file.blocks {
		for _, k := range b.Keys {
			if k.Port != int(u.Port()) {
				continue
			}
			if addr.IsLoopback() && len(b.Bind) == 0 {
				return "this CoreDNS itself"
			}
			if slices.ContainsFunc(b.Bind, func(text string) bool { own, err := netip.ParseAddr(text); return err == nil && own.Unmap() == addr }) {
				return "an address this CoreDNS listens on"
			}
		}
	}
	return ""
}
