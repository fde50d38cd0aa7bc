package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
)

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no address":         {Role: v1alpha1.Primary},
		"an address":         {Address: "dns"},
		"a channel's secret": {Address: "192.0.2.1:53", Control: Control{RNDC: &RNDC{Address: "192.0.2.1:953"}}},
	} {
		_, err := New(cfg)
		var wrong *setting.Error
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v; want a *setting.Error", name, err)
		}
	}
}

// TestResolve has host names become addresses, and lists that mean the same become the same.
func TestResolve(t *testing.T) {
	s := &Server{lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "dns.example.org" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.2")}, nil
	}}
	z := ZoneConfig{
		Primaries:     []Endpoint{{Addr: "dns.example.org:5353", Key: key()}},
		AllowTransfer: []string{"192.0.2.1", "10.1.2.3/8", "192.0.2.1", "dns.example.org", "2001:db8::/32"},
		AlsoNotify:    []string{"192.0.2.9:5353", "192.0.2.9", "[2001:db8::9]:53", "2001:db8::9"},
	}
	p, err := s.resolve(t.Context(), z)
	if err != nil {
		t.Fatal(err)
	}
	got, err := clause.Render(configured("f", z, v1alpha1.Secondary, key(), p)...)
	want := `file "f"; masterfile-format text; check-names ignore; notify explicit; notify-delay 0; ` +
		`allow-transfer { key k; 10.0.0.0/8; 192.0.2.1/32; 192.0.2.2/32; 2001:db8::/32; 2001:db8::2/128; }; ` +
		`also-notify { 192.0.2.9 port 53; 192.0.2.9 port 5353; 2001:db8::9 port 53; }; ` +
		`type secondary; primaries { 192.0.2.2 port 5353 key k; 2001:db8::2 port 5353 key k; };`
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, z := range []ZoneConfig{{AlsoNotify: []string{"nowhere:53"}}, {AllowTransfer: []string{"nowhere"}}, {Primaries: []Endpoint{{Addr: "192.0.2.1:nothing"}}}} {
		if p, err := s.resolve(t.Context(), z); err == nil {
			t.Errorf("%+v becomes %+v; want an error", z, p)
		}
	}
}

// TestWordsOfObjectsStayWords has any policy name in a zone's configuration: either it is refused, or it is one
// word.
func TestWordsOfObjectsStayWords(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		z := ZoneConfig{Zone: zone, DNSSECPolicy: rapid.OneOf(rapid.String(), rapid.Just(`x"; }; zone "y" { type primary; `)).Draw(r, "policy")}
		conf := configured("f", z, v1alpha1.Primary, key(), peers{})
		text, err := clause.Render(conf...)
		if err != nil {
			return
		}
		got, err := clause.Parse(text)
		if diff := cmp.Diff(conf, got, cmpopts.IgnoreUnexported(clause.Statement{})); err != nil || diff != "" {
			r.Fatalf("%v\n%s", err, diff)
		}
	})
}

// TestClocksAreNamed asks DNS for the clock where a control does not say why it does not accept a command.
func TestClocksAreNamed(t *testing.T) {
	denied := fmt.Errorf("ensure: %w", &rndc.Denied{Addr: "192.0.2.1:953", Key: "k"})
	for _, tt := range []struct {
		name  string
		skew  time.Duration
		probe error
		says  string
	}{
		{"ahead", time.Hour, nil, "1h0m0s ahead of ours"},
		{"behind", -6 * time.Minute, nil, "6m0s behind ours"},
		{"right", time.Minute, nil, "does not accept key k"},
		{"not known", 0, errors.New("no answer"), "does not accept key k"},
	} {
		s := &Server{cfg: Config{Name: "dns-1"}, probe: func(context.Context) (rfc2136.Identity, error) { return rfc2136.Identity{Skew: tt.skew}, tt.probe }}
		err := s.explain(t.Context(), denied)
		var skew *ClockSkew
		if err == nil || !strings.Contains(err.Error(), tt.says) || errors.As(err, &skew) != strings.Contains(tt.says, "ours") {
			t.Errorf("%s: %v; want that it says %q", tt.name, err, tt.says)
		}
	}
}

// TestCatalogMembers have names of their own, which never change.
func TestCatalogMembers(t *testing.T) {
	const catalog = "catalog.invalid"
	if got := CatalogMember(catalog, zone); got.Name != "bfabc37432958b063360d3ad6461c9c4.zones.catalog.invalid" || !slices.Equal(got.Values, []string{zone}) || got.Type != "PTR" {
		t.Errorf("%+v; a member whose name changes is started anew by every consumer", got)
	}
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.StringMatching(`[a-z]{1,8}\.test`)
		a, b := names.Draw(r, "a"), names.Draw(r, "b")
		if (CatalogMember(catalog, a).Name == CatalogMember(catalog, b).Name) != (a == b) {
			r.Fatalf("%q and %q", a, b)
		}
	})
	for _, set := range append(CatalogZone(catalog, 7), CatalogMember(catalog, zone)) {
		if !backend.InZone(set.Name, catalog) || len(set.Values) != 1 {
			t.Errorf("%+v does not belong into the catalog", set)
		}
	}
}

// TestKnotTransactions turns what stands into what is wished, and recognises it then.
func TestKnotTransactions(t *testing.T) {
	z := ZoneConfig{Zone: zone, DNSSECPolicy: "strong"}
	p := peers{
		allowTransfer: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		alsoNotify:    []peer{{addr: netip.MustParseAddrPort("192.0.2.9:53")}},
	}
	c := knotConfigured("spokedns.db", z, v1alpha1.Primary, key(), p)
	id := knotID(zone)
	commands := c.commands(nil, nil, nil)
	for _, want := range []string{
		"conf-set zone[example.org]",
		"conf-set zone[example.org].acl " + id + "-key " + id + "-hosts",
		"conf-set acl[" + id + "-key].action transfer update",
		"conf-set acl[" + id + "-hosts].address 192.0.2.0/24",
		"conf-set zone[example.org].notify " + id + "-n0",
		"conf-set remote[" + id + "-n0].address 192.0.2.9@53",
		"conf-set zone[example.org].dnssec-policy strong",
	} {
		if !slices.ContainsFunc(commands, func(c []string) bool { return strings.Join(c, " ") == want }) {
			t.Errorf("%q is not among %q", want, commands)
		}
	}
	section := map[string][]string{}
	for _, i := range c.items {
		section[i[0]] = strings.Fields(i[1])
	}
	if !c.same(section) {
		t.Errorf("%v is not recognised as %v", section, c.items)
	}
	p.alsoNotify[0].addr = netip.MustParseAddrPort("192.0.2.10:53")
	if knotConfigured("spokedns.db", z, v1alpha1.Primary, key(), p).same(section) {
		t.Error("another address to be told of changes is not noticed")
	}
	section["master"] = []string{"somebody"}
	if c.same(section) {
		t.Error("an item that was added is not noticed")
	}
	again := fmt.Sprint(c.commands(section, []string{id + "-n0"}, []string{id + "-key"}))
	for _, want := range []string{"conf-unset zone[example.org].master", "conf-unset acl[" + id + "-key]", "conf-unset remote[" + id + "-n0]"} {
		if !strings.Contains(again, want) {
			t.Errorf("%q is not in %s", want, again)
		}
	}
}
