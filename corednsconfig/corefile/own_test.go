package corefile_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

const plain = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa
    prometheus :9153
    forward . /etc/resolv.conf
    reload
}
`

// What Check finds about our own blocks, and Edit refuses to write.
func TestFaultsOfOurOwn(t *testing.T) {
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.1")}
	site := newest(t)
	other := site
	other.Port = 8053
	bound := site
	bound.Bind = []string{"127.0.0.1"}
	ours := string(mustEdit(t, []byte(plain), want, site))
	for name, c := range map[string]struct {
		src     string
		want    []corefile.Forward
		domain  string
		dns     []string
		version string
		reason  corefile.Reason
		line    int
		text    string
	}{
		"missing":                {src: plain, want: want, reason: corefile.Missing, text: `zone "openmcp.test" is in no block`},
		"wrong port":             {src: string(mustEdit(t, []byte(plain), want, other)), want: want, reason: corefile.Port, line: 9, text: "on port 8053, the default block on 53"},
		"wrong bind":             {src: string(mustEdit(t, []byte(plain), want, bound)), want: want, reason: corefile.Bind, line: 9, text: "bound to [127.0.0.1], the default block to []"},
		"bind missing":           {src: strings.Replace(ours, "errors", "bind 10.0.0.10\n    errors", 1), want: want, reason: corefile.Bind, line: 10, text: "bound to [], the default block to [10.0.0.10]"},
		"user's zone":            {src: plain + "OpenMCP.test. {\n    whoami\n}\n", want: want, reason: corefile.UserZone, line: 8, text: "not ours"},
		"altered":                {src: strings.Replace(ours, "cache 30", "cache 60", 1), want: want, reason: corefile.Altered, line: 9, text: "changed"},
		"twice":                  {src: ours + ours[len(plain):], want: want, reason: corefile.Duplicate, line: 23, text: "already served by the block of line 9"},
		"cluster domain":         {src: ours, want: []corefile.Forward{forward("svc.cluster.local", "10.0.0.1")}, reason: corefile.ClusterDomain, text: "under the cluster's own domain"},
		"cluster domain itself":  {src: ours, want: []corefile.Forward{forward("Cluster.Local.", "10.0.0.1")}, reason: corefile.ClusterDomain, text: "is the cluster's own domain"},
		"above cluster domain":   {src: ours, want: []corefile.Forward{forward("local", "10.0.0.1")}, reason: corefile.ClusterDomain, text: "holds the cluster's own domain"},
		"named cluster domain":   {src: ours, want: want, domain: "test", reason: corefile.ClusterDomain, line: 9, text: "under the cluster's own domain test"},
		"reverse of cluster DNS": {src: plain, want: []corefile.Forward{forward("96.10.in-addr.arpa", "10.0.0.1")}, dns: []string{"10.96.0.10"}, reason: corefile.ClusterDomain, text: "reverse name"},
		"loop":                   {src: ours, want: want, dns: []string{"10.96.0.10", "10.0.0.1"}, reason: corefile.Loop, line: 16, text: "this cluster's own DNS"},
		"loop in a wish":         {src: plain, want: []corefile.Forward{forward("x.test", "127.0.0.1")}, reason: corefile.Loop, text: "this CoreDNS itself"},
		"too new for it":         {src: ours, want: want, version: "1.9.3", reason: corefile.Option, line: 13, text: "servfail needs CoreDNS 1.9.4, this one is 1.9.3"},
		"host name":              {src: ".:53 {\n    forward . dns.example\n}\n", version: "1.14.3", reason: corefile.Option, line: 2, text: "host name needs CoreDNS 1.14.4"},
		"no name":                {src: plain, want: []corefile.Forward{forward("a b", "10.0.0.1")}, reason: corefile.Zone, text: "domain name"},
		"root":                   {src: plain, want: []corefile.Forward{forward(".", "10.0.0.1")}, reason: corefile.Zone, text: "domain name"},
		"all reverse names":      {src: plain, want: []corefile.Forward{forward("in-addr.arpa", "10.0.0.1")}, reason: corefile.Zone, text: "reverse names"},
		"wanted twice":           {src: plain, want: []corefile.Forward{want[0], forward("OPENMCP.test", "10.0.0.2")}, reason: corefile.Zone, text: "wanted twice"},
		"no upstream":            {src: plain, want: []corefile.Forward{forward("x.test")}, reason: corefile.Upstream, text: "no upstream"},
		"no zone":                {src: plain, want: []corefile.Forward{{Upstreams: upstreams("10.0.0.1")}}, reason: corefile.Zone, text: "names no zone"},
		"any address":            {src: plain, want: []corefile.Forward{forward("x.test", "0.0.0.0")}, reason: corefile.Upstream, text: "0.0.0.0"},
		"address with interface": {src: plain, want: []corefile.Forward{forward("x.test", "fe80::1%eth0")}, reason: corefile.Upstream, text: "interface"},
		"no default block":       {src: "corp.example:53 {\n    whoami\n}\n", want: want, reason: corefile.NoDefault, text: "nothing to follow"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := corefile.Rules{Want: c.want, ClusterDomain: c.domain, Site: corefile.Site{Version: version(t, "1.15.0")}}
			if c.version != "" {
				rules.Site.Version = version(t, c.version)
			}
			for _, addr := range c.dns {
				rules.ClusterDNS = append(rules.ClusterDNS, netip.MustParseAddr(addr))
			}
			err := corefile.Check([]byte(c.src), corefile.Process{}, rules)
			found := slices.ContainsFunc(corefile.Faults(err), func(f *corefile.Fault) bool {
				return f.Reason == c.reason && f.Line == c.line && f.Ours == (c.want != nil) && strings.Contains(f.Text, c.text)
			})
			if !found {
				t.Errorf("got %v, want %s in line %d with %q", err, c.reason, c.line, c.text)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.1")}
	site := newest(t)
	ours := string(mustEdit(t, []byte(plain), want, site))
	altered := strings.Replace(ours, "cache 30", "cache 60", 1)
	for name, c := range map[string]struct {
		src    string
		want   []corefile.Forward
		site   corefile.Site
		reason corefile.Reason
		line   int
	}{
		"a zone of the user's":              {plain + "openmcp.test:53 {\n    forward . 10.9.9.9\n}\n", want, site, corefile.UserZone, 8},
		"a zone of the user's without port": {"dns://OPENMCP.test. corp.example {\n    forward . 10.9.9.9\n}\n" + plain, want, site, corefile.UserZone, 1},
		"the cluster's domain":              {plain, []corefile.Forward{forward("cluster.local", "10.0.0.1")}, site, corefile.ClusterDomain, 1},
		"below the cluster's domain":        {plain, []corefile.Forward{forward("x.cluster.local", "10.0.0.1")}, site, corefile.ClusterDomain, 1},
		"above the cluster's domain":        {plain, []corefile.Forward{forward("local", "10.0.0.1")}, site, corefile.ClusterDomain, 1},
		"a malformed file":                  {plain + "corp.example {\n    whoami\n", want, site, corefile.Syntax, 9},
		"a malformed file, to take out":     {plain + "corp.example {\n    whoami\n", nil, site, corefile.Syntax, 9},
		"an altered block nobody wants":     {altered, nil, site, corefile.Altered, 9},
		"another's zone and altered":        {altered, []corefile.Forward{forward("else.test", "10.0.0.1")}, site, corefile.Altered, 9},
		"no port":                           {plain, want, corefile.Site{}, corefile.Port, 0},
		"an impossible bind":                {plain, want, corefile.Site{Port: 53, Bind: []string{"a b"}}, corefile.Bind, 0},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := corefile.Edit([]byte(c.src), c.want, c.site)
			faults := corefile.Faults(err)
			if out != nil || len(faults) == 0 {
				t.Fatalf("got %q and %v, want a refusal", out, err)
			}
			if faults[0].Reason != c.reason || faults[0].Line != c.line {
				t.Errorf("got %s in line %d (%v), want %s in line %d", faults[0].Reason, faults[0].Line, err, c.reason, c.line)
			}
		})
	}
}

// A block of ours that somebody changed is put right as long as its zone is wanted; one whose zone is no longer wanted goes.
func TestEditPutsOurBlockRight(t *testing.T) {
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.1")}
	site := newest(t)
	right := string(mustEdit(t, []byte(plain), want, site))
	for name, broken := range map[string]string{
		"changed":           strings.Replace(right, "max_fails 2", "max_fails 5", 1),
		"something added":   strings.Replace(right, "    errors\n    cache", "    errors\n    log\n    cache", 1),
		"another upstream":  strings.Replace(right, "forward . 10.0.0.1", "forward . 10.0.0.9", 1),
		"other zone of us":  string(mustEdit(t, []byte(right), []corefile.Forward{forward("old.test", "10.0.0.1")}, site)),
		"mark gone, stale":  withoutComments(strings.Replace(right, "forward . 10.0.0.1", "forward . 10.0.0.9", 1)),
		"another version's": string(mustEdit(t, []byte(plain), want, corefile.Site{Port: 53, Prometheus: ":9153"})),
	} {
		t.Run(name, func(t *testing.T) {
			if broken == right {
				t.Fatal("the file of the test is not broken")
			}
			if diff := cmp.Diff(right, string(mustEdit(t, []byte(broken), want, site))); diff != "" {
				t.Error(diff)
			}
		})
	}
	indented := strings.ReplaceAll(strings.ReplaceAll(right, "    ", "\t"), "forward . 10.0.0.1 {", "forward   .\t10.0.0.1 { # here")
	if got := string(mustEdit(t, []byte(indented), want, site)); got != indented {
		t.Errorf("a block that says what is wanted was written again:\n%s", cmp.Diff(indented, got))
	}
}

func withoutComments(src string) string {
	var kept []string
	for line := range strings.SplitSeq(src, "\n") {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func ExampleEdit() {
	src := []byte(".:53 {\n    forward . /etc/resolv.conf\n}\n")
	want := []corefile.Forward{{Zones: []string{"openmcp.cluster"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.1.2.3:53")}}}
	out, err := corefile.Edit(src, want, corefile.Site{Port: 53, Version: corefile.Version{Major: 1, Minor: 9, Patch: 3}})
	fmt.Println(string(out), err)
	// Output:
	// .:53 {
	//     forward . /etc/resolv.conf
	// }
	// # spokedns: kept by corednsconfig, changes here are undone (sha256:48443ea7b47860df)
	// openmcp.cluster:53 {
	//     errors
	//     cache 30 {
	//         denial 9984 5
	//         serve_stale 10m immediate
	//     }
	//     forward . 10.1.2.3 {
	//         policy sequential
	//         max_fails 2
	//     }
	// }
	//  <nil>
}
