package nameserver

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
)

const zone = "example.org"

func key() keyfile.Key {
	return keyfile.Key{Name: "k", Algorithm: "hmac-sha256", Secret: "c2VjcmV0"}
}

// standing is a zone's configuration as named prints it.
func standing(t testing.TB, text string) []clause.Statement {
	t.Helper()
	all, err := clause.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPlan(t *testing.T) {
	const p, s = v1alpha1.Primary, v1alpha1.Secondary
	file := newFile(zone, "")
	z := ZoneConfig{Zone: zone}
	wish := func(role v1alpha1.Role) func(string) []clause.Statement {
		return func(file string) []clause.Statement { return configured(file, z, role, key(), peers{}) }
	}
	primary, secondary := wish(p)(file), wish(s)(file)
	other := standing(t, `type primary; file "`+file+`"; allow-update { any; };`)
	seeded := seeding(file, peer{})
	users := standing(t, `type primary; file "example.org.db"; allow-update { key "k"; };`)
	elsewhere := standing(t, `type primary; file "`+newFile("example.net", "")+`";`)
	anotherView := standing(t, `type primary; file "`+newFile(zone, "inside")+`";`)
	for _, tt := range []struct {
		name  string
		found found
		floor uint32
		role  v1alpha1.Role
		want  step
	}{
		{"a primary that knows nothing", found{}, 0, p, fill},
		{"a secondary that knows nothing", found{}, 0, s, add},
		{"as wished", found{conf: primary, serving: true, serial: 5}, 5, p, nothing},
		{"as wished, grown since", found{conf: primary, serving: true, serial: 9}, 5, p, nothing},
		{"as wished, past the end of serials", found{conf: primary, serving: true, serial: 3}, 1<<32 - 2, p, nothing},
		{"another configuration", found{conf: other, serving: true, serial: 5}, 5, p, modify},
		{"an older content", found{conf: primary, serving: true, serial: 4}, 5, p, discard},
		{"an older content, and another configuration", found{conf: other, serving: true, serial: 4}, 5, p, discard},
		{"a lost content", found{conf: primary, lost: true}, 5, p, discard},
		{"a content that is there and not answered", found{conf: primary}, 5, p, stuck},
		{"filled and not promoted", found{conf: seeded, serving: true, serial: 6}, 5, p, promote},
		{"filled by an older content", found{conf: seeded, serving: true, serial: 4}, 5, p, discard},
		{"not filled", found{conf: seeded}, 0, p, discard},
		{"a secondary as wished", found{conf: secondary, serving: true, serial: 1}, 5, s, nothing},
		{"a secondary without data", found{conf: secondary, lost: true}, 5, s, fetch},
		{"a secondary that was a primary", found{conf: primary, serving: true, serial: 9}, 5, s, discard},
		{"a zone of the user's", found{conf: users, serving: true, serial: 1}, 5, p, keep},
		{"a broken zone of the user's", found{conf: users, lost: true}, 5, p, keep},
		{"a zone of the user's on a secondary", found{conf: users, serving: true}, 0, s, keep},
		{"a file of another zone", found{conf: elsewhere, serving: true, serial: 9}, 5, p, keep},
		{"a file of another view", found{conf: anotherView, serving: true, serial: 9}, 5, p, keep},
	} {
		z := z
		z.Floor = tt.floor
		if got := plan(tt.found, z, tt.role, "", wish(tt.role)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestPlanTouchesOnlyOurs has any zone there may be: what does not carry our mark is kept, and what a primary
// serves is discarded only when it is older than it was.
func TestPlanTouchesOnlyOurs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		file := rapid.OneOf(rapid.StringMatching(`[a-z/.]{0,20}`), rapid.Just(newFile(zone, "")), rapid.Just("/var/lib/"+newFile(zone, ""))).Draw(r, "file")
		typ := rapid.SampledFrom([]string{"primary", "master", "secondary", "slave", "forward", ""}).Draw(r, "type")
		f := found{
			conf:    []clause.Statement{clause.Of("type", typ), clause.Text("file", file)},
			serving: rapid.Bool().Draw(r, "serving"), serial: rapid.Uint32().Draw(r, "serial"), lost: rapid.Bool().Draw(r, "lost"),
		}
		z := ZoneConfig{Zone: zone, Floor: rapid.Uint32().Draw(r, "floor")}
		got := plan(f, z, v1alpha1.Primary, "", func(string) []clause.Statement { return nil })
		if mine := ours(file, zone, ""); mine == (got == keep) {
			r.Fatalf("file %q: %s", file, got)
		}
		if got == discard && f.serving && int32(f.serial-z.Floor) >= 0 {
			r.Fatalf("%+v with floor %d is discarded", f, z.Floor)
		}
	})
}

// TestFileNames gives every zone a file of its own, under a name that is safe anywhere, and never twice.
func TestFileNames(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.StringMatching(`[a-z0-9_./-]{1,250}`)
		a, b := names.Draw(r, "a"), names.Draw(r, "b")
		view := rapid.StringMatching(`[a-z]{0,5}`).Draw(r, "view")
		file := newFile(a, view)
		if !ours(file, a, view) || a != b && ours(file, b, view) || ours(file, a, view+"x") {
			r.Fatalf("%q belongs to something else than %q", file, a)
		}
		if file == newFile(a, view) {
			r.Fatal("the same name twice")
		}
		if rest := strings.Trim(file, "abcdefghijklmnopqrstuvwxyz0123456789.-_"); rest != "" || !clause.Plain(file) {
			r.Fatalf("%q has other bytes", file)
		}
		if len(file) > 150 || file[0] == '.' {
			r.Fatalf("%q", file)
		}
	})
}

func TestUnsigning(t *testing.T) {
	signed := []clause.Statement{clause.Of("dnssec-policy", "default")}
	plain := ZoneConfig{Zone: zone}
	if got := unsigning(nil, signed, plain); len(got) != 1 || got[0].Value() != insecure {
		t.Errorf("a signed zone that should not be: %v; want the policy insecure", got)
	}
	if got := unsigning(nil, nil, plain); len(got) != 0 {
		t.Errorf("a zone that never was signed: %v; want no policy", got)
	}
	if got := unsigning(signed, signed, ZoneConfig{Zone: zone, DNSSECPolicy: "default"}); len(got) != 1 || got[0].Value() != "default" {
		t.Errorf("a zone that stays signed: %v", got)
	}
}

func TestGone(t *testing.T) {
	for _, result := range []string{rndc.FileNotFound, "unexpected end of input", "not at top of zone", "bad zone", "syntax error", "journal rollforward failed"} {
		if !gone(result) {
			t.Errorf("%q: the content is there still", result)
		}
	}
	for _, result := range []string{ // as BIND 9.18 spells them
		rndc.NotPermitted, "out of memory", "too many open files", "I/O error", "disc full", "disc quota", "ran out of space", "soft quota reached", "operation canceled", "lock busy",
	} {
		if gone(result) {
			t.Errorf("%q: the file would be deleted", result)
		}
	}
	for text, want := range map[string]bool{"(not exists)": true, "(malformed data)": true, "(operation not permitted)": false, "(not enough memory)": false,
		"(OS lacked necessary resources)": false, "(no buffers)": false, "(not enough space provided)": false, "(stopping server)": false, "(operation already in progress)": false} {
		if knotGone(text) != want {
			t.Errorf("on Knot, %q: want gone: %t", text, want)
		}
	}
}
