package content_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

func soa(serial uint32, refresh int) string {
	return fmt.Sprintf("ns1.example.org. hostmaster.example.org. %d %d 600 604800 60", serial, refresh)
}

func TestSOA(t *testing.T) {
	t.Parallel()
	const top = 1<<32 - 1
	for _, c := range []struct {
		name       string
		wish, live string
		floor      uint32
		want       string
	}{
		{"of a new zone", soa(0, 3600), "", 0, soa(1, 3600)},
		{"of a new zone, wished", soa(7, 3600), "", 0, soa(7, 3600)},
		{"of a new zone that was there before", soa(0, 3600), "", 2026112100, soa(2026112100, 3600)},
		{"that is right", soa(0, 3600), soa(5, 3600), 0, soa(5, 3600)},
		{"that is right and high enough", soa(4, 3600), soa(5, 3600), 5, soa(5, 3600)},
		{"in other case", soa(0, 3600), "NS1.Example.org. Hostmaster.example.org. 5 3600 600 604800 60", 0, "NS1.Example.org. Hostmaster.example.org. 5 3600 600 604800 60"},
		{"changed", soa(0, 7200), soa(5, 3600), 0, soa(6, 7200)},
		{"changed at the top", soa(0, 7200), soa(top, 3600), 0, soa(1, 7200)},
		{"wished higher", soa(10, 3600), soa(5, 3600), 0, soa(10, 3600)},
		{"wished higher and changed", soa(10, 7200), soa(5, 3600), 0, soa(10, 7200)},
		{"wished lower", soa(3, 3600), soa(5, 3600), 0, soa(5, 3600)},
		{"wished lower and changed", soa(3, 7200), soa(5, 3600), 0, soa(6, 7200)},
		{"below the floor", soa(0, 3600), soa(5, 3600), 9, soa(9, 3600)},
		{"floor above the wish", soa(7, 3600), soa(5, 3600), 9, soa(9, 3600)},
		{"floor below the wish", soa(12, 3600), soa(5, 3600), 9, soa(12, 3600)},
		{"over the top", soa(5, 3600), soa(top-3, 3600), 0, soa(5, 3600)},
		{"before the top", soa(top-3, 3600), soa(5, 3600), 0, soa(5, 3600)},
	} {
		got, err := content.SOA(c.wish, c.live, c.floor)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{"x", "a. b. x 2 3 4 5", "a. b. 4294967296 2 3 4 5"} {
		if got, err := content.SOA(bad, "", 0); err == nil {
			t.Errorf("%q is taken as %q", bad, got)
		}
		if got, err := content.SOA(soa(0, 1), bad, 0); err == nil {
			t.Errorf("%q is taken as live and becomes %q", bad, got)
		}
	}
}

// Whatever stands, a server takes what is decided, secondaries follow it, and a second decision is the same.
func TestSOALaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		serial := rapid.Uint32()
		refresh := rapid.IntRange(1, 3)
		wish, live := soa(serial.Draw(t, "wish"), refresh.Draw(t, "wished")), soa(serial.Draw(t, "live"), refresh.Draw(t, "lives"))
		floor := serial.Draw(t, "floor")
		got, err := content.SOA(wish, live, floor)
		if err != nil {
			t.Fatal(err)
		}
		w, l, g := parse(t, wish), parse(t, live), parse(t, got)
		if got != live && (!rfc2136.Newer(g.Serial, l.Serial) || g.Serial == 0) {
			t.Errorf("%q over %q: no server takes it", got, live)
		}
		if !g.Same(w) {
			t.Errorf("%q is not what is wished, %q", got, wish)
		}
		if again, err := content.SOA(wish, got, floor); err != nil || again != got {
			t.Errorf("%q becomes %q, and that %q (%v)", live, got, again, err)
		}
	})
}

func parse(t *rapid.T, value string) rfc2136.SOA {
	s, err := rfc2136.ParseSOA(value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
