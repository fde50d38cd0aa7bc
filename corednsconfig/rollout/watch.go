package rollout

import (
	"maps"
	"slices"
	"time"
)

// The cluster's own names are broken when a replica failed to answer them failures times within window.
const (
	failures = 3
	window   = 15 * time.Second
)

// watch is the history of probes of the cluster's own names, by replica.
type watch struct {
	good   map[string]bool // answered at least once, so that a failure is news
	failed map[string][]failure
}

type failure struct {
	At  time.Time
	Why string
}

// probe is one question about the cluster's own names. Neither OK nor a reason: it could not be put.
type probe struct {
	OK  bool
	Why string
}

// everyone stands for the cluster's DNS as a whole in a watch.
const everyone = "cluster DNS"

// see takes in a round of probes, by replica. A replica that has never answered does not count: it may be starting,
// or may have been ill before. When nobody answers, that counts as a failure of cluster DNS.
func (w watch) see(now time.Time, round map[string]probe) watch {
	next := watch{good: maps.Clone(w.good), failed: map[string][]failure{}}
	if next.good == nil {
		next.good = map[string]bool{}
	}
	for name, f := range w.failed {
		f = slices.DeleteFunc(slices.Clone(f), func(f failure) bool { return now.Sub(f.At) >= window })
		if len(f) > 0 {
			next.failed[name] = f
		}
	}
	answered, silent := false, ""
	for _, name := range slices.Sorted(maps.Keys(round)) {
		p := round[name]
		switch {
		case p.OK:
			answered, next.good[name] = true, true
		case p.Why != "":
			silent = p.Why
			if w.good[name] {
				next.failed[name] = append(next.failed[name], failure{now, p.Why})
			}
		}
	}
	if answered {
		next.good[everyone] = true
	} else if silent != "" && w.good[everyone] {
		next.failed[everyone] = append(next.failed[everyone], failure{now, silent})
	}
	return next
}

// broken names the replica, or everyone, that fails, and why.
func (w watch) broken() (who, why string, yes bool) {
	for _, name := range slices.Sorted(maps.Keys(w.failed)) {
		if f := w.failed[name]; len(f) >= failures {
			return name, f[len(f)-1].Why, true
		}
	}
	return "", "", false
}

// answering says whether anybody has ever answered.
func (w watch) answering() bool { return w.good[everyone] }
