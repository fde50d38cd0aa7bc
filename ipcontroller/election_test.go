package main

import (
	"math"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

func leaseOf(holder string, seconds, transitions int32) *coordinationv1.Lease {
	return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, LeaseTransitions: &transitions}}
}

// A follower tries at the moment the Lease runs out, not up to a period later.
func TestTheLeaseIsTriedForWhenItRunsOut(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		lease *coordinationv1.Lease
		seen  time.Duration // ago
		want  time.Duration
		free  bool
	}{
		"never seen":                  {nil, 0, 2 * time.Second, false},
		"just renewed":                {leaseOf("b", 15, 1), 0, 2 * time.Second, false},
		"about to run out":            {leaseOf("b", 15, 1), 14 * time.Second, time.Second + time.Millisecond, false},
		"run out":                     {leaseOf("b", 15, 1), 15*time.Second + 1, 2 * time.Second, true},
		"released":                    {leaseOf("", 1, 1), 0, time.Second + time.Millisecond, true},
		"of a former life":            {leaseOf("a", 15, 1), 0, 2 * time.Second, true},
		"without a duration":          {leaseOf("b", 0, 1), 0, time.Second + time.Millisecond, false},
		"for a lifetime, by hand":     {leaseOf("b", math.MaxInt32, 1), 61 * time.Second, 2 * time.Second, true},
		"for a lifetime, and renewed": {leaseOf("b", math.MaxInt32, 1), 30 * time.Second, 2 * time.Second, false},
		"negative, by hand":           {leaseOf("b", -5, 1), 2 * time.Second, 2 * time.Second, true},
	} {
		e := &election{identity: "a", duration: 15 * time.Second, lease: c.lease, seen: now.Add(-c.seen)}
		if got := e.wait(now, 2*time.Second); got != c.want {
			t.Errorf("%s: wait %s, want %s", name, got, c.want)
		}
		if c.lease != nil && e.free(now) != c.free {
			t.Errorf("%s: free is %t", name, e.free(now))
		}
	}
}

func TestNumbersNoElectionCameToAreNotGoneOnFrom(t *testing.T) {
	for in, want := range map[int32]int64{0: 0, 7: 7, 1<<30 - 1: 1<<30 - 1, 1 << 30: 0, math.MaxInt32: 0, -3: 0} {
		if got := counted(leaseOf("b", 15, in)); got != want {
			t.Errorf("%d counts as %d, want %d", in, got, want)
		}
	}
}
