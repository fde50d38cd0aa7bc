package wanip_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// seal gives a ConfigMap the checksum of what stands in it, as a writer with other ideas would. It knows the
// contract from reference, not from the code.
func seal(cm *corev1.ConfigMap) {
	covered := map[string]string{}
	for k, v := range cm.Data {
		own := strings.HasPrefix(k, "ipv4_") || strings.HasPrefix(k, "ipv6_") || k == "ipv4" || k == "ipv6" ||
			k == "current_ip" || k == "timestamp" || k == "detected_at" || k == "sequence" || k == "history"
		if own {
			covered[k] = v
		}
	}
	for k, v := range cm.Annotations {
		if strings.HasPrefix(k, "wan.spokedns.io/") && k != "wan.spokedns.io/sha256" {
			covered[k] = v
		}
	}
	text, _ := json.Marshal(covered)
	sum := sha256.Sum256(text)
	cm.Annotations["wan.spokedns.io/sha256"] = hex.EncodeToString(sum[:])
}

func TestDecodeRefusesWhatIsNotTheContract(t *testing.T) {
	const note = "wan.spokedns.io/"
	for want, spoil := range map[string]func(*corev1.ConfigMap){
		"annotation wan.spokedns.io/schema is missing":        func(cm *corev1.ConfigMap) { delete(cm.Annotations, note+"schema") },
		`schema: "2": want "1"`:                               func(cm *corev1.ConfigMap) { cm.Annotations[note+"schema"] = "2" },
		"annotation wan.spokedns.io/sha256 is missing":        func(cm *corev1.ConfigMap) { delete(cm.Annotations, note+"sha256") },
		"edited by hand: it does not match its checksum":      func(cm *corev1.ConfigMap) { cm.Data["ipv4"] = "9.9.9.9" },
		"edited by hand: it does not match its checksum in":   func(cm *corev1.ConfigMap) { delete(cm.Data, "ipv6_status") },
		"edited by hand: it does not match its checksum in a": func(cm *corev1.ConfigMap) { cm.Data = nil },
		`epoch: "x": want a whole number`:                     func(cm *corev1.ConfigMap) { cm.Annotations[note+"epoch"] = "x"; seal(cm) },
		`epoch: "-1": want a whole number`:                    func(cm *corev1.ConfigMap) { cm.Annotations[note+"epoch"] = "-1"; seal(cm) },
		`sequence: "9999999999999999999999": want`:            func(cm *corev1.ConfigMap) { cm.Data["sequence"] = strings.Repeat("9", 22); seal(cm) },
		"sequence: 0: want 1 or more":                         func(cm *corev1.ConfigMap) { cm.Data["sequence"] = "0"; seal(cm) },
		"timestamp is missing":                                func(cm *corev1.ConfigMap) { delete(cm.Data, "timestamp"); seal(cm) },
		`timestamp: "2026-11-21T12:00:01+01:00": want a time`: func(cm *corev1.ConfigMap) { cm.Data["timestamp"] = "2026-11-21T12:00:01+01:00"; seal(cm) },
		"history: invalid character":                          func(cm *corev1.ConfigMap) { cm.Data["history"] = "<html>"; seal(cm) },
		"history: change 0: want rising":                      func(cm *corev1.ConfigMap) { cm.Data["history"] = `[{"sequence":1}]`; seal(cm) },
		"history: change 1: want rising": func(cm *corev1.ConfigMap) {
			cm.Data["history"] = `[{"sequence":2,"family":"ipv4","ip":"8.8.8.8"},{"sequence":1,"family":"ipv4","ip":"8.8.4.4"}]`
			seal(cm)
		},
		`family "ipv5": want ipv4 or ipv6`: func(cm *corev1.ConfigMap) { cm.Data["history"] = `[{"family":"ipv5"}]`; seal(cm) },
		"33 changes: want at most 32": func(cm *corev1.ConfigMap) {
			cm.Data["history"] = "[" + strings.Repeat(`{"family":"ipv4","ip":"8.8.8.8"},`, 32) + `{"family":"ipv4","ip":"8.8.8.8"}]`
			seal(cm)
		},
	} {
		cm := encoded(t, example())
		spoil(cm)
		s, err := wanip.Decode(cm)
		if err == nil || !strings.HasPrefix(err.Error(), "wanip: decode: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode = %v, want %q", err, want)
			continue
		}
		for _, f := range wanip.Families() {
			if s.Of(f).Addr.IsValid() || !strings.Contains(s.Of(f).Problem, want) {
				t.Errorf("%v with %q: %+v", f, want, s.Of(f))
			}
		}
		r4, r6 := s.At(noon)
		if r4.Kind != wanip.Unknown || r6.Kind != wanip.Unknown {
			t.Errorf("with %q IPv4 is %v, IPv6 %v; want both unknown", want, r4, r6)
		}
	}
	for name, cm := range map[string]*corev1.ConfigMap{"nil": nil, "empty": {}, "the seed's": {Data: map[string]string{"current_ip": "8.8.8.8"}}} {
		if s, err := wanip.Decode(cm); err == nil || s.IPv4.Problem == "" || s.IPv6.Problem == "" {
			t.Errorf("%s: %v, %+v", name, err, s)
		}
	}
}

func TestGarbageInOneFamilyHarmsNoOther(t *testing.T) {
	set := func(pairs ...string) func(map[string]string) {
		return func(data map[string]string) {
			for i := 0; i < len(pairs); i += 2 {
				data[pairs[i]] = pairs[i+1]
			}
		}
	}
	remove := func(key string) func(map[string]string) { return func(data map[string]string) { delete(data, key) } }
	for _, row := range []struct {
		family wanip.Family
		spoil  func(map[string]string)
		want   string
	}{
		{wanip.IPv4, set("ipv4", "10.1.2.3", "current_ip", "10.1.2.3"), "ipv4: 10.1.2.3 is private (RFC 1918)"},
		{wanip.IPv4, set("ipv4", "100.64.3.4", "current_ip", "100.64.3.4"), "carrier-grade NAT"},
		{wanip.IPv4, set("ipv4", "", "current_ip", ""), `ipv4: "": want an address`},
		{wanip.IPv4, set("ipv4", "<html>503</html>"), `ipv4: "<html>503</html>": want an address`},
		{wanip.IPv4, set("ipv4", "8.9.10.11,8.8.8.8"), "want an address"},
		{wanip.IPv4, set("ipv4", "8.9.10.011"), "want an address"},
		{wanip.IPv4, set("ipv4", "2a00::1", "current_ip", "2a00::1"), "ipv4: 2a00::1 is no IPv4 address"},
		{wanip.IPv4, set("ipv4", "::ffff:8.8.8.8", "current_ip", "::ffff:8.8.8.8"), "is no IPv4 address"},
		{wanip.IPv4, set("current_ip", "9.9.9.9"), "current_ip and detected_at contradict"},
		{wanip.IPv4, set("detected_at", "2026-11-21T12:00:01Z"), "current_ip and detected_at contradict"},
		{wanip.IPv4, remove("current_ip"), "contradict"},
		{wanip.IPv4, set("ipv4_detected_at", "yesterday", "detected_at", "yesterday"), `ipv4_detected_at: "yesterday": want a time in UTC`},
		{wanip.IPv4, set("ipv4_verified_at", "2026-11-21 12:00:00"), "ipv4_verified_at"},
		{wanip.IPv4, set("ipv4_changed_at", ""), `ipv4_changed_at: "": want a time`},
		{wanip.IPv4, remove("ipv4_changed_at"), "ipv4_changed_at is missing"},
		{wanip.IPv4, remove("ipv4_status"), "ipv4_status is missing"},
		{wanip.IPv4, set("ipv4_status", "verified"), `ipv4_status: "verified": want Verified`},
		{wanip.IPv4, set("ipv4_sources", "{"), "ipv4_sources: unexpected end of JSON"},
		{wanip.IPv4, set("ipv4_sources", `{"sources":[{"rtt":"fast"}]}`), "rtt: "},
		{wanip.IPv6, set("ipv6", "8.8.8.8"), "ipv6: 8.8.8.8 is no IPv6 address"},
		{wanip.IPv6, set("ipv6", "fd00::1"), "unique local (RFC 4193)"},
		{wanip.IPv6, set("ipv6", "fe80::1%eth0"), "has a zone"},
		{wanip.IPv6, remove("ipv6"), "ipv6 is missing"},
		{wanip.IPv6, set("ipv6_prefix", "2a00::/129"), "want a prefix"},
		{wanip.IPv6, set("ipv6_prefix", "2a01::/64"), "does not contain"},
	} {
		cm := encoded(t, example())
		row.spoil(cm.Data)
		seal(cm)
		s, err := wanip.Decode(cm)
		if err != nil {
			t.Errorf("%s: %v", row.want, err)
			continue
		}
		for _, f := range wanip.Families() {
			got := s.Of(f)
			if f == row.family {
				if diff := cmp.Diff(wanip.Finding{Problem: got.Problem}, got, equal()); diff != "" || !strings.Contains(got.Problem, row.want) {
					t.Errorf("%v with %q: %q %s", f, row.want, got.Problem, diff)
				}
			} else if diff := cmp.Diff(example().Of(f), got, equal()); diff != "" {
				t.Errorf("%v with %q: %s", f, row.want, diff)
			}
		}
	}
}

// FuzzDecode looks for an address that is believed without being public, fresh, and of its family.
func FuzzDecode(f *testing.F) {
	cm := encoded(f, example())
	for k, v := range cm.Data {
		f.Add(k, v, "ipv4", "10.0.0.1", true)
		f.Add(k, "", k, v, true)
	}
	for k, v := range cm.Annotations {
		f.Add(k, v+"0", "current_ip", "8.8.8.8", false)
	}
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string, sealed bool) {
		cm := encoded(t, example())
		original := maps.Clone(cm.Data)
		for _, pair := range [][2]string{{key1, value1}, {key2, value2}} {
			to := cm.Data
			if strings.Contains(pair[0], "/") {
				to = cm.Annotations
			}
			to[pair[0]] = pair[1]
		}
		if sealed {
			seal(cm)
		}
		s, err := wanip.Decode(cm)
		r4, r6 := s.At(noon)
		if err != nil && (r4.Kind != wanip.Unknown || r6.Kind != wanip.Unknown) {
			t.Fatalf("%v, and yet IPv4 is %v, IPv6 %v", err, r4, r6)
		}
		for family, r := range map[wanip.Family]wanip.Reading{wanip.IPv4: r4, wanip.IPv6: r6} {
			text := cm.Data[family.String()]
			if !sealed && err == nil && text != original[family.String()] {
				t.Fatalf("%v was changed without a checksum, and read", family)
			}
			switch r.Kind {
			case wanip.Known:
				a, err := netip.ParseAddr(text)
				if err != nil || a != r.Addr || wanip.Public(a) != nil || wanip.FamilyOf(a) != family {
					t.Fatalf("%q was read as %v", text, r)
				}
				at, err := time.Parse(time.RFC3339, cm.Data[family.String()+"_detected_at"])
				if err != nil || noon.Sub(at) > wanip.StaleAfter || at.Sub(noon) > wanip.Skew {
					t.Fatalf("%v was read at %v", at, noon)
				}
			case wanip.Absent:
				if text != "" {
					t.Fatalf("%q was read as %v", text, r)
				}
			case wanip.Unknown:
				if r.Why == "" || r.Addr.IsValid() {
					t.Fatalf("unknown without a reason: %+v", r)
				}
			}
		}
		if err == nil && s.IPv4.Problem == "" && s.IPv6.Problem == "" {
			if again, err := wanip.Encode(s); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			} else if back, err := wanip.Decode(again); err != nil || cmp.Diff(s, back, equal()) != "" {
				t.Fatalf("read, written and read: %v %s", err, cmp.Diff(s, back, equal()))
			}
		}
	})
}
