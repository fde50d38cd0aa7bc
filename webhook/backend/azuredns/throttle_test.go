package azuredns_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

func hosts(n int) []backend.RRset {
	out := make([]backend.RRset, n)
	for i := range out {
		out[i] = rrset(fmt.Sprintf("h%04d.zone.example", i), "A", "192.0.2.1")
	}
	return out
}

func creates(sets []backend.RRset) []backend.Change {
	var changes []backend.Change
	for _, r := range sets {
		changes = append(changes, backend.Change{New: &r})
	}
	return changes
}

func TestALittleThrottlingIsWaitedFor(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	a.Throttle(3, time.Second)
	apply(t.Context(), t, b, creates(hosts(20))...)
	if got := len(a.Records(id)); got != 20 {
		t.Errorf("%d record sets stand, want 20", got)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen["RecordSets_CreateOrUpdate throttled"] != 3 {
		t.Errorf("observed %v, want 3 throttled", a.seen)
	}
}

// Throttled for longer than the caller has: said at once, tried no further, other zones unharmed.
func TestThrottledForAMinute(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	other := a.AddZone(sub, group, "other.example", azurednstest.Public)
	list(t, b, "other.example")
	a.Throttle(16, time.Minute)
	a.Forget()
	ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
	defer cancel()
	err := b.Apply(ctx, "zone.example", creates(hosts(500)))
	if err == nil || backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), "throttled: 429 TooManyRequests: The request was throttled. (retry after 1m0s)") {
		t.Errorf("got %v", err)
	}
	if ctx.Err() != nil {
		t.Error("all the time there was is gone")
	}
	if !strings.Contains(err.Error(), " changes made before the time ran out, this one is the next: ") {
		t.Errorf("the error does not say how far it came: %v", err)
	}
	if n := a.Counts()["RecordSets_CreateOrUpdate"]; n > 16 {
		t.Errorf("%d requests to a service that asks us to wait, want no more than were under way", n)
	}
	if got := len(a.Records(id)); got != 0 {
		t.Errorf("%d record sets stand", got)
	}
	a.Throttle(0, 0)
	www := rrset("www.other.example", "A", "192.0.2.1")
	if err := b.Apply(ctx, "other.example", []backend.Change{{New: &www}}); err != nil || len(a.Records(other)) != 1 {
		t.Errorf("the other zone: %v", err)
	}
	if _, err := b.List(ctx, "zone.example"); err != nil {
		t.Errorf("reads of the zone: %v", err)
	}
	err = b.Apply(ctx, "zone.example", creates(hosts(1)))
	var e *backend.Error
	if !errors.As(err, &e) || e.Kind != backend.Temporary || !strings.Contains(err.Error(), "throttled: the next request can be sent in ") {
		t.Errorf("a write in the meantime: %v", err)
	}
}

// Throttled without a word about how long: the last answer is told, not that the time ran out.
func TestThrottledForUnknownTime(t *testing.T) {
	t.Parallel()
	a, b, _ := served(t, azurednstest.Public)
	a.Throttle(1000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	www := rrset("www.zone.example", "A", "192.0.2.1")
	err := b.Apply(ctx, "zone.example", []backend.Change{{New: &www}})
	requireKinds(t, err, backend.Temporary, www.Key)
	if !strings.Contains(err.Error(), "throttled: 429 TooManyRequests") {
		t.Errorf("got %v", err)
	}
	if n := a.Counts()["RecordSets_CreateOrUpdate"]; n < 2 {
		t.Errorf("%d attempts, want some", n)
	}
}

// Resource Manager's own bucket is emptied and refilled: nothing is lost, and few requests are in vain.
func TestTheServicesPaceIsKept(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{Bucket: azurednstest.Bucket{Size: 30, PerSecond: 20}})
	id := a.AddZone(sub, group, "zone.example", azurednstest.Public)
	c := a.config()
	c.ReadsPerSecond, c.WritesPerSecond, c.Burst = 20, 15, 20
	b := a.open(t, c)
	apply(t.Context(), t, b, creates(hosts(60))...)
	if got := len(a.Records(id)); got != 60 {
		t.Errorf("%d record sets stand, want 60", got)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.seen["RecordSets_CreateOrUpdate throttled"]; n > 3 {
		t.Errorf("%d requests were throttled", n)
	}
}

func TestFaultsInTheMiddleAreRepeated(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	a.Fail(3, http.StatusInternalServerError)
	apply(t.Context(), t, b, creates(hosts(20))...)
	if got := len(a.Records(id)); got != 20 {
		t.Errorf("%d record sets stand, want 20", got)
	}
	a.Fail(1, http.StatusBadGateway)
	if got := list(t, b, "zone.example"); len(got) != 20 {
		t.Errorf("listed %d record sets, want 20", len(got))
	}
}

func TestAFaultThatStaysIsTemporary(t *testing.T) {
	t.Parallel()
	a, b, _ := served(t, azurednstest.Public)
	a.Fail(1000, http.StatusServiceUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	www := rrset("www.zone.example", "A", "192.0.2.1")
	requireKinds(t, b.Apply(ctx, "zone.example", []backend.Change{{New: &www}}), backend.Temporary, www.Key)
	if _, err := b.List(ctx, "zone.example"); err == nil || backend.KindOf(err) != backend.Temporary {
		t.Errorf("list: %v", err)
	}
}

// A service that hangs costs an attempt its timeout, and the caller no more than its time.
func TestAServiceThatHangs(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	id := a.AddZone(sub, group, "zone.example", azurednstest.Public)
	c := a.config()
	c.Timeout = 300 * time.Millisecond
	b := a.open(t, c)
	list(t, b, "zone.example")
	a.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	www := rrset("www.zone.example", "A", "192.0.2.1")
	err := b.Apply(ctx, "zone.example", []backend.Change{{New: &www}})
	requireKinds(t, err, backend.Temporary, www.Key)
	a.Delay(0)
	apply(t.Context(), t, b, backend.Change{New: &www})
	a.requireHeld(t, id, "www A 192.0.2.1")
}
