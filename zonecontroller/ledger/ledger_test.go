package ledger_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/ledger"
)

const uid = types.UID("0b4e5c2e-6a5f-4d5e-9a53-6d2f3f7c1d11")

func key(line string) backend.Key {
	name, typ, _ := strings.Cut(line, " ")
	return backend.Key{Name: name, Type: typ}
}

func hosts(n int) []backend.Key {
	keys := make([]backend.Key, n)
	for i := range keys {
		keys[i] = backend.Key{Name: fmt.Sprintf("host%05d.example.org", i), Type: "A"}
	}
	return keys
}

// loaded is a ledger as another process finds it.
func loaded(t testing.TB, c *cluster) *ledger.Ledger {
	t.Helper()
	l := ledger.New(c, "dns")
	if err := l.Load(t.Context(), uid); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWhatIsAddedIsFoundByTheNextProcess(t *testing.T) {
	t.Parallel()
	c := newCluster()
	l := loaded(t, c)
	keys := append(hosts(1000), key(`my\032printer._ipp._tcp.example.org SRV`), key("example.org SOA"), key("*.apps.example.org TYPE65280"))
	if err := l.Add(t.Context(), uid, keys); err != nil {
		t.Fatal(err)
	}
	if n := len(c.stored()); n != 16 || c.writes != 16 {
		t.Errorf("%d ConfigMaps after %d writes, want 16 of both", n, c.writes)
	}
	next := loaded(t, c)
	if diff := cmp.Diff(l.Keys(uid), next.Keys(uid)); diff != "" || len(next.Keys(uid)) != len(keys) {
		t.Errorf("%d of %d are found (-known +found):\n%s", len(next.Keys(uid)), len(keys), diff)
	}
	for _, k := range keys {
		if !next.Has(uid, k) {
			t.Errorf("%s is not found", k)
		}
	}
	if next.Has(uid, key("host00000.example.org AAAA")) || next.Has("another zone", keys[0]) {
		t.Error("what was not added is found")
	}
	if err := l.Add(t.Context(), uid, keys); err != nil || c.writes != 16 {
		t.Errorf("adding again: %d writes, want none more (%v)", c.writes-16, err)
	}
	if err := next.Strike(t.Context(), uid, append(keys[1:], key("never.example.org A"))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keys[:1], loaded(t, c).Keys(uid)); diff != "" {
		t.Errorf("after all but one are struck out (-want +got):\n%s", diff)
	}
}

func TestOneRecordIsOneWrite(t *testing.T) {
	t.Parallel()
	c := newCluster()
	l := ledger.New(c, "dns") // Add reads what is there by itself
	if err := l.Add(t.Context(), uid, hosts(1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Strike(t.Context(), uid, hosts(1)); err != nil {
		t.Fatal(err)
	}
	if c.writes != 2 {
		t.Errorf("%d writes for a record that comes and goes, want 2", c.writes)
	}
}

// TestANewZoneAsksNobody, and loses nothing should it not be new.
func TestANewZoneAsksNobody(t *testing.T) {
	t.Parallel()
	c := newCluster()
	if err := loaded(t, c).Add(t.Context(), uid, hosts(50)); err != nil {
		t.Fatal(err)
	}
	l := ledger.New(c, "dns")
	l.Begin(uid)
	if n := len(l.Keys(uid)); n != 0 {
		t.Errorf("%d keys of what was not read", n)
	}
	if err := l.Add(t.Context(), uid, hosts(100)); err != nil {
		t.Fatal(err)
	}
	if n := len(loaded(t, c).Keys(uid)); n != 100 {
		t.Errorf("%d of 100 are found", n)
	}
}

func TestDropLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"loaded", "not loaded"} {
		c := newCluster()
		l := loaded(t, c)
		if err := errors.Join(l.Add(t.Context(), uid, hosts(100)), l.Add(t.Context(), "other", hosts(1))); err != nil {
			t.Fatal(err)
		}
		if how == "not loaded" {
			l = ledger.New(c, "dns")
		}
		if err := l.Drop(t.Context(), uid); err != nil {
			t.Fatal(err)
		}
		if left := c.stored(); len(left) != 1 || !strings.Contains(left[0], "other") || len(l.Keys(uid)) != 0 {
			t.Errorf("%s: %q are left, and %d keys", how, left, len(l.Keys(uid)))
		}
	}
}

func TestWhatCannotBeWrittenDownIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster()
	for _, k := range []backend.Key{{}, {Name: "a b", Type: "A"}, {Name: "a\nb", Type: "A"}, {Name: "a"}, {Name: "a", Type: "A", SetID: "blue"}} {
		if err := ledger.New(c, "dns").Add(t.Context(), uid, []backend.Key{key("fine A"), k}); err == nil || len(c.stored()) > 0 {
			t.Errorf("%q is written down (%v)", k, err)
		}
	}
}

func zip(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

func TestACorruptPartIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	c := newCluster()
	l := loaded(t, c)
	if err := l.Add(t.Context(), uid, hosts(100)); err != nil {
		t.Fatal(err)
	}
	const part = "spokedns-ledger-" + string(uid) + "-7"
	cm := c.objects["dns/"+part]
	good := cm.BinaryData["rrsets.gz"]
	r, err := gzip.NewReader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	for what, bad := range map[string][]byte{
		"nothing":         {},
		"no gzip":         []byte("host00001.example.org A\n"),
		"cut":             good[:len(good)-5],
		"longer":          append(slices.Clone(good), 0),
		"another bit":     slices.Replace(slices.Clone(good), 20, 21, good[20]^1),
		"no heading":      zip(rest),
		"another version": zip(strings.Replace(string(text), "ledger 1", "ledger 2", 1)),
		"another part":    zip(strings.Replace(string(text), first, first[:len(first)-1]+"8", 1)),
		"another's name":  zip(first + "\nwww.example.org A\nxxx.example.org A\nyyy.example.org A\n"),
		"half a line":     zip(strings.TrimSuffix(string(text), "\n")),
		"a line twice":    zip(first + "\n" + rest + rest),
		"no type":         zip(first + "\nwww.example.org\n"),
		"missing":         nil,
	} {
		cm.BinaryData["rrsets.gz"] = bad
		if bad == nil {
			delete(cm.BinaryData, "rrsets.gz")
		}
		known := len(l.Keys(uid))
		fresh := ledger.New(c, "dns")
		for _, err := range []error{fresh.Load(t.Context(), uid), fresh.Add(t.Context(), uid, hosts(1)), fresh.Strike(t.Context(), uid, hosts(1)), l.Load(t.Context(), uid)} {
			if err == nil || !strings.Contains(err.Error(), "dns/"+part) {
				t.Errorf("%s: the error does not name the ConfigMap: %v", what, err)
			}
		}
		if len(l.Keys(uid)) != known {
			t.Errorf("%s: what was known is forgotten", what)
		}
	}
}

func TestAnAddWinsOverAnotherLeader(t *testing.T) {
	t.Parallel()
	c := newCluster()
	a, b := loaded(t, c), loaded(t, c)
	keys := hosts(400)
	if err := errors.Join(a.Add(t.Context(), uid, keys[:200]), b.Add(t.Context(), uid, keys[200:])); err != nil {
		t.Fatal(err)
	}
	if n := len(loaded(t, c).Keys(uid)); n != 400 {
		t.Errorf("%d of 400 are written down", n)
	}
	err := a.Strike(t.Context(), uid, keys[:200])
	var changed *ledger.Changed
	if !errors.As(err, &changed) || changed.Zone != uid || len(changed.Shards) != 16 {
		t.Fatalf("want all parts reported as changed by the other, got %v", err)
	}
	if n := len(a.Keys(uid)); n != 400 || len(loaded(t, c).Keys(uid)) != 400 {
		t.Errorf("%d are known after a strike that met another leader's writing", n)
	}
	if err := a.Strike(t.Context(), uid, keys[:200]); err != nil {
		t.Errorf("a second strike, on what stands now: %v", err)
	}
}

func TestADeletedPartIsWrittenAgain(t *testing.T) {
	t.Parallel()
	c := newCluster()
	l := loaded(t, c)
	keys := hosts(100)
	if err := l.Add(t.Context(), uid, keys[:99]); err != nil {
		t.Fatal(err)
	}
	clear(c.objects) // by hand
	if err := l.Add(t.Context(), uid, keys); err != nil {
		t.Fatal(err)
	}
	if n := len(l.Keys(uid)); n != 100 {
		t.Errorf("%d of 100 are known", n)
	}
	var struck []backend.Key
	for _, k := range keys {
		if err := l.Strike(t.Context(), uid, []backend.Key{k}); errors.As(err, new(*ledger.Changed)) {
			err = l.Strike(t.Context(), uid, []backend.Key{k})
			if err != nil {
				t.Fatal(err)
			}
		}
		struck = append(struck, k)
	}
	if left := l.Keys(uid); len(left) != 0 || len(struck) != 100 {
		t.Errorf("%d are left", len(left))
	}
}

func TestRequestsAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.meet = func() { time.Sleep(time.Millisecond) }
		l := ledger.New(c, "dns")
		done := make(chan error)
		for i := range 20 {
			go func() { done <- l.Add(t.Context(), types.UID(fmt.Sprint(i)), hosts(100)) }()
		}
		for range 20 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if c.most != 8 {
			t.Errorf("%d requests at once, want 8", c.most)
		}
	})
}

// TestNothingPublishedIsForgotten lets two leaders work on one zone while requests fail before or after they
// took effect, and processes end at any moment.
func TestNothingPublishedIsForgotten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newCluster()
		faults, writes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 2}), 1, 40).Draw(rt, "faults"), 0
		c.fault = func() (refused, lost bool) {
			f := faults[writes%len(faults)]
			writes++
			return f == 1, f == 2
		}
		leaders := []*ledger.Ledger{ledger.New(c, "dns"), ledger.New(c, "dns")}
		someKeys := rapid.SliceOfN(rapid.SampledFrom(hosts(30)), 1, 6)
		published := map[backend.Key]bool{} // added for certain, and no strike was tried since
		gone := map[backend.Key]bool{}      // struck out for certain, and no add was tried since
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			n := rapid.IntRange(0, 1).Draw(rt, "leader")
			l := leaders[n]
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				leaders[n] = ledger.New(c, "dns")
			case 1:
				if err := l.Load(t.Context(), uid); err != nil {
					rt.Fatal(err)
				}
			case 2, 3:
				keys := someKeys.Draw(rt, "added")
				fresh := rapid.Bool().Draw(rt, "fresh")
				if fresh {
					if err := l.Load(t.Context(), uid); err != nil {
						rt.Fatal(err)
					}
				}
				before := l.Keys(uid)
				err := l.Add(t.Context(), uid, keys)
				for _, k := range keys {
					delete(gone, k)
					// What a leader believes to be written down may have been struck out by the other since.
					if err == nil && (fresh || !slices.Contains(before, k)) {
						published[k] = true
					}
				}
			default:
				keys := someKeys.Draw(rt, "struck")
				// As a leader works: on what it has just read.
				if err := l.Load(t.Context(), uid); err != nil {
					rt.Fatal(err)
				}
				err := l.Strike(t.Context(), uid, keys)
				for _, k := range keys {
					delete(published, k)
					if err == nil {
						gone[k] = true
					}
				}
			}
			next := loaded(t, c)
			for k := range published {
				if !next.Has(uid, k) {
					rt.Fatalf("%s is published and forgotten", k)
				}
			}
			for k := range gone {
				if next.Has(uid, k) {
					rt.Fatalf("%s is struck out and stands again", k)
				}
			}
		}
	})
}

func FuzzLoad(f *testing.F) {
	c := newCluster()
	l := ledger.New(c, "dns")
	if err := l.Add(f.Context(), uid, hosts(100)); err != nil {
		f.Fatal(err)
	}
	cm := c.objects["dns/spokedns-ledger-"+string(uid)+"-7"]
	f.Add(cm.BinaryData["rrsets.gz"])
	f.Add(zip("spokedns ledger 1 " + string(uid) + " 7\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, stored []byte) {
		c := newCluster()
		held := cm.DeepCopy()
		held.BinaryData["rrsets.gz"] = stored
		c.objects["dns/"+cm.Name] = held
		l := ledger.New(c, "dns")
		if l.Load(t.Context(), uid) != nil {
			if len(l.Keys(uid)) > 0 {
				t.Fatal("something is known of what could not be read")
			}
			return
		}
		// What is read is what stands after it is written again.
		keys := l.Keys(uid)
		if err := l.Drop(t.Context(), uid); err != nil {
			t.Fatal(err)
		}
		if err := l.Add(t.Context(), uid, keys); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(keys, loaded(t, c).Keys(uid)); diff != "" {
			t.Fatalf("written again (-want +got):\n%s", diff)
		}
	})
}
