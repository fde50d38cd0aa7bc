package watch

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/listwatch"
)

// State is how well a resource is known.
type State string

const (
	Listing     State = "listing"     // being read for the first time
	Synced      State = "synced"      // known completely and followed
	Absent      State = "absent"      // the server does not serve it: no CRD
	Forbidden   State = "forbidden"   // a right to list or watch is missing
	Unreachable State = "unreachable" // the server does not answer, or not usefully
	Unlisted    State = "unlisted"    // not among the kinds that are wanted: nobody asks for it
)

// Status is the state of one watched resource.
type Status struct {
	Resource string // plural and group, "ingresses.networking.k8s.io"
	Kind     string // of its claims; "" for resources that only tell about others, Gateways for example
	State    State
	Reason   string // what the server said; empty when synced or absent
}

// stateOf classifies what went wrong with a list or watch.
func stateOf(err error) State {
	switch {
	case listwatch.Refused(err, http.StatusForbidden, http.StatusUnauthorized):
		return Forbidden
	case listwatch.Refused(err, http.StatusNotFound):
		return Absent
	}
	return Unreachable
}

// known reports whether there is nothing to be known that is not.
func (s State) known() bool { return s == Synced || s == Absent }

// report records the state of a resource and brings up to date what depends on it. It reports whether
// that is news.
func (s *store) report(r *resource, state State, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.state[r.id()]
	now := Status{r.id(), r.kind, state, reason}
	if before == now {
		return false
	}
	s.state[r.id()] = now
	if r.kind != "" {
		s.index.Watch(r.kind, state == Synced, reason)
	}
	if !before.State.known() || !state.known() {
		s.deriveAffected(r)
	}
	return true
}

// unknown says why a resource's objects are not known completely; empty when they are.
func (s *store) unknown(id string) string {
	if status := s.state[id]; !status.State.known() {
		return cmp.Or(status.Reason, string(status.State))
	}
	return ""
}

func (s *store) statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.state))
	for _, status := range s.state {
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Resource, b.Resource) })
	return all
}

// synced is nil once everything that may be read has been.
func (s *store) synced() error {
	var errs []error
	for _, status := range s.statuses() {
		if status.State == Listing || status.State == Unreachable {
			errs = append(errs, fmt.Errorf("%s: %s", status.Resource, cmp.Or(status.Reason, string(status.State))))
		}
	}
	return errors.Join(errs...)
}
