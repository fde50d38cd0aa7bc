package backendtest

import (
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// limits requires that Limits makes sense in itself.
func limits(t *testing.T, l backend.Limits) {
	t.Helper()
	if !slices.IsSorted(l.Types) {
		t.Errorf("Types %v is not sorted", l.Types)
	}
	for _, typ := range []string{"A", "AAAA", "CNAME", "TXT"} {
		if !slices.Contains(l.Types, typ) {
			t.Errorf("type %s cannot be stored, but external-dns cannot work without it", typ)
		}
	}
	for typ, why := range l.Missing {
		if slices.Contains(l.Types, typ) || why == "" {
			t.Errorf("Missing says %s: %q; it names types that are not in Types, with the reason", typ, why)
		}
	}
	for _, typ := range l.ApexTypes {
		if !slices.Contains(l.Types, typ) {
			t.Errorf("ApexTypes has %s, which is not in Types", typ)
		}
	}
	if l.MinTTL < 0 || l.MaxTTL != 0 && l.MaxTTL < l.MinTTL || l.DefaultTTL < l.MinTTL {
		t.Errorf("TTLs: min %s, default %s, max %s", l.MinTTL, l.DefaultTTL, l.MaxTTL)
	}
	if !slices.Contains([]backend.Atomicity{backend.AtomicRRset, backend.AtomicUnit, backend.AtomicBatch}, l.Atomic) {
		t.Errorf("Atomic is %q", l.Atomic)
	}
	for _, ttl := range []time.Duration{0, 1, time.Second, time.Hour, backend.MaxTTL, 1 << 62} {
		if c := l.Clamp(ttl); l.Clamp(c) != c {
			t.Errorf("Clamp(%s) is %s, but Clamp(%s) is %s", ttl, c, c, l.Clamp(c))
		}
	}
}
