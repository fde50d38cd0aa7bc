package nameserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// TestLossIsFilled loses what a server holds, in every way there is, and fills it again.
func TestLossIsFilled(t *testing.T) {
	for _, loss := range []struct {
		name string
		lose func(t *testing.T, b *stack.BIND) // with the server ended
	}{
		{"the zone's file", func(t *testing.T, b *stack.BIND) { erase(t, b, "spokedns.*") }},
		{"the journal", func(t *testing.T, b *stack.BIND) { erase(t, b, "*.jnl") }},
		{"the disk", func(t *testing.T, b *stack.BIND) { erase(t, b, "spokedns.*", "*.nzd*") }},
		{"the list of zones", func(t *testing.T, b *stack.BIND) { erase(t, b, "*.nzd*") }},
		{"a file that is no zone", func(t *testing.T, b *stack.BIND) {
			erase(t, b, "*.jnl")
			for _, path := range matches(t, b, "spokedns.*.db") {
				if err := os.WriteFile(path, []byte("this is no zone"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(loss.name, func(t *testing.T) {
			ctx := t.Context()
			b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
			s := open(t, b, v1alpha1.Primary, startSeed(t))
			z := nameserver.ZoneConfig{Zone: "example.org"}
			if _, err := s.Ensure(ctx, z, content(z.Zone, 5, 3)); err != nil {
				t.Fatal(err)
			}
			if err := update(ctx, s, z.Zone); err != nil {
				t.Fatal(err)
			}
			before, err := s.State(ctx, z.Zone)
			if err != nil || before.SOA.Serial != 6 {
				t.Fatalf("%+v, %v; want serial 6", before, err)
			}
			b.Kill()
			loss.lose(t, b)
			if err := b.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			z.Floor = before.SOA.Serial
			changed, err := s.Ensure(ctx, z, content(z.Zone, z.Floor+1, 4))
			if err != nil || !changed {
				t.Fatalf("Ensure: %t, %v; want true, nil", changed, err)
			}
			if err := stack.EventuallyAnswers(ctx, time.Second, b.Addr, "host3.example.org", "A", "10.0.0.3"); err != nil {
				t.Error(err)
			}
			if err := stack.EventuallyAnswers(ctx, time.Second, b.Addr, "added.example.org", "A"); err != nil {
				t.Errorf("of the life before: %v", err)
			}
			if after, err := s.State(ctx, z.Zone); err != nil || after.SOA.Serial != 7 {
				t.Errorf("%+v, %v; want serial 7", after, err)
			}
		})
	}
}

// TestNothingIsDeletedWithoutContent has a zone of older content stay as it is while there is no other content.
func TestNothingIsDeletedWithoutContent(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	z := nameserver.ZoneConfig{Zone: "example.org"}
	if _, err := s.Ensure(ctx, z, content(z.Zone, 5, 3)); err != nil {
		t.Fatal(err)
	}
	z.Floor = 10
	none := errors.New("no objects yet")
	if _, err := s.Ensure(ctx, z, failing(none)); !errors.Is(err, none) {
		t.Errorf("Ensure: %v; want %v", err, none)
	}
	if state, err := s.State(ctx, z.Zone); err != nil || state.Is != nameserver.Serving || state.SOA.Serial != 5 {
		t.Errorf("%+v, %v; want serial 5 served", state, err)
	}
}

func erase(t *testing.T, b *stack.BIND, patterns ...string) {
	t.Helper()
	erased := 0
	for _, p := range patterns {
		for _, path := range matches(t, b, p) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			erased++
		}
	}
	if erased == 0 {
		t.Fatalf("nothing is called %q", patterns)
	}
}

func matches(t *testing.T, b *stack.BIND, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(b.Dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNeverNoSuchName asks without pause while a zone of 1,000 records comes, and once more while it is
// filled after a loss: the server either knows nothing of the zone, or all of it.
func TestNeverNoSuchName(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	z := nameserver.ZoneConfig{Zone: "example.org"}
	seen := watch(t, b.Addr, "host999.example.org")
	for serial := range uint32(5) {
		z.Floor = serial
		if _, err := s.Ensure(ctx, z, content(z.Zone, serial+1, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	counts := seen()
	t.Log(counts)
	for answer, n := range counts {
		switch answer {
		case "NOERROR with authority and the address":
			if n == 0 {
				t.Error("it was never answered")
			}
		case "REFUSED", "SERVFAIL":
		default:
			t.Errorf("%d × %s", n, answer)
		}
	}
	if counts["REFUSED"]+counts["SERVFAIL"] == 0 || counts["NOERROR with authority and the address"] == 0 {
		t.Errorf("%v: want to have seen the zone missing and there", counts)
	}
}

// watch asks for an address without pause until the function it returns is called, which tells the answers.
func watch(t *testing.T, addr, name string) func() map[string]int {
	t.Helper()
	counts := map[string]int{}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var done sync.WaitGroup
	done.Go(func() {
		client := &dns.Client{Timeout: 2 * time.Second}
		conn, err := client.Dial(addr)
		if err != nil {
			counts[err.Error()]++
			return
		}
		defer conn.Close()
		for ctx.Err() == nil {
			m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
			in, _, err := client.ExchangeWithConn(m, conn)
			if err != nil {
				counts[err.Error()]++
				continue
			}
			answer := dns.RcodeToString[in.Rcode]
			if in.Rcode == dns.RcodeSuccess && in.Authoritative && len(in.Answer) == 1 {
				answer += " with authority and the address"
			} else if in.Authoritative {
				answer += fmt.Sprintf(" with authority and %d records", len(in.Answer))
			}
			counts[answer]++
		}
	})
	return func() map[string]int {
		cancel()
		done.Wait()
		return counts
	}
}

// TestManyRecords fills zones whose file is still being written when they are made primaries.
func TestManyRecords(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	for _, n := range []int{10_000, 70_000} {
		z := nameserver.ZoneConfig{Zone: fmt.Sprintf("n%d.test", n)}
		start := time.Now()
		if _, err := s.Ensure(ctx, z, content(z.Zone, 1, n)); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d records: %s", n, time.Since(start).Round(time.Millisecond))
		sets, _, err := s.DNS().Transfer(ctx, z.Zone)
		if err != nil || len(sets) != n+4 {
			t.Errorf("%d RRsets, %v; want %d", len(sets), err, n+4)
		}
	}
}

// TestContentThatIsRefused leaves nothing behind: neither a zone nor files.
func TestContentThatIsRefused(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	z := nameserver.ZoneConfig{Zone: "example.org"}
	_, err := s.Ensure(ctx, z, without(content(z.Zone, 1, 3), "ns.example.org"))
	if err == nil || !strings.Contains(err.Error(), "its log says") {
		t.Errorf("a name server without an address: %v; want that the content is refused", err)
	}
	if state, err := s.State(ctx, z.Zone); err != nil || state.Is != nameserver.Absent {
		t.Errorf("%+v, %v; want nothing", state, err)
	}
	nothingLeft(t, b, "spokedns.")
}
