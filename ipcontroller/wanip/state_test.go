package wanip_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

var (
	noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	v4   = netip.MustParseAddr("8.9.10.11")
	v6   = netip.MustParseAddr("2a00:1450:1:2::53")
)

// equal compares addresses and prefixes by value.
func equal() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmpopts.EquateEmpty(),
	}
}

// example is a State with everything in it.
func example() wanip.State {
	return wanip.State{
		IPv4: wanip.Finding{
			Status: wanip.Verified, Addr: v4, DetectedAt: noon, VerifiedAt: noon.Add(-time.Minute), ChangedAt: noon.Add(-time.Hour),
			Votes: wanip.Votes{Agree: 3, Asked: 4, Sources: []wanip.Source{
				{Name: "trace", Operator: "cloudflare", Addr: v4, RTT: 12500 * time.Microsecond},
				{Name: "myip", Operator: "opendns", Error: "i/o timeout"},
			}},
		},
		IPv6: wanip.Finding{
			Status: wanip.Holding, Addr: v6, DetectedAt: noon, VerifiedAt: noon, ChangedAt: noon,
			Prefix: netip.MustParsePrefix("2a00:1450:1:2::/64"), Mode: wanip.ModePrefixHostID,
		},
		WrittenAt: noon.Add(time.Second), Sequence: 7, BehindCGNAT: true,
		History: []wanip.Change{{Sequence: 3, At: noon, Family: wanip.IPv4, Addr: v4}, {Sequence: 6, At: noon, Family: wanip.IPv6, Addr: v6}},
		Leader:  wanip.Leader{Holder: "ipcontroller-0", Node: "n1", Epoch: 4},
	}
}

func encoded(t testing.TB, s wanip.State) *corev1.ConfigMap {
	t.Helper()
	cm, err := wanip.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return cm
}

func TestEncodeWritesTheContract(t *testing.T) {
	cm := encoded(t, example())
	want := map[string]string{
		"current_ip": "8.9.10.11", "timestamp": "2026-11-21T12:00:01Z", "detected_at": "2026-11-21T12:00:00Z",
		"ipv4": "8.9.10.11", "ipv4_status": "Verified", "ipv4_detected_at": "2026-11-21T12:00:00Z",
		"ipv4_verified_at": "2026-11-21T11:59:00Z", "ipv4_changed_at": "2026-11-21T11:00:00Z",
		"ipv4_sources": `{"agree":3,"asked":4,"sources":[{"name":"trace","operator":"cloudflare","ip":"8.9.10.11","rtt":"12.5ms"},` +
			`{"name":"myip","operator":"opendns","error":"i/o timeout"}]}`,
		"ipv6": "2a00:1450:1:2::53", "ipv6_status": "Holding", "ipv6_detected_at": "2026-11-21T12:00:00Z",
		"ipv6_verified_at": "2026-11-21T12:00:00Z", "ipv6_changed_at": "2026-11-21T12:00:00Z",
		"ipv6_prefix": "2a00:1450:1:2::/64", "ipv6_mode": "prefix+hostid", "sequence": "7",
		"history": `[{"sequence":3,"at":"2026-11-21T12:00:00Z","family":"ipv4","ip":"8.9.10.11"},` +
			`{"sequence":6,"at":"2026-11-21T12:00:00Z","family":"ipv6","ip":"2a00:1450:1:2::53"}]`,
	}
	if diff := cmp.Diff(want, cm.Data); diff != "" {
		t.Error("data:", diff)
	}
	sum := cm.Annotations["wan.spokedns.io/sha256"]
	if len(sum) != 64 {
		t.Errorf("the checksum is %q", sum)
	}
	delete(cm.Annotations, "wan.spokedns.io/sha256")
	if diff := cmp.Diff(map[string]string{
		"wan.spokedns.io/schema": "1", "wan.spokedns.io/holder": "ipcontroller-0", "wan.spokedns.io/node": "n1",
		"wan.spokedns.io/epoch": "4", "wan.spokedns.io/behind-cgnat": "true",
	}, cm.Annotations); diff != "" {
		t.Error("annotations:", diff)
	}
}

func TestUnmanagedFamilyHasNoKeyAtAll(t *testing.T) {
	s := example()
	s.IPv4, s.BehindCGNAT = wanip.Finding{}, false
	cm := encoded(t, s)
	for k, v := range cm.Data {
		if strings.HasPrefix(k, "ipv4") || k == "current_ip" || k == "detected_at" || v == "" {
			t.Errorf("%s is %q", k, v)
		}
	}
	got, err := wanip.Decode(cm)
	if err != nil {
		t.Fatal(err)
	}
	r4, r6 := got.At(noon)
	if r4.Kind != wanip.Absent || r6.Kind != wanip.Known {
		t.Errorf("IPv4 is %v, IPv6 %v; want absent and known", r4, r6)
	}
}

func moments() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999).Draw(t, "ms")*1e6).UTC()
	})
}

// addresses draws public addresses of a family, inside the prefix when there is one.
func addresses(f wanip.Family, p netip.Prefix) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		if f == wanip.IPv4 {
			b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4"))
			return netip.AddrFrom4(b)
		}
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6"))
		if p.IsValid() {
			head := p.Addr().As16()
			copy(b[:8], head[:8])
		} else {
			b[0] = 0x20 | b[0]&0x1f
		}
		return netip.AddrFrom16(b)
	}).Filter(func(a netip.Addr) bool { return wanip.Public(a) == nil })
}

func findings(f wanip.Family) *rapid.Generator[wanip.Finding] {
	return rapid.Custom(func(t *rapid.T) wanip.Finding {
		var out wanip.Finding
		if !rapid.Bool().Draw(t, "managed") {
			return out
		}
		if f == wanip.IPv6 {
			out.Mode = rapid.SampledFrom([]wanip.Mode{"", wanip.ModeEcho, wanip.ModePrefixHostID, "of tomorrow"}).Draw(t, "mode")
			if rapid.Bool().Draw(t, "prefix") {
				out.Prefix = netip.PrefixFrom(addresses(f, netip.Prefix{}).Draw(t, "net"), 64).Masked()
				if wanip.Public(out.Prefix.Addr()) != nil {
					out.Prefix = netip.Prefix{}
				}
			}
		}
		out.Votes = wanip.Votes{Agree: rapid.IntRange(0, 5).Draw(t, "agree"), Asked: rapid.IntRange(0, 5).Draw(t, "asked")}
		for range rapid.IntRange(0, 3).Draw(t, "sources") {
			out.Votes.Sources = append(out.Votes.Sources, wanip.Source{
				Name: rapid.String().Draw(t, "name"), Operator: rapid.String().Draw(t, "operator"), Error: rapid.String().Draw(t, "error"),
				RTT: time.Duration(rapid.Int64().Draw(t, "rtt")),
			})
		}
		out.Status = rapid.SampledFrom([]wanip.Status{wanip.Holding, wanip.Ambiguous, wanip.Verified, wanip.Static}).Draw(t, "status")
		if (out.Status == wanip.Holding || out.Status == wanip.Ambiguous) && rapid.Bool().Draw(t, "none yet") {
			return out
		}
		out.Addr = addresses(f, out.Prefix).Draw(t, "address")
		out.DetectedAt, out.VerifiedAt, out.ChangedAt = moments().Draw(t, "d"), moments().Draw(t, "v"), moments().Draw(t, "c")
		return out
	})
}

func states() *rapid.Generator[wanip.State] {
	return rapid.Custom(func(t *rapid.T) wanip.State {
		s := wanip.State{
			IPv4: findings(wanip.IPv4).Draw(t, "ipv4"), IPv6: findings(wanip.IPv6).Draw(t, "ipv6"),
			WrittenAt: moments().Draw(t, "written"), Sequence: rapid.Int64Range(1, 1<<53).Draw(t, "sequence"),
			BehindCGNAT: rapid.Bool().Draw(t, "cgnat"),
			Leader: wanip.Leader{
				Holder: rapid.String().Draw(t, "holder"), Node: rapid.String().Draw(t, "node"),
				Epoch: rapid.Int64Range(0, 1<<53).Draw(t, "epoch"),
			},
		}
		for i := range rapid.IntRange(0, wanip.HistoryLength).Draw(t, "changes") {
			f := rapid.SampledFrom(wanip.Families()).Draw(t, "family")
			s.History = append(s.History, wanip.Change{
				Sequence: int64(i), At: moments().Draw(t, "at"), Family: f, Addr: addresses(f, netip.Prefix{}).Draw(t, "ip"),
			})
		}
		return s
	})
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := states().Draw(t, "state")
		cm, err := wanip.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		// A ConfigMap travels as JSON and picks up what others add.
		text, err := json.Marshal(cm)
		if err != nil {
			t.Fatal(err)
		}
		var back corev1.ConfigMap
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.Data == nil {
			back.Data = map[string]string{}
		}
		back.Data["note"], back.Annotations["kubectl.kubernetes.io/x"], back.Labels = "foreign", "y", map[string]string{"a": "b"}
		got, err := wanip.Decode(&back)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, equal()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEncodeRefusesWhatMustNotBeWritten(t *testing.T) {
	for want, spoil := range map[string]func(*wanip.State){
		"ipv4: 10.1.2.3 is private (RFC 1918)":     func(s *wanip.State) { s.IPv4.Addr = netip.MustParseAddr("10.1.2.3") },
		"ipv4: 2a00:1450:1:2::53 is no IPv4":       func(s *wanip.State) { s.IPv4.Addr = v6 },
		"ipv6: 8.9.10.11 is no IPv6":               func(s *wanip.State) { s.IPv6 = s.IPv4 },
		"ipv4 is missing":                          func(s *wanip.State) { s.IPv4.Addr = netip.Addr{} },
		"ipv4_verified_at is missing":              func(s *wanip.State) { s.IPv4.VerifiedAt = time.Time{} },
		"ipv4_status is missing":                   func(s *wanip.State) { s.IPv4.Status = "" },
		`ipv4_status: "Guessed": want Verified, `:  func(s *wanip.State) { s.IPv4.Status = "Guessed" },
		"ipv6_prefix: 2a00::/64 does not contain":  func(s *wanip.State) { s.IPv6.Prefix = netip.MustParsePrefix("2a00::/64") },
		"without host bits":                        func(s *wanip.State) { s.IPv6.Prefix = netip.MustParsePrefix("2a00:1450:1:2::53/64") },
		"ipv6_prefix: 2001:db8:: is for":           func(s *wanip.State) { s.IPv6.Prefix = netip.MustParsePrefix("2001:db8::/64") },
		"a prefix and a mode are for IPv6":         func(s *wanip.State) { s.IPv4.Mode = wanip.ModeEcho },
		"the time of writing is missing":           func(s *wanip.State) { s.WrittenAt = time.Time{} },
		"sequence 0: want 1":                       func(s *wanip.State) { s.Sequence = 0 },
		"epoch -1: want 0":                         func(s *wanip.State) { s.Epoch = -1 },
		"33 changes in the history: want at most ": func(s *wanip.State) { s.History = make([]wanip.Change, 33) },
		"ipv6: unbelievable":                       func(s *wanip.State) { s.IPv6.Problem = "unbelievable" },
	} {
		s := example()
		spoil(&s)
		if cm, err := wanip.Encode(s); err == nil || cm != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Encode = %v, want %q", err, want)
		}
	}
}

func TestAtBelievesOnlyWhatIsFresh(t *testing.T) {
	s := example()
	for _, row := range []struct {
		after time.Duration
		kind  wanip.Kind
		why   string
	}{
		{0, wanip.Known, ""},
		{wanip.StaleAfter, wanip.Known, ""},
		{wanip.StaleAfter + time.Second, wanip.Unknown, "8.9.10.11 is stale: last confirmed 10m1s ago (Verified)"},
		{-wanip.Skew, wanip.Known, ""},
		{-wanip.Skew - time.Second, wanip.Unknown, "8.9.10.11 was detected 1m1s in the future: a clock is wrong"},
		{1000 * time.Hour, wanip.Unknown, "stale"},
	} {
		got, _ := s.At(noon.Add(row.after))
		if got.Kind != row.kind || !strings.Contains(got.Why, row.why) || (got.Kind == wanip.Known) != got.Addr.IsValid() {
			t.Errorf("after %v: %v, want %v %s", row.after, got, row.kind, row.why)
		}
	}
}

func TestAtBelievesNoImpossibleAddress(t *testing.T) {
	for text, why := range map[string]string{
		"192.168.1.1": "private (RFC 1918)", "2a00::1": "is no IPv4 address", "::ffff:8.8.8.8": "is no IPv4 address",
	} {
		s := example()
		s.IPv4.Addr = netip.MustParseAddr(text)
		if got, _ := s.At(noon); got.Kind != wanip.Unknown || got.Addr.IsValid() || !strings.Contains(got.Why, why) {
			t.Errorf("with %s: %v, want unknown: %s", text, got, why)
		}
	}
	s := example()
	s.IPv4 = wanip.Finding{Status: wanip.Ambiguous}
	if got, _ := s.At(noon); got.String() != "unknown: no IPv4 address has been agreed on yet (Ambiguous)" {
		t.Errorf("without an address: %v", got)
	}
}

func TestFormerAddressesLatestFirst(t *testing.T) {
	s := example()
	s.History = nil
	for i, a := range []string{"1.1.1.1", "2.2.2.2", "10.0.0.1", "1.1.1.1", "2a00::1", "3.3.3.3", "8.9.10.11"} {
		addr := netip.MustParseAddr(a)
		s.History = append(s.History, wanip.Change{Sequence: int64(i), Family: wanip.FamilyOf(addr), Addr: addr})
	}
	if got := fmt.Sprint(s.Former(wanip.IPv4), s.Former(wanip.IPv6)); got != "[3.3.3.3 1.1.1.1 2.2.2.2] [2a00::1]" {
		t.Error(got)
	}
}
