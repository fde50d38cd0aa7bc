// Package central_test owns the proof that the central DNS does what its Corefile, its users and its keys are
// for: on a real etcd with TLS and authentication, real CoreDNS, and a real cluster's external-dns.
package central_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/clienttls"
)

// soon is how long a test waits for what takes a second or two on an idle machine.
const soon = 60 * time.Second

// Passwords hold what a Corefile and a shell would take for something else.
const (
	rootPassword    = "root"
	coreDNSPassword = `co"re {} dns # \1 $HOME`
	clusterPassword = "cluster"
)

// base is the landscape's zone; c1 and c2 are its clusters, and c10 shares the beginning of a name with c1.
const base = "lab.example"

// center is one central DNS.
type center struct {
	*testing.T
	*stack.Stack
	landscape central.Landscape
	server    central.Server
	etcd      *stack.Etcd
	root      *clientv3.Client
	coreDNS   *stack.Part
	addr      string // of CoreDNS
	probe     string // zone that is asked for until CoreDNS is up; base when empty
	uncached  bool   // leave the cache out of the Corefile, for tests in which answers change all the time
}

// newCenter starts an etcd, applies the rights, writes the zones' keys and starts CoreDNS on the rendered file.
func newCenter(t *testing.T) *center {
	t.Helper()
	c := newStore(t)
	c.startCoreDNS()
	return c
}

// newStore is a center without CoreDNS.
func newStore(t *testing.T) *center {
	t.Helper()
	c := &center{T: t, Stack: stack.ForTest(t), landscape: central.Landscape{
		Path: "/skydns", Zones: []string{base, "2.0.192.in-addr.arpa"},
		Clusters:    []central.Cluster{{Name: "c1"}, {Name: "c2"}, {Name: "c10", Zones: []string{"c10.eu." + base}}},
		NameServers: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")},
	}}
	var err error
	c.etcd, err = c.Stack.Etcd(t.Context(), stack.EtcdConfig{TLS: true, NoSync: true, RootPassword: rootPassword})
	c.must(err)
	c.root, err = c.etcd.Client()
	c.must(err)
	t.Cleanup(func() { _ = c.root.Close() })
	c.apply()
	return c
}

// passwords are those of the landscape's users.
func (c *center) passwords() map[string]string {
	p := map[string]string{}
	for _, role := range c.landscape.Roles() {
		p[role.Name] = clusterPassword
	}
	p[c.landscape.CoreDNSRole()] = coreDNSPassword
	return p
}

// apply brings rights and keys to etcd.
func (c *center) apply() (rights, keys []string) {
	c.Helper()
	rights, err := central.Apply(c.Context(), c.root, c.landscape, c.passwords())
	c.must(err)
	keys, err = central.Seed(c.Context(), c.root, c.landscape)
	c.must(err)
	return rights, keys
}

// startCoreDNS renders the Corefile and starts CoreDNS on it.
func (c *center) startCoreDNS() {
	c.Helper()
	ports := make([]int, 3)
	for i := range ports {
		port, err := stack.FreePort()
		c.must(err)
		ports[i] = port
	}
	c.server.Port, c.server.Bind = ports[0], []string{"127.0.0.1"}
	c.server.Wildcards, c.server.WildcardPort = true, ports[1]
	c.server.Ready = fmt.Sprintf("127.0.0.1:%d", ports[2])
	c.server.Etcd = central.Etcd{
		Endpoints: []string{c.etcd.Endpoint}, CAFile: c.etcd.CAFile, CertFile: c.etcd.CertFile, KeyFile: c.etcd.KeyFile,
		User: c.landscape.CoreDNSRole(), PasswordEnv: "ETCD_PASSWORD",
	}
	c.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	c.runCoreDNS()
}

// runCoreDNS starts CoreDNS on what is rendered from the landscape and the server as they are now.
func (c *center) runCoreDNS() {
	c.Helper()
	c.must(c.tryCoreDNS(c.Context()))
}

func (c *center) tryCoreDNS(ctx context.Context) error {
	text, err := central.Corefile(c.landscape, c.server)
	if err != nil {
		return err
	}
	if c.uncached {
		text = regexp.MustCompile(`(?s) *cache \{.*?\}\n`).ReplaceAllString(text, "")
	}
	path := filepath.Join(c.Dir, "Corefile")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	program, err := stack.Tool("coredns")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-conf", path)
	cmd.Env = append(os.Environ(), "ETCD_PASSWORD="+coreDNSPassword)
	ready := func(ctx context.Context) error {
		_, err := stack.Query(ctx, c.addr, cmp.Or(c.probe, base), "SOA")
		return err
	}
	c.coreDNS, err = c.Start(ctx, "coredns", ready, cmd)
	return err
}

// clusterConfig is the etcd section of the cluster's webhook.
func (c *center) clusterConfig(cluster string) etcd.Config {
	return etcd.Config{
		Endpoints: []string{c.etcd.Endpoint}, Prefix: c.landscape.Path,
		Username: c.landscape.ClusterRole(cluster), Password: clusterPassword,
		TLS:           clienttls.Files{CAFile: c.etcd.CAFile, CertFile: c.etcd.CertFile, KeyFile: c.etcd.KeyFile},
		WildcardLabel: central.WildcardLabel, Timeout: 20 * time.Second, // a login costs etcd a tenth of a second of work
	}
}

// backend is the webhook's etcd backend with the rights of the cluster.
func (c *center) backend(t *testing.T, cluster string) *etcd.Backend {
	t.Helper()
	b, err := etcd.New(c.clusterConfig(cluster), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// zoneOf is the first zone of the cluster.
func (c *center) zoneOf(name string) string {
	c.Helper()
	for _, cluster := range c.landscape.Clusters {
		if cluster.Name == name {
			return c.landscape.ZonesOf(cluster)[0]
		}
	}
	c.Fatalf("there is no cluster %s", name)
	return ""
}

// client is a bare client with the rights of a user.
func (c *center) client(user, password string) *clientv3.Client {
	c.Helper()
	client, err := c.etcd.ClientAs(user, password)
	c.must(err)
	c.Cleanup(func() { _ = client.Close() })
	return client
}

func (c *center) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// put writes a key as root.
func (c *center) put(key, value string, opts ...clientv3.OpOption) {
	c.Helper()
	_, err := c.root.Put(c.Context(), key, value, opts...)
	c.must(err)
}

// ask asks CoreDNS once and returns the answer, whatever it is.
func (c *center) ask(name, typ string) *dns.Msg {
	c.Helper()
	in, err := c.exchange(c.Context(), name, typ)
	c.must(err)
	return in
}

func (c *center) exchange(ctx context.Context, name, typ string) (*dns.Msg, error) {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[typ])
	in, _, err := (&dns.Client{Net: "tcp", Timeout: 10 * time.Second}).ExchangeContext(ctx, m, c.addr)
	return in, err
}

// answer is an answer in one line: "NOERROR a.b A 192.0.2.1 | …", the records sorted, "NODATA" for none.
func answer(in *dns.Msg) string {
	var records []string
	for _, rr := range in.Answer {
		data := strings.TrimSuffix(strings.TrimPrefix(rr.String(), rr.Header().String()), ".")
		records = append(records, strings.TrimSuffix(rr.Header().Name, ".")+" "+dns.TypeToString[rr.Header().Rrtype]+" "+data)
	}
	slices.Sort(records)
	switch {
	case in.Rcode != dns.RcodeSuccess:
		return strings.Join(append([]string{dns.RcodeToString[in.Rcode]}, records...), " ")
	case len(records) == 0:
		return "NODATA"
	}
	return strings.Join(records, " | ")
}
