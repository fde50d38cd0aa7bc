package backend_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	set := func(ttl time.Duration, values ...string) *backend.RRset {
		return &backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, TTL: ttl, Values: values}
	}
	one, two, three := set(time.Minute, "192.0.2.1"), set(time.Minute, "192.0.2.2"), set(time.Minute, "192.0.2.3")
	oneForAnHour := set(time.Hour, "192.0.2.1")
	oneForDefault := set(0, "192.0.2.1")
	withAttr := set(time.Minute, "192.0.2.1")
	withAttr.Attrs = map[string]string{"weight": "1"}
	const nothing, write, conflict = "nothing", "write", "conflict"
	for _, c := range []struct {
		name              string
		current, old, new *backend.RRset
		want              string
	}{
		{"create in an empty place", nil, nil, one, write},
		{"create again", one, nil, one, nothing},
		{"create where another stands", two, nil, one, conflict},
		{"create where the same stands with another TTL", oneForAnHour, nil, one, write},
		{"create for the default TTL where the same stands", oneForAnHour, nil, oneForDefault, nothing},
		{"create where the same stands with other properties", withAttr, nil, one, conflict},
		{"update", one, one, two, write},
		{"update again", two, one, two, nothing},
		{"update where a third stands", three, one, two, conflict},
		{"update where nothing stands", nil, one, two, conflict},
		{"update of the TTL alone", one, one, oneForAnHour, write},
		{"update of one whose TTL someone changed", oneForAnHour, one, two, write},
		{"update of the properties alone", one, one, withAttr, write},
		{"delete", one, one, nil, write},
		{"delete again", nil, one, nil, nothing},
		{"delete of one whose TTL someone changed", oneForAnHour, one, nil, write},
		{"delete where another stands", two, one, nil, conflict},
	} {
		got, err := backend.Decide(c.current, backend.Change{Old: c.old, New: c.new})
		want := map[string]bool{write: true}[c.want]
		if got != want || (err != nil) != (c.want == conflict) || err != nil && !errors.Is(err, backend.ErrConflict) {
			t.Errorf("%s: %t, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// The laws behind idempotence and conflict, for any zone content and any change.
func TestDecideLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		current, change := maybeSet(t, "current"), backend.Change{Old: maybeSet(t, "old"), New: maybeSet(t, "new")}
		write, err := backend.Decide(current, change)
		if write && err != nil {
			t.Fatalf("both a write and %v", err)
		}
		after := current
		if write {
			after = change.New
		}
		if again, errAgain := backend.Decide(after, change); again || (errAgain != nil) != (err != nil) {
			t.Errorf("the second time: %t, %v after %t, %v", again, errAgain, write, err)
		}
		if err == nil && !after.Same(change.New) {
			t.Errorf("no conflict, but %v stands and %v is wanted", after, change.New)
		}
		if write && !current.Same(change.Old) && !current.Same(change.New) {
			t.Errorf("%v would be overwritten, which is neither %v nor %v", current, change.Old, change.New)
		}
	})
}

func maybeSet(t *rapid.T, label string) *backend.RRset {
	if rapid.Bool().Draw(t, label+" is nil") {
		return nil
	}
	r := &backend.RRset{
		Key:    backend.Key{Name: "www.example.org", Type: "A"},
		TTL:    rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, label+" TTL"),
		Values: []string{rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, label+" value")},
	}
	if rapid.Bool().Draw(t, label+" has properties") {
		r.Attrs = map[string]string{"weight": rapid.SampledFrom([]string{"1", "2"}).Draw(t, label+" weight")}
	}
	return r
}
