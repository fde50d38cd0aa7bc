package dns_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// write adds a record as somebody with nsupdate.
func (s *server) write(t *testing.T, record string) {
	t.Helper()
	rr, err := dns.NewRR(record)
	if err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	m.Insert([]dns.RR{rr})
	m.SetTsig(dns.Fqdn(s.key.Name), dns.Fqdn(s.key.Algorithm), 300, time.Now().Unix())
	c := dns.Client{Net: "tcp", Timeout: patience, TsigSecret: map[string]string{dns.Fqdn(s.key.Name): s.key.Secret}}
	in, _, err := c.ExchangeContext(t.Context(), m, s.addr)
	if err != nil || in.Rcode != dns.RcodeSuccess {
		t.Fatalf("%s: %v (%v)", record, in, err)
	}
}

func TestWhatOthersSpellInAnotherWay(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		s.write(t, "SVC.zone.example. 60 SVCB 1 LB.Example.NET. alpn=h2")
		s.write(t, "zone.example. 60 CAA 0 issue CA.example")
		s.write(t, `cut.zone.example. 60 TXT "in" "pieces"`)
		s.write(t, "fp.zone.example. 60 SSHFP 4 2 "+strings.Repeat("ab", 32))
		stands := []backend.RRset{
			set("svc", "SVCB", 60, "1 lb.example.net alpn=h2"), set("@", "CAA", 60, `0 issue "CA.example"`),
			set("cut", "TXT", 60, "inpieces"), set("fp", "SSHFP", 60, "4 2 "+strings.Repeat("AB", 32)),
		}
		sets, _ := transfer(t, z)
		var changes []backend.Change
		for i, r := range stands {
			if got := sets[r.Key]; !got.Same(&r) || got.TTL != r.TTL {
				t.Errorf("%s is %q, want %q", r.Key, got.Values, r.Values)
			}
			changes = append(changes, backend.Change{Old: &stands[i]})
		}
		requireAnswers(t, z, stands...)
		svc := set("svc", "SVCB", 90, "2 lb2.example.net")
		changes[0].New = &svc
		apply(t, z, changes...)
		sets, _ = transfer(t, z)
		if got := sets[svc.Key]; !got.Same(&svc) || len(sets) != 3 {
			t.Errorf("%d RRsets are left, and %q; want SOA, NS and %q", len(sets), got.Values, svc.Values)
		}
	})
}

func TestZonesLeaveAloneWhatIsNotAsBelieved(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		s.write(t, `taken.zone.example. 60 CAA 0 issue "theirs.example"`)
		s.write(t, `taken2.zone.example. 60 TLSA 3 1 1 abcd`)
		err := z.Apply(t.Context(), zone, append(create(
			set("taken", "CAA", 60, `0 issue "ours.example"`), set("taken2", "CNAME", 60, "www.zone.example"), set("free", "CAA", 60, `0 issue "ours.example"`),
		), backend.Change{Old: &backend.RRset{Key: backend.Key{Name: "gone." + zone, Type: "TLSA"}, Values: []string{"3 1 1 ab"}}}))
		all := backend.Errors(err)
		if err == nil || len(all) != 2 {
			t.Fatalf("want two conflicts, got %v", err)
		}
		for _, e := range all {
			if e.Kind != backend.Conflict {
				t.Errorf("want a conflict, got %v", e)
			}
		}
		requireAnswers(t, z, set("taken", "CAA", 60, `0 issue "theirs.example"`), set("taken2", "TLSA", 60, "3 1 1 abcd"), set("free", "CAA", 60, `0 issue "ours.example"`),
			backend.RRset{Key: backend.Key{Name: "taken2." + zone, Type: "CNAME"}})
	})
}

func TestAliasesComeAndGoInOneStep(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		a, caa, cname := set("www", "A", 60, "192.0.2.1"), set("www", "CAA", 60, `0 issue "ca.example"`), set("www", "CNAME", 60, "lb.example.net")
		apply(t, z, create(a, caa)...)
		s.write(t, "www.zone.example. 60 HINFO PC Linux")
		if err := z.Apply(t.Context(), zone, []backend.Change{{Old: &a}, {Old: &caa}, {New: &cname}}); backend.KindOf(err) != backend.Conflict || err == nil {
			t.Errorf("an alias beside what somebody else wrote: %v", err)
		}
		requireAnswers(t, z, a, caa)
		hinfo := set("www", "HINFO", 60, `"PC" "Linux"`)
		apply(t, z, backend.Change{Old: &a}, backend.Change{Old: &caa}, backend.Change{Old: &hinfo}, backend.Change{New: &cname})
		requireAnswers(t, z, cname)
		apply(t, z, backend.Change{Old: &cname}, backend.Change{New: &caa})
		requireAnswers(t, z, caa)
	})
}

// TestManyZones asks about three hundred zones at once, and changes and transfers them, with few connections:
// the server takes fewer than there are zones.
func TestManyZones(t *testing.T) {
	t.Parallel()
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("z%03d.example", i)
	}
	_, s := startBIND(t, stack.NamedConfig{Zones: names})
	z := s.open(t)
	errs := make([]error, len(names))
	began := time.Now()
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			_, errs[i] = z.SOA(t.Context(), name)
		})
	}
	all.Wait()
	t.Logf("the SOA of %d zones in %s", len(names), time.Since(began))
	workers := make(chan struct{}, 10)
	for i, name := range names {
		workers <- struct{}{}
		all.Go(func() {
			defer func() { <-workers }()
			www := backend.RRset{Key: backend.Key{Name: "www." + name, Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}}
			err := z.Apply(t.Context(), name, []backend.Change{{New: &www}})
			sets, _, transferErr := z.Transfer(t.Context(), name)
			if len(sets) != 3 {
				err = errors.Join(err, fmt.Errorf("%s has %d RRsets", name, len(sets)))
			}
			errs[i] = errors.Join(errs[i], err, transferErr, z.Answers(t.Context(), name, []backend.RRset{www})[0])
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestZonesOverTLS(t *testing.T) {
	t.Parallel()
	n, _ := startBIND(t, stack.NamedConfig{TLS: true})
	c := rfc2136.Config{Servers: []string{n.TLSAddr}, Timeout: patience, TSIG: rfc2136.TSIG{Name: n.Key.Name, Secret: n.Key.Secret}, TLS: rfc2136.TLS{Enabled: true}}
	c.TLS.CAFile = n.CAFile
	z, err := rfc2136.NewZones(c)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var hosts []backend.RRset
	for i := range 3000 {
		hosts = append(hosts, set(fmt.Sprintf("host%04d", i), "A", 60, "192.0.2.1"))
	}
	apply(t, z, create(hosts...)...)
	requireAnswers(t, z, hosts...)
	if sets, _ := transfer(t, z); len(sets) != len(hosts)+2 {
		t.Errorf("%d RRsets are transferred", len(sets))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := z.SOA(ctx, zone); backend.KindOf(err) != backend.Temporary || err == nil {
		t.Errorf("with a context that has ended: %v", err)
	}
}
