package corefile

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// rendered is one block of ours as text: lines without line ends, the mark first.
type rendered struct {
	keys    []Key
	content string
	lines   []string
}

// The options of the cache plugin by the release that brought them. An older CoreDNS does not start with them.
func cacheOptions(v Version) []string {
	options := []string{"denial 9984 5"}
	if v.AtLeast(Version{1, 9, 4}) {
		options = append(options, "servfail 1s")
	}
	switch {
	case v.AtLeast(Version{1, 14, 4}):
		// Fresh as long as the central DNS answers within 200 ms, else what was known within the last hour.
		options = append(options, "serve_stale 1h verify 200ms")
	case v.AtLeast(Version{1, 9, 3}):
		// Without a limit to the verification a dead upstream costs 4 s a query, so the old answer goes out at once; then
		// it must not be too old. Releases before this one could, but there corefile-migration takes serve_stale for unknown
		// and kubeadm upgrade stops.
		options = append(options, "serve_stale 10m immediate")
	}
	return options
}

// profiles has one version of each kind that cacheOptions tells apart, the newest first.
func profiles() []Version {
	return []Version{{1, 14, 4}, {1, 9, 4}, {1, 9, 3}, {}}
}

// render writes the block for one set of zones and upstreams.
//
// No loop plugin: it is fatal to the process, and probes the first zone only. One upstream after the other, not in turn:
// all are the same central DNS, and a dead one then costs a query only until max_fails.
func render(f Forward, site Site) rendered {
	var r rendered
	var names []string
	for _, zone := range f.Zones {
		r.keys = append(r.keys, Key{Zone: zone, Port: site.Port, Transport: "dns"})
		names = append(names, zone+":"+strconv.Itoa(site.Port))
	}
	body := []string{strings.Join(names, " ") + " {"}
	add := func(depth int, line string) { body = append(body, strings.Repeat("    ", depth)+line) }
	if len(site.Bind) > 0 {
		add(1, "bind "+quoteAll(site.Bind))
	}
	add(1, "errors")
	add(1, "cache 30 {")
	for _, o := range cacheOptions(site.Version) {
		add(2, o)
	}
	add(1, "}")
	add(1, "forward . "+upstreamText(f.Upstreams)+" {")
	add(2, "policy sequential")
	add(2, "max_fails 2")
	add(1, "}")
	if site.Prometheus != "" {
		add(1, "prometheus "+quote(site.Prometheus))
	}
	body = append(body, "}")

	p := newParser([]byte(strings.Join(body, "\n")), Process{})
	if p.parse() == nil && len(p.servers) == 1 {
		r.content = fingerprint(r.keys, p.servers[0].directives)
	}
	r.lines = append([]string{writeMark(r.content)}, body...)
	return r
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

func upstreamText(upstreams []netip.AddrPort) string {
	words := make([]string, len(upstreams))
	for i, u := range upstreams {
		words[i] = u.String()
		if u.Port() == 53 {
			words[i] = u.Addr().String()
		}
	}
	return strings.Join(words, " ")
}

// isRendered reports whether a block says exactly what render writes for some wish, some site and some version. That is how
// a block of ours is known after a migration that drops comments; an option that corefile-migration adds on its way is
// looked past.
func isRendered(keys []Key, directives []directive) bool {
	directives = slices.DeleteFunc(slices.Clone(directives), func(d directive) bool { return d.name == "loop" })
	var names []string
	for _, d := range directives {
		if d.name != "bind" && d.name != "prometheus" {
			names = append(names, d.name)
		}
	}
	if !slices.Equal(names, []string{"errors", "cache", "forward"}) {
		return false
	}
	var f Forward
	var site Site
	for i, k := range keys {
		if k.Transport != "dns" || i > 0 && k.Port != keys[0].Port {
			return false
		}
		f.Zones = append(f.Zones, k.Zone)
		site.Port = k.Port
	}
	for i, d := range directives {
		switch d.name {
		case "cache":
			v, ok := profile(d)
			if !ok {
				return false
			}
			site.Version = v
		case "bind":
			site.Bind = words(d.tokens[1:])
		case "prometheus":
			if len(d.tokens) != 2 {
				return false
			}
			site.Prometheus = d.tokens[1].text
		case "forward":
			d = withoutOption(d, "max_concurrent")
			directives[i] = d
			for _, text := range d.args()[min(1, len(d.args())):] {
				u, err := parseUpstream(text)
				if err != nil {
					return false
				}
				f.Upstreams = append(f.Upstreams, u)
			}
		}
	}
	if len(f.Upstreams) == 0 {
		return false
	}
	return render(f, site).content == fingerprint(keys, directives)
}

// profile is the kind of CoreDNS for which the cache directive d is what render writes.
func profile(d directive) (Version, bool) {
	for _, v := range profiles() {
		options := strings.Join(cacheOptions(v), " ")
		if slices.Equal(words(d.tokens), strings.Fields("cache 30 { "+options+" }")) {
			return v, true
		}
	}
	return Version{}, false
}

// withoutOption is d without the line of its braces that starts with name.
func withoutOption(d directive, name string) directive {
	var kept []token
	for i := 0; i < len(d.tokens); i++ {
		t := d.tokens[i]
		if i == 0 || t.text != name || t.follows(d.tokens[i-1]) {
			kept = append(kept, t)
			continue
		}
		for i+1 < len(d.tokens) && d.tokens[i+1].follows(d.tokens[i]) {
			i++
		}
	}
	return directive{name: d.name, tokens: kept}
}

// args are the words between the name of the directive and its brace or its end.
func (d directive) args() []string {
	i := slices.IndexFunc(d.tokens, func(t token) bool { return t.text == "{" })
	if i < 0 {
		i = len(d.tokens)
	}
	return words(d.tokens[min(1, i):i])
}

// options are the lines between the braces of the directive, each with its words; deeper braces belong to their line.
func (d directive) options() [][]token {
	open := slices.IndexFunc(d.tokens, func(t token) bool { return t.text == "{" })
	if open < 0 {
		return nil
	}
	var lines [][]token
	depth := 0
	inside := d.tokens[open+1:]
	for i, t := range inside {
		switch {
		case t.text == "}" && depth == 0:
			return lines
		case i == 0 || depth == 0 && !t.follows(inside[i-1]):
			lines = append(lines, []token{t})
		default:
			lines[len(lines)-1] = append(lines[len(lines)-1], t)
		}
		switch t.text {
		case "{":
			depth++
		case "}":
			depth--
		}
	}
	return lines
}

func words(tokens []token) []string {
	var all []string
	for _, t := range tokens {
		all = append(all, t.text)
	}
	return all
}

// parseUpstream reads an address of a forward directive: an IP address, perhaps with a port.
func parseUpstream(text string) (netip.AddrPort, error) {
	if u, err := netip.ParseAddrPort(text); err == nil {
		return u, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("upstream %q: want an IP address, perhaps with a port", text)
	}
	return netip.AddrPortFrom(addr, 53), nil
}
