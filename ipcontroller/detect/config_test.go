package detect_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/detect/detecttest"
)

// cluster is a fake Cluster.
type cluster struct{}

func (cluster) ServiceAddresses(_ context.Context, namespace, name string) ([]netip.Addr, error) {
	if namespace != "ingress" || name != "gateway" {
		return nil, os.ErrNotExist
	}
	return []netip.Addr{addr(here4), addr(here6)}, nil
}

func (cluster) NodeAddresses(context.Context) ([]netip.Addr, error) {
	return []netip.Addr{addr("10.0.0.1"), addr(there4)}, nil
}

func TestTheDefaultsAskFiveOperators(t *testing.T) {
	var c detect.Config
	c.IPv6.Mode = detect.ModeEcho
	plans, err := c.Plans(nil)
	if err != nil || len(plans) != 2 {
		t.Fatal(plans, err)
	}
	for i, family := range []detect.Family{detect.IPv4, detect.IPv6} {
		p := plans[i]
		operators := map[string]bool{}
		vias := map[detect.Via]bool{}
		for _, s := range p.Sources {
			operators[s.Identity().Operator] = true
			vias[s.Identity().Via] = true
		}
		want := map[string]bool{"cloudflare": true, "google": true, "cisco": true, "amazon": true, "ipify": true}
		if p.Family != family || !cmp.Equal(operators, want) || len(p.Sources) != 5 || len(vias) != 3 {
			t.Errorf("%s: %v", family, operators)
		}
		if p.Need != 3 || p.Rounds != 2 || p.Canary != 30*time.Second || p.Audit != 15*time.Minute || p.PerOperator != 28 || p.Router != nil || p.Static {
			t.Errorf("%s: %+v", family, p)
		}
	}
}

func TestTheSettingsAreFlagsToo(t *testing.T) {
	var cli struct {
		Detect detect.Config `embed:"" prefix:"detect-"`
	}
	parser, err := kong.New(&cli)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--detect-ipv4-sources=a=https://a.example/", "--detect-ipv4-sources=b=https://b.example/,c=https://c.example/",
		"--detect-need=3",
		"--detect-ipv6-mode=prefix", "--detect-ipv6-host-id=::53", "--detect-audit=10m"}); err != nil {
		t.Fatal(err)
	}
	want := detect.Config{Need: 3, Rounds: 2, Canary: 30 * time.Second, Audit: 10 * time.Minute, Confirm: 4 * time.Second, PerOperator: 28, RouterEvery: time.Second,
		IPv4: detect.FamilyConfig{Sources: []string{"a=https://a.example/", "b=https://b.example/", "c=https://c.example/"}},
		IPv6: detect.FamilyConfig{Mode: "prefix", HostID: "::53"}}
	if diff := cmp.Diff(want, cli.Detect); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestModes(t *testing.T) {
	const text = `
ipv4: {mode: %4}
ipv6: {mode: %6}
`
	for _, tt := range []struct {
		v4, v6 string
		want   []string // the addresses; "" is an error
	}{
		{"static, address: " + here4, "static, address: '" + here6 + "'", []string{here4, here6}},
		{"service, service: ingress/gateway", "service, service: ingress/gateway", []string{here4, here6}},
		{"service, service: ingress/other", "off", []string{""}},
		{"node", "off", []string{there4}},
		{"interface, interface: lo", "interface, interface: lo, within: '2000::/3'", []string{"", ""}},
		{"off", "prefix, interface: lo, hostID: '::53'", []string{""}},
	} {
		var c detect.Config
		if err := yaml.UnmarshalWithOptions([]byte(strings.NewReplacer("%4", tt.v4, "%6", tt.v6).Replace(text)), &c, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
		plans, err := c.Plans(cluster{})
		if err != nil || len(plans) != len(tt.want) {
			t.Errorf("%s and %s: %v, %d plans", tt.v4, tt.v6, err, len(plans))
			continue
		}
		for i, p := range plans {
			p.Confirm = time.Millisecond
			got := detect.New(p, nil).Settle(t.Context())
			if tt.want[i] == "" && got.Addr.IsValid() || tt.want[i] != "" && got.Addr != addr(tt.want[i]) {
				t.Errorf("%s and %s: %s: %+v", tt.v4, tt.v6, p.Family, got)
			}
		}
	}
	var c detect.Config
	c.IPv4.Mode = detect.ModeNode
	if _, err := c.Plans(nil); err == nil {
		t.Error("a mode that asks the cluster came without one")
	}
}

func TestValidate(t *testing.T) {
	five := []string{"a=https://a.example/", "b=https://b.example/", "c=https://c.example/", "d=https://d.example/", "e=https://e.example/"}
	v4 := func(f detect.FamilyConfig) detect.Config { return detect.Config{IPv4: f} }
	with := func(sources ...string) detect.Config {
		return v4(detect.FamilyConfig{Sources: append(sources, five...)})
	}
	for _, tt := range []struct {
		want string // beginning of the message; "" is right
		c    detect.Config
	}{
		{"", detect.Config{}},
		{"", with()},
		{"", with("f=stun://[2606:4700::1]:3478", "g=dns+udp://192.0.2.1#o-o.myaddr.l.google.com/TXT", "cloudflare/whoami=dns+https://cloudflare-dns.com/dns-query#whoami.cloudflare/TXT/CH",
			"cloudflare=trace+https://1.1.1.1/cdn-cgi/trace", "cloudflare/icanhazip=https://ipv4.icanhazip.com", "h=json+https://h.example/#ip")},
		{`ipv4.mode: "of": want`, v4(detect.FamilyConfig{Mode: "of"})},
		{`ipv4.mode: "off": want`, v4(detect.FamilyConfig{Mode: "off"})},
		{`ipv4.mode: "prefix": want`, v4(detect.FamilyConfig{Mode: "prefix", HostID: "::1"})},
		{`ipv4.address: want`, v4(detect.FamilyConfig{Mode: "static"})},
		{`ipv4.address: "10.0.0.1": want`, v4(detect.FamilyConfig{Mode: "static", Address: "10.0.0.1"})},
		{`ipv4.address: "` + here6 + `": want`, v4(detect.FamilyConfig{Mode: "static", Address: here6})},
		{`ipv4.service: "gateway": want`, v4(detect.FamilyConfig{Mode: "service", Service: "gateway"})},
		{`ipv4.interface: want`, v4(detect.FamilyConfig{Mode: "interface"})},
		{`ipv4.within: "2000::/3": want`, v4(detect.FamilyConfig{Mode: "interface", Interface: "eth0", Within: "2000::/3"})},
		{`ipv6.hostID: want`, detect.Config{IPv6: detect.FamilyConfig{Mode: "prefix"}}},
		{`ipv6.hostID: "1.2.3.4": want`, detect.Config{IPv6: detect.FamilyConfig{Mode: "prefix", HostID: "1.2.3.4"}}},
		{`ipv6.prefixBits: "128": want`, detect.Config{IPv6: detect.FamilyConfig{Mode: "prefix", HostID: "::1", PrefixBits: 128}}},
		{`ipv4.sources[0]: "https://x.example": want OPERATOR=URL`, with("https://x.example")},
		{`ipv4.sources[0]: "X=https://x.example": want OPERATOR=URL`, with("X=https://x.example")},
		{`ipv4.sources[0]: "x=http://x.example": want a URL of https`, with("x=http://x.example")},
		{`ipv4.sources[0]: "x=x.example": want a URL`, with("x=x.example")},
		{`ipv4.sources[0]: "x=json+https://x.example": want json+https`, with("x=json+https://x.example")},
		{`ipv4.sources[0]: "x=trace+http://x.example": want a URL of`, with("x=trace+http://x.example")},
		{`ipv4.sources[0]: "x=dns+udp://x.example": want the question`, with("x=dns+udp://x.example")},
		{`ipv4.sources[0]: "x=dns+udp://x.example#y/A": want the question`, with("x=dns+udp://x.example#y/A")},
		{`ipv4.sources[0]: "x=dns+tcp://x.example#y": want dns+https`, with("x=dns+tcp://x.example#y")},
		{`ipv4.sources[0]: "x=dns+https://x.example#a..b": want the question`, with("x=dns+https://x.example#a..b")},
		{`ipv4.sources[0]: "x=stun://x.example/y": want a URL of`, with("x=stun://x.example/y")},
		{`ipv4.sources[0]: "x=https://user:pw@x.example": want a URL`, with("x=https://user:pw@x.example")},
		{`ipv4.sources[0]: "x=https://ipv4.icanhazip.com": want cloudflare`, with("x=https://ipv4.icanhazip.com")},
		{`ipv4.sources[1]: "a=https://a.example/": want a name of its own`, with("a=https://x.example/")},
		{`ipv4.sources: "a=https://a.example/ b=https://b.example/": want sources of at least 3`, v4(detect.FamilyConfig{Sources: five[:2]})},
		{`need: "2": want from 3 to 5`, detect.Config{Need: 2}},
		{`need: "6": want from 3 to 5`, detect.Config{Need: 6}},
		{"", detect.Config{Need: 2, IPv4: detect.FamilyConfig{Sources: five[:3]}}},
		{`need: "1": want from 2 to 3`, detect.Config{Need: 1, IPv4: detect.FamilyConfig{Sources: five[:3]}}},
		{`rounds: "-1": want`, detect.Config{Rounds: -1}},
		{`canary: "-1s": want`, detect.Config{Canary: -time.Second}},
		{`audit: "1ms": want`, detect.Config{Audit: time.Millisecond}},
		{`perOperator: "28": want at least 66`, detect.Config{Audit: time.Minute}},
		{`router: "192.168.1.1": want natpmp`, detect.Config{Router: "192.168.1.1"}},
		{`router: "upnp+https://192.168.1.1/x": want natpmp`, detect.Config{Router: "upnp+https://192.168.1.1/x"}},
		{`router: "natpmp://192.168.1.1/x": want natpmp`, detect.Config{Router: "natpmp://192.168.1.1/x"}},
		{"", detect.Config{Router: "natpmp://192.168.1.1"}},
		{"", detect.Config{Router: "ssdp://239.255.255.250"}},
		{"", detect.Config{Router: "upnp+http://192.168.1.1:5000/rootDesc.xml"}},
	} {
		err := tt.c.Validate()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", tt.c, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %v, want %s…", err, tt.want)
		}
		if _, planned := tt.c.Plans(cluster{}); planned == nil {
			t.Errorf("%s: a plan was made of it", tt.want)
		}
	}
}

func TestEveryMistakeIsReported(t *testing.T) {
	c := detect.Config{Rounds: 11, Router: "x", IPv4: detect.FamilyConfig{Mode: "x"}, IPv6: detect.FamilyConfig{Mode: "y"}}
	err := c.Validate()
	for _, field := range []string{"rounds: ", "router: ", "ipv4.mode: ", "ipv6.mode: "} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is missing in %v", field, err)
		}
	}
}

func TestTheFileOfAuthorities(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	c := detect.Config{CAFile: path}
	if _, err := c.Plans(nil); err == nil || !strings.HasPrefix(err.Error(), "caFile: ") {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plans(nil); err == nil || !strings.HasPrefix(err.Error(), "caFile: ") {
		t.Errorf("nonsense: %v", err)
	}
}

// The whole thing with real servers: five operators, each of another kind, k of them lying together, for all
// k; and a router.
func TestRealServersThatLie(t *testing.T) {
	ca, err := detecttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	r := router(t, here4)
	var ops []*detecttest.Operator
	for range 5 {
		o, err := detecttest.Start(ca, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(o.Close)
		ops = append(ops, o)
	}
	c := detect.Config{CAFile: path, Confirm: 100 * time.Millisecond, Router: "natpmp://" + r.PortMap()}
	c.IPv4.Sources = []string{
		"a=" + strings.Replace(ops[0].URL(), "https", "trace+https", 1) + "/cdn-cgi/trace",
		"b=" + ops[1].URL(),
		"c=stun://" + ops[2].STUN(),
		"d=dns+tls://" + ops[3].DoT() + "#myip.opendns.com",
		"e=json+" + ops[4].URL() + "/json#client.address",
	}
	plans, err := c.Plans(nil)
	if err != nil {
		t.Fatal(err)
	}
	for liars := range 6 {
		for shift := range 5 {
			for i, o := range ops {
				o.Say(addr(here4))
				if (i+shift)%5 < liars {
					o.Say(addr(there4))
				}
			}
			want := []detect.Status{detect.Verified, detect.Verified, detect.Ambiguous, detect.Ambiguous, detect.Verified, detect.Verified}[liars]
			got := detect.New(plans[0], nil).Settle(t.Context())
			if got.Status != want {
				t.Errorf("%d liars: %+v", liars, got)
			}
			if liars <= 3 && got.Addr.IsValid() && got.Addr != addr(here4) {
				t.Errorf("%d liars were believed: %v", liars, got.Addr)
			}
		}
	}
}
