package backend_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestClamp(t *testing.T) {
	t.Parallel()
	narrow := backend.Limits{MinTTL: time.Minute, DefaultTTL: 5 * time.Minute, MaxTTL: time.Hour}
	wide := backend.Limits{DefaultTTL: 5 * time.Minute}
	for _, c := range []struct {
		limits    backend.Limits
		ttl, want time.Duration
	}{
		{narrow, 0, 5 * time.Minute},
		{narrow, -time.Second, 5 * time.Minute},
		{narrow, time.Second, time.Minute},
		{narrow, 2 * time.Hour, time.Hour},
		{narrow, 90*time.Second + 900*time.Millisecond, 90 * time.Second},
		{wide, time.Millisecond, time.Second},
		{wide, time.Second, time.Second},
		{wide, backend.MaxTTL + time.Second, backend.MaxTTL},
	} {
		if got := c.limits.Clamp(c.ttl); got != c.want {
			t.Errorf("Clamp(%s) = %s, want %s", c.ttl, got, c.want)
		}
	}
}

func TestClampLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seconds := func(label string, low, high int) time.Duration {
			return time.Duration(rapid.IntRange(low, high).Draw(t, label)) * time.Second
		}
		l := backend.Limits{MinTTL: seconds("min", 0, 300), DefaultTTL: seconds("default", 300, 600)}
		if rapid.Bool().Draw(t, "bounded") {
			l.MaxTTL = seconds("max", 600, 90000)
		}
		ttl := time.Duration(rapid.Int64().Draw(t, "ttl"))
		c := l.Clamp(ttl)
		if again := l.Clamp(c); again != c {
			t.Errorf("Clamp(%s) = %s, and of that %s", ttl, c, again)
		}
		if c <= 0 || c < l.MinTTL || c > backend.MaxTTL || l.MaxTTL > 0 && c > l.MaxTTL || c%time.Second != 0 {
			t.Errorf("Clamp(%s) = %s is out of range", ttl, c)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	l := backend.Limits{
		Types: []string{"A", "CNAME", "NS", "TXT"}, Missing: map[string]string{"CAA": "the server cannot serve it"},
		Attrs: []string{"weight"}, MaxValues: 2, MaxText: 10,
		Refuse: func(_ string, r backend.RRset) error {
			if r.Type == "TXT" && r.Values[0] == "" {
				return errors.New("an empty text cannot be stored")
			}
			return nil
		},
	}
	set := func(name, typ string, values ...string) backend.RRset {
		return backend.RRset{Key: backend.Key{Name: name, Type: typ}, Values: values}
	}
	blue := set("www.example.org", "A", "192.0.2.1")
	blue.SetID = "blue"
	heavy, odd := set("www.example.org", "A", "192.0.2.1"), set("www.example.org", "A", "192.0.2.1")
	heavy.Attrs, odd.Attrs = map[string]string{"weight": "1"}, map[string]string{"mood": "good"}
	everywhere := l
	everywhere.Wildcard, everywhere.SetIDs, everywhere.ApexTypes = true, true, []string{"CNAME"}
	for _, c := range []struct {
		name   string
		limits backend.Limits
		set    backend.RRset
		want   string // part of the reason; "" when storable
	}{
		{"address", l, set("www.example.org", "A", "192.0.2.1"), ""},
		{"at the zone", l, set("example.org", "A", "192.0.2.1"), ""},
		{"known property", l, heavy, ""},
		{"outside the zone", l, set("www.example.net", "A", "192.0.2.1"), "not in zone example.org"},
		{"only looks inside", l, set("badexample.org", "A", "192.0.2.1"), "not in zone"},
		{"type with a reason", l, set("www.example.org", "CAA", "x"), "the server cannot serve it"},
		{"type without one", l, set("www.example.org", "MX", "1 x"), "possible are A, CNAME, NS, TXT"},
		{"CNAME at the zone", l, set("example.org", "CNAME", "x"), "RFC 1034"},
		{"NS at the zone", l, set("example.org", "NS", "x"), "belong to the zone"},
		{"CNAME at a zone that can", everywhere, set("example.org", "CNAME", "x"), ""},
		{"A at a zone that cannot", everywhere, set("example.org", "A", "192.0.2.1"), "possible are CNAME"},
		{"wildcard", l, set("*.example.org", "A", "192.0.2.1"), "wildcard"},
		{"wildcard where it can be", everywhere, set("*.example.org", "A", "192.0.2.1"), ""},
		{"set identifier", l, blue, "set identifiers"},
		{"set identifier where it can be", everywhere, blue, ""},
		{"no values", l, set("www.example.org", "A"), "no values"},
		{"too many values", l, set("www.example.org", "A", "1", "2", "3"), "3 values, at most 2"},
		{"two aliases", l, set("www.example.org", "CNAME", "a", "b"), "one value, not 2"},
		{"unknown property", l, odd, `"mood"`},
		{"long text", l, set("www.example.org", "TXT", "ok", "01234567890"), "11 bytes, at most 10"},
		{"refused text", l, set("www.example.org", "TXT", ""), "empty text"},
	} {
		switch err := c.limits.Check("example.org", c.set); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v, want none", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want one with %q", c.name, err, c.want)
		}
	}
	if err := (backend.Limits{Types: []string{"TXT"}}).Check("example.org", set("a.example.org", "TXT", strings.Repeat("x", 65001))); err == nil {
		t.Error("a text that fits no message was accepted")
	}
}
