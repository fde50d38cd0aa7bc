package central_test

import (
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy/caddyfile"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/central"
)

var update = flag.Bool("update", false, "write the golden files anew")

func landscape() central.Landscape {
	return central.Landscape{
		Path: "/live", Zones: []string{"openmcp.cluster", "18.172.in-addr.arpa"},
		Clusters: []central.Cluster{
			{Name: "workload01"},
			{Name: "workload02", Zones: []string{"w2.eu.openmcp.cluster", "2.18.172.in-addr.arpa"}},
		},
		NameServers: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")},
	}
}

func server() central.Server {
	return central.Server{
		Wildcards: true, Health: ":8080", Ready: ":8181", Metrics: ":9153", Reload: true,
		Etcd: central.Etcd{
			Endpoints: []string{"https://etcd-0.etcd:2379", "https://etcd-1.etcd:2379"},
			CAFile:    "/etc/etcd-client/ca.crt", CertFile: "/etc/etcd-client/tls.crt", KeyFile: "/etc/etcd-client/tls.key",
			User: "live.coredns", PasswordEnv: "ETCD_PASSWORD",
		},
	}
}

func TestCorefile(t *testing.T) {
	full, least, elsewhere := server(), central.Server{Etcd: central.Etcd{Endpoints: []string{"http://127.0.0.1:2379"}}}, server()
	elsewhere.Wildcards, elsewhere.Upstreams, elsewhere.Bind = false, []string{"192.0.2.1", "[2001:db8::1]:53"}, []string{"192.0.2.53"}
	elsewhere.MaxTTL, elsewhere.StaleFor = 10*time.Second, 90*time.Minute
	elsewhere.Etcd = central.Etcd{Endpoints: []string{"https://etcd:2379"}}
	for name, s := range map[string]central.Server{"full": full, "least": least, "elsewhere": elsewhere} {
		t.Run(name, func(t *testing.T) {
			l := landscape()
			if name != "full" {
				l = central.Landscape{Path: "/skydns", Zones: []string{"example.org"}}
			}
			got, err := central.Corefile(l, s)
			if err != nil {
				t.Fatal(err)
			}
			path := "testdata/" + name + ".Corefile"
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the Corefile differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRolesSeeTheirOwnPrefixOnly(t *testing.T) {
	want := []central.Role{
		{Name: "live.coredns", Grants: []central.Grant{{Prefix: "/live/"}}},
		{Name: "live.cluster.workload01", Grants: []central.Grant{{Prefix: "/live/cluster/openmcp/workload01/", Write: true}}},
		{Name: "live.cluster.workload02", Grants: []central.Grant{
			{Prefix: "/live/cluster/openmcp/eu/w2/", Write: true}, {Prefix: "/live/arpa/in-addr/172/18/2/", Write: true},
		}},
	}
	if diff := cmp.Diff(want, landscape().Roles()); diff != "" {
		t.Errorf("the roles differ (-want +got):\n%s", diff)
	}
}

func TestKeys(t *testing.T) {
	keys := landscape().Keys()
	for key, want := range map[string]string{
		"/live/cluster/openmcp/$":                 `{"host":"openmcp.cluster","port":-1,"priority":-1,"targetstrip":1,"group":"openmcp.cluster"}`,
		"/live/cluster/openmcp/eu/$":              `{"host":"eu.openmcp.cluster","port":-1,"priority":-1,"targetstrip":1,"group":"eu.openmcp.cluster"}`,
		"/live/cluster/openmcp/eu/w2/dns/apex/$":  `{"host":"w2.eu.openmcp.cluster","port":-1,"priority":-1,"targetstrip":3,"group":"w2.eu.openmcp.cluster"}`,
		"/live/cluster/openmcp/eu/w2/dns/ns/ns2":  `{"host":"2001:db8::53","ttl":300,"group":"ns.dns.w2.eu.openmcp.cluster"}`,
		"/live/arpa/in-addr/172/18/dns/ns/ns1":    `{"host":"192.0.2.53","ttl":300,"group":"ns.dns.18.172.in-addr.arpa"}`,
		"/live/cluster/openmcp/workload01/dns/$":  `{"host":"dns.workload01.openmcp.cluster","port":-1,"priority":-1,"targetstrip":1,"group":"dns.workload01.openmcp.cluster"}`,
		"/live/cluster/openmcp/workload01/dns/ns": "",
		"/live/cluster/$":                         "",
	} {
		if got := keys[key]; got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	if len(keys) != 5*5+1 {
		t.Errorf("%d keys, want five for each of five zones and one between them: %v", len(keys), keys)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*central.Landscape, *central.Server)
		want  string
	}{
		{"path of two segments", func(l *central.Landscape, _ *central.Server) { l.Path = "/a/b" }, `path is "/a/b": want one segment`},
		{"no zone", func(l *central.Landscape, _ *central.Server) { l.Zones, l.Clusters = nil, nil }, `zones is ""`},
		{"zone with a dot at its end", func(l *central.Landscape, _ *central.Server) { l.Zones[0] = "openmcp.cluster." }, `zones[0] is "openmcp.cluster."`},
		{"zone any", func(l *central.Landscape, _ *central.Server) { l.Zones[0] = "any.cluster" }, `no label any`},
		{"zone below a zone", func(l *central.Landscape, _ *central.Server) { l.Zones[1] = "a.openmcp.cluster" }, `zones[1] is "a.openmcp.cluster": want a zone that neither contains openmcp.cluster`},
		{"cluster with a dot", func(l *central.Landscape, _ *central.Server) { l.Clusters[0].Name = "a.b" }, `clusters[0].name is "a.b"`},
		{"one name twice", func(l *central.Landscape, _ *central.Server) { l.Clusters[1].Name = "workload01" }, `a name that no other cluster has`},
		{"cluster zone elsewhere", func(l *central.Landscape, _ *central.Server) { l.Clusters[1].Zones = []string{"example.org"} }, `clusters[1].zones[0] is "example.org": want a zone below one of`},
		{"cluster zone is the base", func(l *central.Landscape, _ *central.Server) { l.Clusters[1].Zones = []string{"openmcp.cluster"} }, `want a zone below one of`},
		{"cluster zone in another's", func(l *central.Landscape, _ *central.Server) {
			l.Clusters[1].Zones = []string{"x.workload01.openmcp.cluster"}
		}, `neither contains workload01.openmcp.cluster of cluster workload01`},
		{"name server 0.0.0.0", func(l *central.Landscape, _ *central.Server) { l.NameServers[0] = netip.IPv4Unspecified() }, `nameServers[0] is "0.0.0.0"`},
		{"no endpoint", func(_ *central.Landscape, s *central.Server) { s.Etcd = central.Etcd{} }, `etcd.endpoints is ""`},
		{"endpoint without port", func(_ *central.Landscape, s *central.Server) { s.Etcd.Endpoints[0] = "https://etcd" }, `etcd.endpoints[0] is "https://etcd"`},
		{"endpoint with a directive", func(_ *central.Landscape, s *central.Server) { s.Etcd.Endpoints[0] = "https://etcd:1\nlog" }, `etcd.endpoints[0]`},
		{"two schemes", func(_ *central.Landscape, s *central.Server) { s.Etcd.Endpoints[1] = "http://etcd:2379" }, `the same scheme`},
		{"key without certificate", func(_ *central.Landscape, s *central.Server) { s.Etcd.CertFile = "" }, `etcd.keyFile`},
		{"password in the file", func(_ *central.Landscape, s *central.Server) { s.Etcd.PasswordEnv = "pass word" }, `the name of an environment variable`},
		{"user without password", func(_ *central.Landscape, s *central.Server) { s.Etcd.PasswordEnv = "" }, `a user and the variable with its password`},
		{"wildcards at the port of the zones", func(_ *central.Landscape, s *central.Server) { s.WildcardPort = 53 }, `wildcardPort is "53"`},
		{"TTL below a second", func(_ *central.Landscape, s *central.Server) { s.MaxTTL = time.Millisecond }, `maxTTL is "1ms"`},
		{"upstream is a name", func(_ *central.Landscape, s *central.Server) { s.Upstreams = []string{"dns.google"} }, `upstreams[0] is "dns.google"`},
		{"metrics without port", func(_ *central.Landscape, s *central.Server) { s.Metrics = "localhost" }, `metrics is "localhost"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, s := landscape(), server()
			c.spoil(&l, &s)
			out, err := central.Corefile(l, s)
			if err == nil || !strings.Contains(err.Error(), c.want) || out != "" {
				t.Errorf("the error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// Whatever the landscape, no cluster may write where another one, or nobody, has its zone; every key of the
// zones themselves is one CoreDNS may read; and the Corefile reads back as what was meant.
func TestLandscapeProperties(t *testing.T) {
	label := rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,5}[a-z0-9]`)
	rapid.Check(t, func(t *rapid.T) {
		l := central.Landscape{Path: "/skydns", Zones: rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}\.[a-z]{2,4}`), 1, 3, rapid.ID).Draw(t, "zones")}
		for _, name := range rapid.SliceOfDistinct(label, rapid.ID).Draw(t, "clusters") {
			l.Clusters = append(l.Clusters, central.Cluster{Name: name})
		}
		text, err := central.Corefile(l, server())
		if err != nil {
			return // any and its like
		}
		roles := l.Roles()
		if len(roles) != len(l.Clusters)+1 || roles[0].Grants[0].Write {
			t.Fatalf("%d roles for %d clusters, the first is %v", len(roles), len(l.Clusters), roles[0])
		}
		for i, role := range roles[1:] {
			for _, g := range role.Grants {
				for j, other := range roles[1:] {
					for _, o := range other.Grants {
						if i != j && strings.HasPrefix(o.Prefix, g.Prefix) {
							t.Fatalf("%s may write %s of %s", role.Name, o.Prefix, other.Name)
						}
					}
				}
				if !strings.HasPrefix(g.Prefix, roles[0].Grants[0].Prefix) || !strings.HasSuffix(g.Prefix, "/") {
					t.Fatalf("%s is granted %s", role.Name, g.Prefix)
				}
			}
		}
		blocks, err := caddyfile.Parse("Corefile", strings.NewReader(text), nil)
		if err != nil || len(blocks) != 2 || len(blocks[0].Keys) != len(l.Zones) {
			t.Fatalf("the Corefile reads back as %d blocks for zones %v: %v\n%s", len(blocks), l.Zones, err, text)
		}
	})
}

// Nothing that passes validation adds a directive.
func FuzzServer(f *testing.F) {
	f.Add("https://etcd:2379", "/ca.crt", "user", "PASSWORD", ":8080", "192.0.2.1")
	f.Add("http://e:1\n}\nwhoami", "/a {\n", "u\"", "X}", ":1 whoami", "1.1.1.1 {")
	f.Fuzz(func(t *testing.T, endpoint, ca, user, env, health, upstream string) {
		s := server()
		s.Etcd = central.Etcd{Endpoints: []string{endpoint}, CAFile: ca, User: user, PasswordEnv: env}
		s.Health, s.Upstreams = health, []string{upstream}
		text, err := central.Corefile(landscape(), s)
		if err != nil {
			return
		}
		blocks, err := caddyfile.Parse("Corefile", strings.NewReader(text), nil)
		if err != nil || len(blocks) != 3 {
			t.Fatalf("%d blocks, %v:\n%s", len(blocks), err, text)
		}
		for i, want := range []string{"bind cache errors etcd forward health loadbalance prometheus ready reload rewrite template", "bind errors etcd rewrite", "bind cache errors forward prometheus"} {
			for name := range blocks[i].Tokens {
				if !strings.Contains(" "+want+" ", " "+name+" ") {
					t.Fatalf("directive %q in:\n%s", name, text)
				}
			}
		}
	})
}
