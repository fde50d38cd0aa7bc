package wanip

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMemoryNeverBelievesTooMuch: whatever is seen in whatever order, an address that is believed was once
// sound in a ConfigMap, or detected here, and is confirmed not longer ago than StaleAfter by its own time and
// by the time it was first seen; what is absent was said to be.
func TestMemoryNeverBelievesTooMuch(t *testing.T) {
	addresses := []netip.Addr{
		netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2a00::1"), {},
	}
	rapid.Check(t, func(t *rapid.T) {
		var m memory
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		type seen struct {
			addr     netip.Addr
			detected time.Time
		}
		first := map[seen]time.Time{} // when it was seen first
		absent := now.Add(-24 * time.Hour)
		unmanaged := false // by what stands there now
		leave := func() {
			if unmanaged {
				absent, unmanaged = now, false
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 700).Draw(t, "seconds")) * time.Second)
			},
			"stands": func(t *rapid.T) {
				f := Finding{
					Status: rapid.SampledFrom([]Status{Verified, Holding, Ambiguous, Static}).Draw(t, "status"),
					Addr:   rapid.SampledFrom(addresses).Draw(t, "address"),
					// To the minute, so that the same comes again.
					DetectedAt: now.Truncate(time.Minute).Add(time.Duration(rapid.IntRange(-15, 3).Draw(t, "minutes")) * time.Minute),
				}
				if _, ok := first[seen{f.Addr, f.DetectedAt}]; !ok {
					first[seen{f.Addr, f.DetectedAt}] = now
				}
				leave()
				m.stands(State{IPv4: f}, nil, now)
			},
			"unmanaged": func(*rapid.T) {
				m.stands(State{}, nil, now)
				unmanaged = true
			},
			"garbage": func(*rapid.T) {
				leave()
				broken := Finding{Problem: "garbage"}
				m.stands(State{IPv4: broken, IPv6: broken}, errors.New("garbage"), now)
			},
			"lost": func(*rapid.T) {
				leave()
				m.lost("gone", now)
			},
			"detected": func(t *rapid.T) {
				a := addresses[rapid.IntRange(0, 1).Draw(t, "address")]
				first[seen{a, now}] = now
				m.detected(IPv4, a, nil, now)
			},
			"": func(t *rapid.T) {
				switch r := m.reading(IPv4, now); r.Kind {
				case Known:
					at, ok := first[seen{r.Addr, r.At}]
					if !ok || Public(r.Addr) != nil || !r.Addr.Is4() {
						t.Fatalf("%+v was never seen", r)
					}
					if now.Sub(r.At) > StaleAfter || r.At.Sub(now) > Skew {
						t.Fatalf("%+v at %v", r, now)
					}
					if r.Origin == FromFallback && now.Sub(at) > StaleAfter {
						t.Fatalf("%+v was detected at %v, and now it is %v", r, at, now)
					}
				case Absent:
					if !unmanaged && now.Sub(absent) > StaleAfter {
						t.Fatalf("absent at %v, which was said at %v", now, absent)
					}
				case Unknown:
					if r.Addr.IsValid() {
						t.Fatalf("%+v", r)
					}
				}
			},
		})
	})
}
