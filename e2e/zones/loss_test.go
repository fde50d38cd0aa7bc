package zones

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// TestLoss: servers lose what they have in every way, and get it again: what objects ask for, and what others wrote.
func TestLoss(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	c := s.follower("c", "catalog.loss", a, b)
	zone := s.dnszone("zone", s.zone)
	s.create(zone, s.dnsrecord("www", "zone", "A", "192.0.2.1"), s.dnsrecord("*.apps", "zone", "A", "192.0.2.80"))
	z := s.zone
	s.is(zone, v1alpha1.Ready, "True Serving")
	for _, p := range []*stack.BIND{a, b} {
		s.update(p, z, "hand."+z+" 300 TXT by-hand")
	}
	s.answers("hand."+z, "TXT", []string{`"by-hand"`}, a, b, c)
	whole := func() {
		t.Helper()
		s.answers("www."+z, "A", []string{"192.0.2.1"}, a, b, c)
		s.answers("x.apps."+z, "A", []string{"192.0.2.80"}, a, b, c)
		s.answers("hand."+z, "TXT", []string{`"by-hand"`}, a, b, c)
		s.is(zone, v1alpha1.Ready, "True Serving")
	}

	t.Log("SIGKILL, and the journals are gone")
	a.Kill()
	erase(t, a, "*.jnl")
	s.must(a.Restart(s.ctx))
	whole()

	t.Log("a new disk: everything is gone")
	a.Kill()
	erase(t, a, "spokedns.*", "*.nzf", "*.nzd*", "*.jnl")
	s.must(a.Restart(s.ctx))
	whole()

	t.Log("a snapshot of earlier is restored")
	s.rndc(b, "sync", "-clean")
	snapshot := snapshotOf(t, b)
	s.create(s.dnsrecord("later", "zone", "A", "192.0.2.77"))
	s.answers("later."+z, "A", []string{"192.0.2.77"}, a, b, c)
	b.Kill()
	erase(t, b, "spokedns.*", "*.jnl")
	for name, text := range snapshot {
		s.must(os.WriteFile(filepath.Join(b.Dir, name), text, 0o600))
	}
	s.must(b.Restart(s.ctx))
	s.answers("later."+z, "A", []string{"192.0.2.77"}, a, b, c)
	whole()

	t.Log("the zone is deleted by hand")
	s.rndc(a, "delzone", "-clean", z)
	whole()

	t.Log("a secondary loses everything")
	c.Kill()
	erase(t, c, "*.db", "__catz__*", "*.jnl")
	s.must(c.Restart(s.ctx))
	whole()

	t.Log("both primaries are emptied while nobody looks: the secondary still knows what others wrote")
	parts.controller.Kill()
	a.Kill()
	b.Kill()
	for _, p := range []*stack.BIND{a, b} {
		erase(t, p, "spokedns.*", "*.nzf", "*.nzd*", "*.jnl")
		s.must(p.Restart(s.ctx))
	}
	s.must(parts.controller.Restart(s.ctx))
	s.answers("www."+z, "A", []string{"192.0.2.1"}, a, b, c)
	s.is(zone, v1alpha1.Ready, "True Serving")
}

// TestHands: what people do on servers by hand is put right where it is ours, and stays where it is not.
func TestHands(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	zone := s.dnszone("zone", s.zone)
	s.create(zone, s.dnsrecord("www", "zone", "A", "192.0.2.1"), s.dnsrecord("api", "zone", "A", "192.0.2.2"))
	z := s.zone
	s.is(zone, v1alpha1.Ready, "True Serving")

	s.nsupdate(a, "update delete www."+z+" A", "update add www."+z+" 60 A 203.0.113.1", "update add extra."+z+" 60 A 203.0.113.2")
	s.answers("www."+z, "A", []string{"192.0.2.1"}, a, b)
	if got := s.is(zone, v1alpha1.Degraded, "True PrimariesDiffer"); !strings.Contains(got, "extra."+z) {
		t.Errorf("%q does not name what differs", got)
	}
	s.answers("extra."+z, "A", []string{"203.0.113.2"}, a)
	s.answers("extra."+z, "A", nil, b)
	s.nsupdate(a, "update delete extra."+z)
	s.is(zone, v1alpha1.Degraded, "False AsWished")

	t.Log("a name that somebody else has")
	for _, p := range []*stack.BIND{a, b} {
		s.nsupdate(p, "update add taken."+z+" 60 A 203.0.113.3")
	}
	taken := s.dnsrecord("taken", "zone", "A", "192.0.2.3")
	s.create(taken)
	s.is(taken, v1alpha1.Ready, "False Conflict")
	s.answers("taken."+z, "A", []string{"203.0.113.3"}, a, b)
	for _, p := range []*stack.BIND{a, b} {
		s.nsupdate(p, "update delete taken."+z)
	}
	s.answers("taken."+z, "A", []string{"192.0.2.3"}, a, b)
	s.is(taken, v1alpha1.Ready, "True Answered")

	t.Log("frozen: updates are refused until somebody thaws it")
	s.rndc(a, "freeze", z)
	frozen := s.dnsrecord("frozen", "zone", "A", "192.0.2.4")
	s.create(frozen)
	s.answers("frozen."+z, "A", []string{"192.0.2.4"}, b)
	s.not(frozen, v1alpha1.Ready)
	s.rndc(a, "thaw", z)
	s.answers("frozen."+z, "A", []string{"192.0.2.4"}, a)
	s.is(frozen, v1alpha1.Ready, "True Answered")
}

// TestTrouble: a server that cannot be used harms no other, and says what is wrong with it.
func TestTrouble(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	zone := s.dnszone("zone", s.zone)
	s.create(zone, s.dnsrecord("one", "zone", "A", "192.0.2.1"))
	z := s.zone
	s.is(zone, v1alpha1.Ready, "True Serving")
	server := &v1alpha1.DNSServer{}
	server.Namespace, server.Name = s.ns, "a"

	t.Log("the server is down")
	a.Kill()
	s.is(zone, v1alpha1.Ready, "False NotServing")
	two := s.dnsrecord("two", "zone", "A", "192.0.2.2")
	s.create(two)
	s.answers("two."+z, "A", []string{"192.0.2.2"}, b)
	s.is(two, v1alpha1.Ready, "False ServerUnreachable")
	s.is(server, v1alpha1.Ready, "False Unreachable")
	s.must(a.Restart(s.ctx))
	s.answers("two."+z, "A", []string{"192.0.2.2"}, a)
	s.is(two, v1alpha1.Ready, "True Answered")
	s.is(server, v1alpha1.Ready, "True Usable")

	t.Log("the control channel is down: what is there goes on")
	change(s, server, func(o *v1alpha1.DNSServer) { o.Spec.Control.RNDC.Address = "127.0.0.1:9" })
	s.is(server, v1alpha1.Controlled, "False ControlUnreachable")
	three := s.dnsrecord("three", "zone", "A", "192.0.2.3")
	s.create(three)
	s.answers("three."+z, "A", []string{"192.0.2.3"}, a, b)
	s.is(three, v1alpha1.Ready, "True Answered")
	change(s, server, func(o *v1alpha1.DNSServer) { o.Spec.Control.RNDC.Address = a.Control })
	s.is(server, v1alpha1.Ready, "True Usable")

	t.Log("the key is another one, and then malformed, missing, and right")
	key := a.Key
	for _, wrong := range []struct {
		key    stack.TSIGKey
		reason string
	}{
		{stack.TSIGKey{Name: key.Name, Algorithm: key.Algorithm, Secret: "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="}, "False Denied"},
		{stack.TSIGKey{Name: key.Name, Algorithm: key.Algorithm, Secret: "no base64!"}, "False SecretMalformed"},
	} {
		s.setKey("a", wrong.key)
		s.is(server, v1alpha1.Ready, wrong.reason)
	}
	four := s.dnsrecord("four", "zone", "A", "192.0.2.4")
	s.create(four)
	s.answers("four."+z, "A", []string{"192.0.2.4"}, b)
	s.is(four, v1alpha1.Ready, "False ServerUnreachable")
	change(s, server, func(o *v1alpha1.DNSServer) { o.Spec.TSIG.Name = "nowhere" })
	s.is(server, v1alpha1.Ready, "False SecretNotFound")
	change(s, server, func(o *v1alpha1.DNSServer) { o.Spec.TSIG.Name = "a" })
	s.setKey("a", key)
	s.answers("four."+z, "A", []string{"192.0.2.4"}, a)
	s.is(four, v1alpha1.Ready, "True Answered")
	s.is(zone, v1alpha1.Ready, "True Serving")
}

// erase removes files of a server that does not run.
func erase(t *testing.T, b *stack.BIND, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(b.Dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// snapshotOf is a copy of a server's zone files.
func snapshotOf(t *testing.T, b *stack.BIND) map[string][]byte {
	t.Helper()
	names, err := b.Files("spokedns.")
	if err != nil || len(names) == 0 {
		t.Fatalf("%q, %v", names, err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = os.ReadFile(filepath.Join(b.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// rndc is BIND's own control program.
func (s *site) rndc(b *stack.BIND, args ...string) {
	s.Helper()
	program, err := stack.System("rndc", "bind9-utils")
	s.must(err)
	file := filepath.Join(b.Dir, "rndc.conf")
	s.must(os.WriteFile(file, fmt.Appendf(nil, "key %q { algorithm %s; secret %q; };\n", b.ControlKey.Name, b.ControlKey.Algorithm, b.ControlKey.Secret), 0o600))
	host, port, _ := strings.Cut(b.Control, ":")
	out, err := exec.CommandContext(s.ctx, program, append([]string{"-s", host, "-p", port, "-k", file}, args...)...).CombinedOutput()
	if err != nil {
		s.Fatalf("rndc %q: %v: %s", args, err, out)
	}
}

// nsupdate is BIND's own program for updates.
func (s *site) nsupdate(b *stack.BIND, lines ...string) {
	s.Helper()
	program, err := stack.System("nsupdate", "bind9-dnsutils")
	s.must(err)
	host, port, _ := strings.Cut(b.Addr, ":")
	cmd := exec.CommandContext(s.ctx, program, "-y", b.Key.Algorithm+":"+b.Key.Name+":"+b.Key.Secret)
	cmd.Stdin = strings.NewReader("server " + host + " " + port + "\n" + strings.Join(lines, "\n") + "\nsend\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("nsupdate %q: %v: %s", lines, err, out)
	}
}

// update adds a record by hand.
func (s *site) update(b *stack.BIND, zone, record string) {
	s.Helper()
	rr, err := dns.NewRR(record)
	s.must(err)
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	m.Insert([]dns.RR{rr})
	m.SetTsig(dns.Fqdn(b.Key.Name), dns.Fqdn(b.Key.Algorithm), 300, time.Now().Unix())
	c := dns.Client{Net: "tcp", Timeout: 10 * time.Second, TsigSecret: map[string]string{dns.Fqdn(b.Key.Name): b.Key.Secret}}
	in, _, err := c.ExchangeContext(s.ctx, m, b.Addr)
	s.must(err)
	if in.Rcode != dns.RcodeSuccess {
		s.Fatalf("update by hand: %s", dns.RcodeToString[in.Rcode])
	}
}

// not waits until a record is not Ready.
func (s *site) not(r *v1alpha1.DNSRecord, kind string) {
	s.Helper()
	check := func(ctx context.Context) error {
		if err := parts.client.Get(ctx, keyOf(r), r); err != nil {
			return err
		}
		for _, c := range r.Status.Conditions {
			if c.Type == kind && c.Status == "False" {
				return nil
			}
		}
		return fmt.Errorf("%s is %+v, want it not %s", r.Name, r.Status, kind)
	}
	s.must(stack.Eventually(s.ctx, patience, check))
}
