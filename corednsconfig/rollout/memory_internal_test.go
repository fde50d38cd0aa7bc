package rollout

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

func forwardTo(upstream string, zones ...string) []corefile.Forward {
	return []corefile.Forward{{Zones: zones, Upstreams: []netip.AddrPort{netip.MustParseAddrPort(upstream)}}}
}

func editOf(before, after []byte) dialect.Edit {
	return dialect.Edit{
		Ref: dialect.Ref{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Namespace: "kube-system", Name: "coredns"},
		Key: "Corefile", Before: before, After: after, How: dialect.Update,
	}
}

// Decode(Encode(m)) = m, whatever bytes the texts are made of.
func TestMemoryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m memory
		bytes := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOf(rapid.Byte()))
		now := time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "now"), 0).UTC()
		w := Wish{Forwards: forwardTo("192.0.2.1:53", "z.example"), Attempt: rapid.String().Draw(t, "attempt")}
		m.begin(now, w, []dialect.Edit{editOf(bytes.Draw(t, "before"), bytes.Draw(t, "after"))}, rapid.Bool().Draw(t, "tested"), map[string]float64{"1/0": 3})
		if rapid.Bool().Draw(t, "settled") {
			m.settle(now)
		}
		if rapid.Bool().Draw(t, "fell") {
			m.fell(now, "why")
		}
		m.reverted(now, "eks")
		data, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeMemory(data)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&m, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Fatal(d)
		}
	})
}

func TestMemoryOfTexts(t *testing.T) {
	now := time.Unix(1000, 0)
	var m memory
	a, b := Wish{Forwards: forwardTo("192.0.2.1:53", "a.example")}, Wish{Forwards: forwardTo("192.0.2.1:53", "b.example")}
	m.begin(now, a, []dialect.Edit{editOf([]byte("x"), []byte("x+a"))}, true, nil)
	// A conflict: somebody else wrote, and the edit is planned anew.
	m.begin(now, a, []dialect.Edit{editOf([]byte("y"), []byte("y+a"))}, true, nil)
	m.settle(now)
	m.begin(now, b, []dialect.Edit{editOf([]byte("y+a"), []byte("y+b"))}, true, nil)
	want := entry{Object: "ConfigMap kube-system/coredns", Key: "Corefile", How: dialect.Update, Original: []byte("x"), Before: []byte("y+a"), After: []byte("y+b")}
	if d := cmp.Diff([]entry{want}, m.Entries); d != "" {
		t.Error(d)
	}
	if !same(m.Good, a.Forwards) || !same(m.Wish, b.Forwards) {
		t.Errorf("good %v, wish %v", m.Good, m.Wish)
	}
	m.fell(now, "it broke")
	if !same(m.Wish, a.Forwards) || m.Phase != settled || !m.Rejected.holds(b) || m.Rejected.holds(a) {
		t.Errorf("after a rollback: %+v", m)
	}
	again := b
	again.Attempt = "2"
	if m.Rejected.holds(again) {
		t.Error("another attempt is not to be refused")
	}
}

func TestReverts(t *testing.T) {
	var m memory
	start := time.Unix(1000, 0)
	for i, c := range []struct {
		after time.Duration
		give  bool
	}{{0, false}, {9 * time.Minute, false}, {11 * time.Minute, false}, {12 * time.Minute, true}} {
		if got := m.reverted(start.Add(c.after), "eks"); got != c.give {
			t.Errorf("revert %d: got %t, want %t", i, got, c.give)
		}
	}
	if d := cmp.Diff([]string{"eks"}, m.by()); d != "" {
		t.Error(d)
	}
}

func TestSame(t *testing.T) {
	a := forwardTo("192.0.2.1:53", "b.example", "A.example.")
	for name, c := range map[string]struct {
		b    []corefile.Forward
		same bool
	}{
		"spelled otherwise": {forwardTo("192.0.2.1:0", "a.example", "b.example"), true},
		"other upstream":    {forwardTo("192.0.2.2:53", "a.example", "b.example"), false},
		"other zone":        {forwardTo("192.0.2.1:53", "a.example"), false},
		"none":              {nil, false},
	} {
		if got := same(a, c.b); got != c.same {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
