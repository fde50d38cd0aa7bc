package wanip

import (
	"net/netip"
	"time"
)

// memory is what a reader has seen of the ConfigMap, and what that is worth at a moment. It is pure: time is
// an argument, and its differences are those of the local, monotonic clock.
type memory struct {
	problem string // why the ConfigMap is not there or cannot be believed; empty: it can
	trouble string // why it is not heard of now; empty: it is
	read    bool   // it has been, or was found missing
	state   State  // as it was last read
	now     [2]sight
	good    [2]sight  // the last that could be believed, before now
	own     [2]sight  // what the reader has detected itself
	failed  [2]string // and why it could not
}

// sight is a finding and when it was seen.
type sight struct {
	Finding
	seen  time.Time // when its time of detection was first seen: no heartbeat since
	until time.Time // when it stood there last; for good
	ever  bool
}

func index(f Family) int {
	if f == IPv4 {
		return 0
	}
	return 1
}

// at is Finding.at for what was also seen, locally, not long ago.
func (s sight) at(f Family, now time.Time) Reading {
	if !s.ever {
		return Reading{}
	}
	r := s.Finding.at(f, now)
	if age := now.Sub(s.seen); r.Kind == Known && age > StaleAfter {
		return Reading{Why: s.Addr.String() + " is stale: nothing new has been heard for " + rounded(age).String()}
	}
	return r
}

// stands notes that a State was read now.
func (m *memory) stands(s State, problem error, now time.Time) {
	m.keep(now)
	m.state, m.problem, m.read = s, "", true
	if problem != nil {
		m.problem = problem.Error()
	}
	for _, f := range Families() {
		old, found := &m.now[index(f)], s.Of(f)
		seen := now
		if old.ever && found.Addr == old.Addr && found.DetectedAt.Equal(old.DetectedAt) {
			seen = old.seen // nothing new
		} else if g := m.good[index(f)]; g.ever && found.Addr == g.Addr && found.DetectedAt.Equal(g.DetectedAt) {
			seen = g.seen
		}
		*old = sight{Finding: found, seen: seen, ever: true}
	}
}

// lost notes that the ConfigMap is not there, and how that is said.
func (m *memory) lost(problem string, now time.Time) {
	m.keep(now)
	m.problem, m.read = problem, true
	m.now = [2]sight{}
}

// keep remembers what could be believed until now.
func (m *memory) keep(now time.Time) {
	for _, f := range Families() {
		if s := m.now[index(f)]; s.ever && s.at(f, now).Kind != Unknown {
			s.until = now
			m.good[index(f)] = s
		}
	}
}

// detected notes what the reader has found out itself, or why it has not.
func (m *memory) detected(f Family, a netip.Addr, err error, now time.Time) {
	if err != nil {
		m.failed[index(f)] = err.Error()
		return
	}
	m.failed[index(f)] = ""
	found := Finding{Status: Verified, Addr: a, DetectedAt: now, VerifiedAt: now, ChangedAt: now}
	m.own[index(f)] = sight{Finding: found, seen: now, ever: true}
}

// reading is what may be believed of a family: what stands in the ConfigMap; else, what stood there, while it
// is not stale; else what was detected here.
func (m *memory) reading(f Family, now time.Time) Reading {
	why := m.problem
	if why == "" {
		current := m.now[index(f)].at(f, now)
		if current.Kind != Unknown {
			return current
		}
		why = current.Why
	}
	why = and(why, m.trouble)
	g := m.good[index(f)]
	old := g.at(f, now)
	if old.Kind == Known || old.Kind == Absent && now.Sub(g.until) <= StaleAfter {
		old.Origin, old.Why = FromMemory, why
		return old
	}
	if own := m.own[index(f)].at(f, now); own.Kind == Known {
		own.Origin, own.Why = FromFallback, why
		return own
	}
	if failed := m.failed[index(f)]; failed != "" {
		why = and(why, "detecting it here failed: "+failed)
	}
	return Reading{Why: why}
}

// and joins two reasons.
func and(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
