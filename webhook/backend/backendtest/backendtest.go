// Package backendtest owns the conformance suite: what every backend promises, as tests that run
// against any backend and, through a harness, against the real service behind it.
//
// Most of it is a list of groups that read like zone files (see groups.go). Each step of a group states
// everything the zone shall hold. The suite compares that with what the backend lists, applies the
// difference and requires that List then equals the intent, that applying again changes nothing, and
// that a new comparison finds nothing to do. The rest (promises_*.go) provokes what data cannot say:
// conflicts, lost replies, other writers, ended contexts. What a service stores beside values is its own, so
// the harness brings samples of it (see policies.go).
//
// Nothing is skipped. A record that Limits excludes is required to be refused instead, and the reason
// is logged.
package backendtest

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Harness makes the subjects of a test.
type Harness struct {
	// Fresh returns a backend and an empty zone it serves. It is called once or more in every subtest,
	// which ends the subject by t.Cleanup.
	Fresh func(t *testing.T) Subject

	// Unknown is the name of a zone the service does not hold: List and Apply must refuse it. Empty
	// when the service cannot tell: List must then be empty.
	Unknown string

	// Policies are samples of the attributes that the service stores, for backends whose Limits name some.
	Policies []Policy
}

// Subject is a backend under test with one empty zone. Only Backend and Zone are required.
type Subject struct {
	Backend backend.Backend
	Zone    string

	// Other is a second empty zone of the same backend.
	Other string

	// Verify asks the service itself, by DNS queries, whether it answers exactly the values of each
	// RRset at its name and type, in the text of backend.Canonical. An RRset without Values must not be
	// answered. NS below the zone's own name is answered as a referral. It may wait a little for a
	// service that publishes later, and fails the test otherwise.
	Verify func(t *testing.T, zone string, want []backend.RRset)

	// Put makes r the zone's RRset of its key and Remove takes one away, behind the backend's back, as
	// another writer would. Without them a reopened backend, else the backend itself, stands in.
	Put    func(t *testing.T, zone string, r backend.RRset)
	Remove func(t *testing.T, zone string, key backend.Key)

	// Reopen returns another backend on the same zones: a second writer, or the first one restarted.
	// Without it, Backend stands in.
	Reopen func(t *testing.T) backend.Backend
}

// Run checks every promise of backend.Backend.
func Run(t *testing.T, h Harness) {
	t.Helper()
	t.Run("limits", func(t *testing.T) { limits(t, h.Fresh(t).Backend.Limits()) })
	for _, g := range groups() {
		t.Run(strings.ReplaceAll(g.name, " ", "-"), func(t *testing.T) { play(t, h.Fresh(t), g) })
	}
	for _, p := range promises() {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) { p.check(t, h, open(t, h)) })
	}
	t.Run("policies", func(t *testing.T) { runPolicies(t, h) })
}

// promise is one test that is not a list of zone contents.
type promise struct {
	name  string
	check func(t *testing.T, h Harness, z *zone)
}

func promises() []promise {
	var all []promise
	all = append(all, writerPromises()...)
	all = append(all, failurePromises()...)
	all = append(all, zonePromises()...)
	return append(all, scalePromises()...)
}
