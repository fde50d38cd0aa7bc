package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/clienttls"
)

const faultZone = "fault.example.org"

// startBIND is a BIND with one zone, and what tests do to it.
func startBIND(t *testing.T, c stack.NamedConfig) (*stack.Named, *dnsServer) {
	t.Helper()
	c.Zones = []string{faultZone}
	n := startNamed(t, c)
	return n, &dnsServer{n.Addr, n.Key, c.Zones}
}

func addressOf(i int, ip string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: fmt.Sprintf("host%05d.%s", i, faultZone), Type: "A"}, TTL: time.Minute, Values: []string{ip}}
}

// creations are n hosts with an ownership text each.
func creations(n int, ip string) []backend.Change {
	var changes []backend.Change
	for i := range n {
		a := addressOf(i, ip)
		txt := backend.RRset{Key: backend.Key{Name: "a-" + a.Name, Type: "TXT"}, TTL: time.Minute, Values: []string{`"heritage=external-dns,external-dns/owner=hub"`}}
		changes = append(changes, backend.Change{New: &a, Unit: a.Name}, backend.Change{New: &txt, Unit: a.Name})
	}
	return changes
}

func mustApply(t *testing.T, b backend.Backend, changes ...backend.Change) {
	t.Helper()
	if err := b.Apply(t.Context(), faultZone, changes); err != nil {
		t.Fatal(err)
	}
}

func mustList(t *testing.T, b backend.Backend, want int) []backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), faultZone)
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) != want {
		t.Fatalf("%d RRsets are listed, want %d", len(sets), want)
	}
	return sets
}

// requireFailure requires an error of the kind whose text contains all of words.
func requireFailure(t *testing.T, err error, kind backend.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want a %s one", kind)
	}
	if got := backend.KindOf(err); got != kind {
		t.Errorf("the error is %s, want %s: %v", got, kind, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

func TestRFC2136TransferCutHalfWay(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	mustApply(t, s.open(t, rfc2136.Config{}), creations(2000, "192.0.2.1")...)
	p := startProxy(t, n.Addr)
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}})
	for _, cut := range []int64{0, 1, 2, 100, 5_000, 100_000} {
		p.cut.Store(cut)
		sets, err := b.List(t.Context(), faultZone)
		requireFailure(t, err, backend.Temporary, "rfc2136: list "+faultZone, "closed")
		if sets != nil {
			t.Errorf("a transfer cut after %d bytes lists %d RRsets", cut, len(sets))
		}
	}
	p.cut.Store(-1)
	mustList(t, b, 4000)
}

func TestRFC2136DifferenceCutHalfWay(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	writer := s.open(t, rfc2136.Config{})
	p := startProxy(t, n.Addr)
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}})
	mustList(t, b, 0)
	mustApply(t, writer, creations(2000, "192.0.2.1")...)
	p.hangUp()
	p.cut.Store(100_000)
	_, err := b.List(t.Context(), faultZone)
	requireFailure(t, err, backend.Temporary, "closed")
	p.cut.Store(-1)
	mustList(t, b, 4000)
}

func TestRFC2136TransferRefused(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{ZoneOptions: "allow-update { any; }; allow-transfer { none; };"})
	sets, err := s.open(t, rfc2136.Config{}).List(t.Context(), faultZone)
	requireFailure(t, err, backend.Denied, "rfc2136: list "+faultZone, s.addr, "key externaldns", "transfer")
	if sets != nil {
		t.Errorf("a refused transfer lists %d RRsets", len(sets))
	}
}

func TestRFC2136UpdateRefused(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{ZoneOptions: "allow-update { none; }; allow-transfer { any; };"})
	b := s.open(t, rfc2136.Config{})
	err := b.Apply(t.Context(), faultZone, creations(100, "192.0.2.1"))
	requireFailure(t, err, backend.Denied, "rfc2136: update "+faultZone, s.addr, "key externaldns")
	if all := backend.Errors(err); len(all) != 1 {
		t.Errorf("%d errors for one reason: %v", len(all), err)
	}
	mustList(t, b, 0)
}

func TestRFC2136WrongKey(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{})
	for name, tsig := range map[string]rfc2136.TSIG{
		"secret":    {Name: s.key.Name, Secret: "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc="},
		"name":      {Name: "nobody", Secret: s.key.Secret},
		"algorithm": {Name: s.key.Name, Algorithm: "hmac-sha512", Secret: s.key.Secret},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.open(t, rfc2136.Config{TSIG: tsig})
			_, err := b.List(t.Context(), faultZone)
			requireFailure(t, err, backend.Denied, s.addr, "TSIG key "+tsig.Name)
			requireFailure(t, b.Apply(t.Context(), faultZone, creations(1, "192.0.2.1")), backend.Denied, s.addr, "TSIG key "+tsig.Name)
		})
	}
	mustList(t, s.open(t, rfc2136.Config{}), 0)
}

func TestRFC2136Algorithms(t *testing.T) {
	t.Parallel()
	var keys []stack.TSIGKey
	for _, a := range []string{"hmac-sha256", "hmac-sha384", "hmac-sha512"} {
		keys = append(keys, stack.TSIGKey{Name: "key-" + a, Algorithm: a, Secret: "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA=="})
	}
	_, s := startBIND(t, stack.NamedConfig{Keys: keys})
	for i, k := range keys {
		b := s.open(t, rfc2136.Config{TSIG: rfc2136.TSIG{Name: k.Name, Algorithm: k.Algorithm, Secret: k.Secret}})
		set := addressOf(i, "192.0.2.1")
		mustApply(t, b, backend.Change{New: &set})
		mustList(t, b, i+1)
	}
}

func TestRFC2136ZoneMissing(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{})
	b := s.open(t, rfc2136.Config{})
	_, err := b.List(t.Context(), "missing.example")
	requireFailure(t, err, backend.Rejected, "rfc2136: list missing.example", s.addr, "zone missing.example")
	set := backend.RRset{Key: backend.Key{Name: "www.missing.example", Type: "A"}, Values: []string{"192.0.2.1"}}
	err = b.Apply(t.Context(), "missing.example", []backend.Change{{New: &set}})
	requireFailure(t, err, backend.Rejected, "rfc2136: update missing.example", s.addr, "zone missing.example")
}

func TestRFC2136LostReply(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	p := startProxy(t, n.Addr)
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}})
	changes := creations(1000, "192.0.2.1")
	p.mute.Store(true)
	requireFailure(t, b.Apply(t.Context(), faultZone, changes), backend.Temporary, p.addr, "closed")
	p.mute.Store(false)
	mustApply(t, b, changes...)
	mustList(t, b, 2000)
}

func TestRFC2136ServerHangsUpBetweenCalls(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	p := startProxy(t, n.Addr)
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}})
	for i := range 5 {
		set := addressOf(i, "192.0.2.1")
		mustApply(t, b, backend.Change{New: &set})
		p.hangUp()
		mustList(t, b, i+1)
		p.hangUp()
	}
}

func TestRFC2136ReadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	p := startProxy(t, n.Addr)
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}})
	mustApply(t, b, creations(2000, "192.0.2.1")...)
	before := mustList(t, b, 4000)
	full := p.down.Load()

	if again := mustList(t, b, 4000); &again[0] != &before[0] {
		t.Error("an unchanged zone is listed as another slice")
	}
	old, wanted := addressOf(7, "192.0.2.1"), addressOf(7, "192.0.2.7")
	mustApply(t, b, backend.Change{Old: &old, New: &wanted})
	after := mustList(t, b, 4000)
	if &after[0] == &before[0] {
		t.Error("a changed zone is listed as the very same slice")
	}
	if got := p.down.Load() - full; got > 5000 {
		t.Errorf("%d bytes were read for one changed record, the whole zone is %d", got, full)
	}
}

func TestRFC2136KilledInTheMiddle(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	p := startProxy(t, n.Addr)
	var once sync.Once
	p.seen = func(down int64) {
		if down > 300 { // some messages are answered, most are still to come
			once.Do(n.Kill)
		}
	}
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}})
	changes := creations(10_000, "192.0.2.1")
	requireFailure(t, b.Apply(t.Context(), faultZone, changes), backend.Temporary, p.addr, "of 20000 changes made")
	if _, err := b.List(t.Context(), faultZone); backend.KindOf(err) != backend.Temporary || err == nil {
		t.Errorf("list from a dead server: %v, want a temporary error", err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustApply(t, b, changes...)
	mustList(t, b, 20_000)
	mustList(t, s.open(t, rfc2136.Config{}), 20_000)
}

func TestRFC2136OneRefusedAmongAHundred(t *testing.T) {
	t.Parallel()
	// The key may write addresses of every name and texts of none but host00037's.
	_, s := startBIND(t, stack.NamedConfig{ZoneOptions: `update-policy { grant externaldns zonesub A; }; allow-transfer { any; };`})
	b := s.open(t, rfc2136.Config{})
	var changes []backend.Change
	for i := range 100 {
		set := addressOf(i, "192.0.2.1")
		if i == 37 {
			set.Type, set.Values = "TXT", []string{"forbidden"}
		}
		changes = append(changes, backend.Change{New: &set})
	}
	err := b.Apply(t.Context(), faultZone, changes)
	requireFailure(t, err, backend.Denied, "host00037."+faultZone+" TXT", "REFUSED")
	if all := backend.Errors(err); len(all) != 1 {
		t.Errorf("%d errors for one refused record: %v", len(all), err)
	}
	mustList(t, b, 99)
}

func TestRFC2136TooLargeForAMessage(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{})
	b := s.open(t, rfc2136.Config{})
	huge := backend.RRset{Key: backend.Key{Name: "huge." + faultZone, Type: "A"}}
	for i := range 5000 {
		huge.Values = append(huge.Values, fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
	}
	small := addressOf(1, "192.0.2.1")
	err := b.Apply(t.Context(), faultZone, []backend.Change{{New: &huge}, {New: &small}})
	requireFailure(t, err, backend.Rejected, huge.String(), "64 KiB")
	mustList(t, b, 1)
}

func TestRFC2136HiddenRecordIsAConflict(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{})
	m := new(dns.Msg).SetUpdate(dns.Fqdn(faultZone))
	caa, err := dns.NewRR("www." + faultZone + `. 60 IN CAA 0 issue "ca.example.net"`)
	if err != nil {
		t.Fatal(err)
	}
	m.Insert([]dns.RR{caa})
	s.update(t, m)
	b := s.open(t, rfc2136.Config{})
	alias := backend.RRset{Key: backend.Key{Name: "www." + faultZone, Type: "CNAME"}, Values: []string{"lb.example.net"}}
	good := addressOf(1, "192.0.2.1")
	err = b.Apply(t.Context(), faultZone, []backend.Change{{New: &alias}, {New: &good}})
	requireFailure(t, err, backend.Conflict, alias.String())
	mustList(t, b, 1)
}

func TestRFC2136ForeignTextInSeveralStrings(t *testing.T) {
	t.Parallel()
	_, s := startBIND(t, stack.NamedConfig{})
	m := new(dns.Msg).SetUpdate(dns.Fqdn(faultZone))
	hdr := dns.RR_Header{Name: "spf." + faultZone + ".", Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}
	m.Insert([]dns.RR{&dns.TXT{Hdr: hdr, Txt: []string{"v=spf1 ", "include:example.net ", "-all"}}})
	s.update(t, m)
	b := s.open(t, rfc2136.Config{})
	old := mustList(t, b, 1)[0]
	if old.Values[0] != "v=spf1 include:example.net -all" {
		t.Fatalf("the text is listed as %q", old.Values)
	}
	wanted := old
	wanted.Values = []string{"v=spf1 -all"}
	mustApply(t, b, backend.Change{Old: &old, New: &wanted})
	s.verify(t, mustList(t, b, 1))
	mustApply(t, b, backend.Change{Old: &wanted})
	mustList(t, b, 0)
}

func TestRFC2136OverTLS(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{TLS: true})
	good := rfc2136.TLS{Enabled: true, Files: clienttls.Files{CAFile: n.CAFile}}
	b := s.open(t, rfc2136.Config{Servers: []string{n.TLSAddr}, TLS: good})
	mustApply(t, b, creations(1500, "192.0.2.1")...)
	mustList(t, b, 3000)

	named := good
	named.ServerName = "dns.internal"
	mustList(t, s.open(t, rfc2136.Config{Servers: []string{n.TLSAddr}, TLS: named}), 3000)

	for what, c := range map[string]rfc2136.TLS{
		"unknown authority": {Enabled: true},
		"other name":        {Enabled: true, Files: clienttls.Files{CAFile: n.CAFile, ServerName: "other.internal"}},
	} {
		_, err := s.open(t, rfc2136.Config{Servers: []string{n.TLSAddr}, TLS: c}).List(t.Context(), faultZone)
		if err == nil {
			t.Fatalf("%s: the certificate was accepted", what)
		}
		requireFailure(t, err, backend.Denied, n.TLSAddr, "certificate")
	}
}

func TestRFC2136SilentServer(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	p := startProxy(t, n.Addr)
	p.cut.Store(-1)
	b := s.open(t, rfc2136.Config{Servers: []string{p.addr}, Timeout: 200 * time.Millisecond})
	mustList(t, b, 0)
	if err := n.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	err := b.Apply(t.Context(), faultZone, creations(1, "192.0.2.1"))
	requireFailure(t, err, backend.Temporary, p.addr, "no answer")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("the budget of the call is spent"))
	defer cancel()
	_, err = b.List(ctx, faultZone)
	requireFailure(t, err, backend.Temporary, "the budget of the call is spent")
	if err := n.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	mustApply(t, b, creations(1, "192.0.2.1")...)
	mustList(t, b, 2)
}
