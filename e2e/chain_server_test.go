package e2e_test

import (
	"context"
	"encoding/gob"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
)

// The chain in front of the real external-dns as a webhook server with its own rfc2136 provider on BIND.
// That provider writes blindly and reads loosely, so the suite's promises cannot all hold. What has to hold
// is here, and what does not is in docs/backends/chain.md.

// chained is such a server and zones of it.
type chained struct {
	*testing.T
	bind *dnsServer
	*chain.Backend
}

// serverZones is one zone for each test that shares the server.
func serverZones() []string {
	return []string{"life.example", "swap.example", "bad.example", "foreign.example", "weak.example", "path.example"}
}

func TestChainToExternalDNSServer(t *testing.T) {
	t.Parallel()
	s := stack.ForTest(t)
	n, err := s.Named(t.Context(), stack.NamedConfig{Zones: serverZones()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WebhookServer(t.Context(), stack.WebhookServerConfig{Args: stack.RFC2136Provider(n, serverZones()...)}); err != nil {
		t.Fatal(err)
	}
	b := openChain(t, chain.Config{URL: stack.WebhookServerURL, Types: []string{"A", "AAAA", "CNAME", "NS", "PTR", "TXT"}})
	c := &chained{Backend: b, bind: &dnsServer{n.Addr, n.Key, nil}}
	for name, test := range map[string]func(*chained){
		"records live and die":               (*chained).lifeOfRecords,
		"types take each other's place":      (*chained).swaps,
		"one bad record":                     (*chained).oneBadRecord,
		"others' records":                    (*chained).othersRecords,
		"what the provider cannot do":        (*chained).weaknesses,
		"it does not say which zones it has": (*chained).noZones,
	} {
		t.Run(name, func(t *testing.T) {
			mine := *c
			mine.T = t
			test(&mine)
		})
	}
	t.Run("the whole path", func(t *testing.T) { wholePath(t, c.bind, s) })
}

// become makes the zone hold want, and requires that it is listed and answered, and that asking again
// asks for nothing.
func (c *chained) become(zone string, want ...backend.RRset) {
	c.Helper()
	changes := c.difference(zone, want)
	if err := c.Apply(c.Context(), zone, changes); err != nil {
		c.Fatalf("apply: %v", err)
	}
	if left := c.difference(zone, want); len(left) != 0 {
		c.Fatalf("after it was applied, %v is left to do; listed is %v", left[0].Key(), c.list(zone))
	}
	if err := c.Apply(c.Context(), zone, changes); err != nil {
		c.Fatalf("apply the same again: %v", err)
	}
	for _, change := range changes {
		if change.New == nil {
			want = append(want, backend.RRset{Key: change.Key()})
		}
	}
	c.bind.verify(c.T, want)
}

// difference is what has to change.
func (c *chained) difference(zone string, want []backend.RRset) []backend.Change {
	c.Helper()
	var changes []backend.Change
	have := map[backend.Key]*backend.RRset{}
	for _, r := range c.list(zone) {
		have[r.Key] = &r
	}
	for _, r := range want {
		if old := have[r.Key]; old == nil || !old.Same(&r) || r.TTL != 0 && old.TTL != r.TTL {
			changes = append(changes, backend.Change{Old: old, New: &r, Unit: strings.TrimPrefix(r.Name, "a-")})
		}
		delete(have, r.Key)
	}
	for _, old := range have {
		changes = append(changes, backend.Change{Old: old, Unit: strings.TrimPrefix(old.Name, "a-")})
	}
	return changes
}

func (c *chained) list(zone string) []backend.RRset {
	c.Helper()
	sets, err := c.List(c.Context(), zone)
	if err != nil {
		c.Fatal(err)
	}
	return sets
}

func set(name, typ string, ttl time.Duration, values ...string) backend.RRset {
	slices.Sort(values)
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: ttl, Values: values}
}

const owned = "heritage=external-dns,external-dns/owner=me,external-dns/resource=ingress/shop/www"

func (c *chained) lifeOfRecords() {
	const zone = "life.example"
	c.become(zone,
		set("www.life.example", "A", time.Minute, "192.0.2.1", "192.0.2.2"), set("www.life.example", "AAAA", time.Minute, "2001:db8::1"),
		set("a-www.life.example", "TXT", time.Minute, owned), set("*.apps.life.example", "A", 0, "192.0.2.3"),
		set("alias.life.example", "CNAME", time.Hour, "lb.example.net"), set("life.example", "A", 5*time.Minute, "192.0.2.4"),
		set("sub.life.example", "NS", time.Hour, "ns1.example.net", "ns2.example.net"), set("1.life.example", "PTR", time.Minute, "www.life.example"),
		set("text.life.example", "TXT", time.Minute, "plain words", "two  spaces"))
	c.become(zone,
		set("www.life.example", "A", time.Minute, "192.0.2.2", "192.0.2.9"), set("www.life.example", "AAAA", 2*time.Minute, "2001:db8::1"),
		set("a-www.life.example", "TXT", time.Minute, owned), set("*.apps.life.example", "A", 0, "192.0.2.5"),
		set("alias.life.example", "CNAME", time.Hour, "lb2.example.net"),
		set("sub.life.example", "NS", time.Hour, "ns1.example.net"), set("text.life.example", "TXT", time.Minute, "other words"))
	c.become(zone)
}

func (c *chained) swaps() {
	const zone = "swap.example"
	address, text := set("www.swap.example", "A", time.Minute, "192.0.2.1"), set("a-www.swap.example", "TXT", time.Minute, owned)
	alias := set("www.swap.example", "CNAME", time.Minute, "lb.example.net")
	for range 2 {
		c.become(zone, address, text)
		c.become(zone, alias, text)
	}
	c.become(zone)
}

// BIND refuses an address at a name with an underscore (check-names), and with it the message, into which
// the provider puts 50 records.
func (c *chained) oneBadRecord() {
	const zone = "bad.example"
	var want []backend.RRset
	for i := range 60 {
		name := fmt.Sprintf("h%02d.bad.example", i)
		want = append(want, set(name, "A", time.Minute, "192.0.2.1"), set("a-"+name, "TXT", time.Minute, owned))
	}
	bad := set("_bad.bad.example", "A", time.Minute, "192.0.2.1")
	for range 2 {
		err := c.Apply(c.Context(), zone, c.difference(zone, append(slices.Clone(want), bad)))
		all := backend.Errors(err)
		if len(all) != 1 || all[0].Key != bad.Key || all[0].Kind != backend.Temporary || !strings.Contains(err.Error(), "500") {
			c.Errorf("error %v, want one about %s", err, bad.Key)
		}
		if left := c.difference(zone, want); len(left) != 0 {
			c.Errorf("%d records besides were not made, the first is %s", len(left), left[0].Key())
		}
		want = append(want, set("later.bad.example", "A", time.Minute, "192.0.2.2"))
	}
	c.become(zone)
}

// The provider would add its values to theirs.
func (c *chained) othersRecords() {
	const zone = "foreign.example"
	theirs := set("www.foreign.example", "A", time.Minute, "198.51.100.1")
	c.bind.put(c.T, zone, theirs)
	mail := set("mail.foreign.example", "MX", time.Minute, "10 mx.example.net")
	c.bind.put(c.T, zone, mail)
	ours, other := set("www.foreign.example", "A", time.Minute, "192.0.2.1"), set("other.foreign.example", "A", time.Minute, "192.0.2.1")
	alias := set("www.foreign.example", "CNAME", time.Minute, "lb.example.net")
	for _, wanted := range []backend.RRset{ours, alias} {
		err := c.Apply(c.Context(), zone, []backend.Change{{New: &wanted}, {New: &other}})
		if all := backend.Errors(err); len(all) != 1 || all[0].Key != wanted.Key || all[0].Kind != backend.Conflict {
			c.Errorf("error %v, want a conflict about %s", err, wanted.Key)
		}
	}
	c.bind.verify(c.T, []backend.RRset{theirs, other, mail})
}

// docs/backends/chain.md says what the provider is too weak for. What it does then does no harm to others.
func (c *chained) weaknesses() {
	const zone = "weak.example"
	all := openChain(c.T, chain.Config{URL: stack.WebhookServerURL})
	long := set("long.weak.example", "TXT", time.Minute, strings.Repeat("a", 300))
	quotes := set("quotes.weak.example", "TXT", time.Minute, `say "hi"`)
	mail := set("mail.weak.example", "MX", time.Minute, "10 mx.example.net")
	fine := set("fine.weak.example", "A", time.Minute, "192.0.2.1")
	if err := all.Apply(c.Context(), zone, []backend.Change{{New: &long}, {New: &quotes}, {New: &mail}, {New: &fine}}); err != nil {
		c.Error(err)
	}
	c.bind.verify(c.T, []backend.RRset{long, quotes, mail, fine})
	want := []backend.RRset{fine, set(long.Name, "TXT", time.Minute, strings.Repeat("a", 255), strings.Repeat("a", 45)), set(quotes.Name, "TXT", time.Minute, `say \"hi\"`)}
	if diff := cmp.Diff(want, c.list(zone), cmpopts.SortSlices(func(a, b backend.RRset) bool { return a.Name < b.Name })); diff != "" {
		c.Errorf("it is able to do more, or less, than the documentation says: -want +listed\n%s", diff)
	}
	err := c.Apply(c.Context(), zone, []backend.Change{{New: &long}, {New: &mail}})
	var kinds []backend.Kind
	for _, e := range backend.Errors(err) {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []backend.Kind{backend.Conflict, backend.Rejected}) {
		c.Errorf("error %v, want a conflict about the long text, and a refusal of MX by its type", err)
	}
}

func (c *chained) noZones() {
	if _, err := c.Zones(c.Context()); backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), "set zones") {
		c.Errorf("zones of a provider without a filter: %v", err)
	}
}

// wholePath is external-dns → our webhook → external-dns as a webhook server → BIND.
func wholePath(t *testing.T, bind *dnsServer, s *stack.Stack) {
	near, err := s.Webhook(t.Context(), stack.WebhookConfig{Name: "near", Program: builtWebhook(t), Args: []string{"--no-kubernetes"},
		ConfigYAML: nearConfig(stack.WebhookServerURL, "zones: [path.example]", "types: [A, AAAA, CNAME, NS, PTR, TXT]")})
	if err != nil {
		t.Fatal(err)
	}
	journey(t, s, bind.addr, near)
}

// nearConfig is a webhook that publishes the hub's address in place of others by way of another webhook.
func nearConfig(url string, view, settings string) string {
	return fmt.Sprintf(`
views:
- name: near
  %s
  rules: [{match: {hosts: ["kept.*"]}, action: keep}, {action: rewrite, target: hub}]
  backend:
    chain:
      url: %s
      %s
targets: {hub: {static: ['203.0.113.10']}}
rails: {maxDeleteShare: 1}
`, view, url, settings)
}

// journey is the life of a few names in path.example by the real external-dns: they are rewritten, the
// second loop plans nothing, changes arrive, and the other webhook's end does not end external-dns.
func journey(t *testing.T, s *stack.Stack, addr string, near *stack.Webhook) {
	source := newSource(t)
	host := func(name, typ string, targets ...string) *endpoint.Endpoint {
		return endpoint.NewEndpoint(name+".path.example", typ, targets...)
	}
	answers := func(name, typ string, values ...string) {
		t.Helper()
		if err := stack.EventuallyAnswers(t.Context(), soon, addr, name+".path.example", typ, values...); err != nil {
			t.Fatal(err)
		}
	}
	source.serve(host("shop", "A", "10.1.0.10"), host("kept", "A", "10.1.0.11"), host("kept", "AAAA", "fd00::1"), host("kept.alias", "CNAME", "lb.example.net"),
		endpoint.NewEndpointWithTTL("kept.ttl.path.example", "A", 420, "10.1.0.12"))
	dns, err := s.ExternalDNS(t.Context(), stack.ExternalDNSConfig{WebhookURL: near.API, Sources: []string{"connector"}, ExtraArgs: []string{"--connector-source-server=" + source.address}})
	if err != nil {
		t.Fatal(err)
	}
	answers("shop", "A", "203.0.113.10")
	answers("kept", "A", "10.1.0.11")
	answers("kept", "AAAA", "fd00::1")
	answers("kept.alias", "CNAME", "lb.example.net")
	answers("kept.ttl", "A", "10.1.0.12")
	staysSettled(t, dns)
	source.serve(host("shop", "A", "10.1.0.10"), host("kept", "A", "10.1.0.99"), host("kept.alias", "A", "10.1.0.13"))
	answers("kept", "A", "10.1.0.99")
	answers("kept", "AAAA")
	answers("kept.alias", "A", "10.1.0.13")
	answers("kept.ttl", "A")
	staysSettled(t, dns)
	source.serve()
	answers("shop", "A")
	staysSettled(t, dns)
	select {
	case <-dns.Done():
		t.Error("external-dns ended")
	default:
	}
}

// staysSettled requires that three loops in a row plan nothing once nothing is left to do.
func staysSettled(t *testing.T, dns *stack.ExternalDNS) {
	t.Helper()
	var last stack.Loops
	quiet := -1
	err := stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
		now, err := dns.Loops(ctx)
		if err != nil {
			return err
		}
		if now.Idle > last.Idle {
			quiet++
		}
		if now.Applies > last.Applies {
			quiet = 0
		}
		last = now
		if quiet < 3 {
			return fmt.Errorf("loops %+v: only %d planned nothing since the last change", now, quiet)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// source serves endpoints to external-dns's connector source.
type source struct {
	address   string
	endpoints atomic.Pointer[[]*endpoint.Endpoint]
}

func newSource(t *testing.T) *source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &source{address: l.Addr().String()}
	c.serve()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = gob.NewEncoder(conn).Encode(*c.endpoints.Load())
			_ = conn.Close()
		}
	}()
	return c
}

func (c *source) serve(endpoints ...*endpoint.Endpoint) { c.endpoints.Store(&endpoints) }

// external-dns → our webhook → our webhook → BIND, whose zones the first learns from the second, which
// comes up later and is killed on the way.
func TestChainOfOurPrograms(t *testing.T) {
	t.Parallel()
	s := stack.ForTest(t)
	n, err := s.Named(t.Context(), stack.NamedConfig{Zones: []string{"path.example"}})
	if err != nil {
		t.Fatal(err)
	}
	program := builtWebhook(t)
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	near, err := s.Webhook(t.Context(), stack.WebhookConfig{Name: "near", Program: program, Unready: true, Args: []string{"--no-kubernetes"},
		ConfigYAML: nearConfig(fmt.Sprintf("http://127.0.0.1:%d", port), "", "timeout: 5s")})
	if err != nil {
		t.Fatal(err)
	}
	farAway := stack.WebhookConfig{Name: "far", Program: program, APIPort: port, Args: []string{"--no-kubernetes"}, ConfigYAML: farConfig(n, "path.example")}
	far, err := s.Webhook(t.Context(), farAway)
	if err != nil {
		t.Fatal(err)
	}
	if err := stack.Eventually(t.Context(), soon, near.Ready); err != nil {
		t.Fatal(err)
	}
	source := newSource(t)
	journey(t, s, n.Addr, near)

	source.serve(endpoint.NewEndpoint("late.path.example", "A", "10.1.0.10"))
	dns, err := s.ExternalDNS(t.Context(), stack.ExternalDNSConfig{Owner: "other", WebhookURL: near.API, Sources: []string{"connector"},
		ExtraArgs: []string{"--connector-source-server=" + source.address}})
	if err != nil {
		t.Fatal(err)
	}
	if err := stack.EventuallyAnswers(t.Context(), soon, n.Addr, "late.path.example", "A", "203.0.113.10"); err != nil {
		t.Fatal(err)
	}
	before, err := dns.Loops(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	far.Kill()
	source.serve(endpoint.NewEndpoint("later.path.example", "A", "10.1.0.10"))
	if err := stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
		now, err := dns.Loops(ctx)
		if err == nil && now.Errors < before.Errors+2 {
			err = fmt.Errorf("external-dns met %g errors, and before the other webhook was killed %g", now.Errors, before.Errors)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Webhook(t.Context(), farAway); err != nil {
		t.Fatal(err)
	}
	if err := stack.EventuallyAnswers(t.Context(), soon, n.Addr, "later.path.example", "A", "203.0.113.10"); err != nil {
		t.Fatal(err)
	}
	if err := stack.EventuallyAnswers(t.Context(), soon, n.Addr, "late.path.example", "A"); err != nil {
		t.Fatal(err)
	}
	staysSettled(t, dns)
}
