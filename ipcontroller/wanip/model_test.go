package wanip_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// TestWhateverHappens lets leaders come and go, the server fail and hands meddle, and looks at every write:
// sequences rise, histories only grow at their end, no address is taken away, and what stands there in the
// end is what the last leader found.
func TestWhateverHappens(t *testing.T) {
	found := []netip.Addr{v4, netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("1.1.1.1")}
	clocked(t, func(t *testing.T) {
		// Wrapped, the test does not tell rapid its deadline, which is not of this clock.
		rapid.Check(struct{ *testing.T }{t}, func(t *rapid.T) {
			a := newAPIServer()
			leaders := []*wanip.Writer{writer(a, 0, wanip.IPv4)}
			one := func() *wanip.Writer { return rapid.SampledFrom(leaders).Draw(t, "leader") }
			var last wanip.State
			look := func() {
				for _, cm := range a.writes {
					s, err := wanip.Decode(cm)
					if err != nil {
						t.Fatalf("written: %v", err)
					}
					if s.Sequence <= last.Sequence {
						t.Fatalf("sequence %d after %d", s.Sequence, last.Sequence)
					}
					kept := last.History[max(0, len(last.History)+len(grown(last, s))-wanip.HistoryLength):]
					if diff := cmp.Diff(append(append([]wanip.Change{}, kept...), grown(last, s)...), s.History, equal()); diff != "" {
						t.Fatal("the history was rewritten:", diff)
					}
					if last.IPv4.Addr.IsValid() && !s.IPv4.Addr.IsValid() {
						t.Fatalf("blanked: %+v", s.IPv4)
					}
					last = s
				}
				a.writes = nil
			}
			t.Repeat(map[string]func(*rapid.T){
				"wait":  func(*rapid.T) { time.Sleep(40 * time.Second) },
				"elect": func(*rapid.T) { leaders = append(leaders, writer(a, int64(len(leaders)), wanip.IPv4)) },
				"claim": func(t *rapid.T) { _, _ = one().Claim(t.Context()) },
				"report": func(t *rapid.T) {
					_, _ = one().Write(t.Context(), quorum(rapid.SampledFrom(found).Draw(t, "address")))
				},
				"canary": func(t *rapid.T) {
					_, _ = one().Write(t.Context(), canary(rapid.SampledFrom(found).Draw(t, "address")))
				},
				"hold": func(t *rapid.T) {
					_, _ = one().Write(t.Context(), wanip.Report{Family: wanip.IPv4, At: time.Now(), Status: wanip.Holding})
				},
				"check": func(t *rapid.T) { _ = one().Check(t.Context()) },
				"fault": func(t *rapid.T) {
					a.faults = rapid.SliceOfN(rapid.SampledFrom([]fault{none, refused, lost, hangs, overtook}), 1, 4).Draw(t, "faults")
				},
				"meddle": func(*rapid.T) {
					if a.stored(name) != nil {
						a.edit(name, a.meddler)
					}
				},
				"": func(*rapid.T) { look() },
			})
			a.faults = nil
			w := writer(a, 1000, wanip.IPv4)
			if _, err := w.Claim(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(t.Context(), quorum(v4)); err != nil {
				t.Fatal(err)
			}
			look()
			if r4, _ := last.At(time.Now()); r4.Addr != v4 || last.Epoch != 1000 {
				t.Fatalf("in the end there is %+v", last)
			}
			for _, deposed := range leaders {
				_, _ = deposed.Write(t.Context(), quorum(found[1]))
			}
			if len(a.writes) != 0 {
				t.Fatal("a deposed leader has written")
			}
		})
	})
}

// grown are the changes that s has and last had not.
func grown(last, s wanip.State) (out []wanip.Change) {
	for _, c := range s.History {
		if c.Sequence > last.Sequence {
			out = append(out, c)
		}
	}
	return out
}
