package clouddns_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

func TestTwoManagedZonesOfOneName(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	inside := s.AddZone(clouddnstest.Zone{Project: project, Name: "inside", DNSName: zone, Visibility: "private"})
	s.Put(project, "inside", record(set("inside", "A", "10.0.0.1")))
	s.Put(project, "main", record(set("outside", "A", "192.0.2.1")))

	b := opened(t, c)
	_, err := b.List(t.Context(), zone)
	requireFailure(t, err, backend.Rejected, "platform/main (public, id ", fmt.Sprintf("platform/inside (private, id %d)", inside), "visibility: public or private", "managedZones: [")
	requireFailure(t, b.Apply(t.Context(), zone, create(set("www", "A", "192.0.2.1"))), backend.Rejected, "2 managed zones")

	for name, choose := range map[string]func() []backend.RRset{
		"inside by visibility": func() []backend.RRset { c := c; c.Visibility = "private"; return mustList(t, opened(t, c)) },
		"inside by id": func() []backend.RRset {
			c := c
			c.ManagedZones = []string{fmt.Sprint(inside)}
			return mustList(t, opened(t, c))
		},
		"inside by name": func() []backend.RRset {
			c := c
			c.ManagedZones = []string{"other", "inside"}
			return mustList(t, opened(t, c))
		},
		"inside by project and name": func() []backend.RRset {
			c := c
			c.ManagedZones = []string{project + "/inside", "elsewhere/main"}
			return mustList(t, opened(t, c))
		},
		"outside by visibility": func() []backend.RRset { c := c; c.Visibility = "public"; return mustList(t, opened(t, c)) },
	} {
		want := strings.Fields(name)[0] + ".zone.example A"
		if got := keys(choose()); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: listed %q, want %q", name, got, want)
		}
	}

	c.Visibility = "private"
	if err := opened(t, c).Apply(t.Context(), zone, create(set("www", "A", "10.0.0.2"))); err != nil {
		t.Fatal(err)
	}
	if inside, outside := len(s.Records(project, "inside")), len(s.Records(project, "main")); inside != 4 || outside != 3 {
		t.Errorf("%d RRsets inside and %d outside, want 4 and 3", inside, outside)
	}
}

func TestSeveralProjects(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	s.AddZone(clouddnstest.Zone{Project: "another-project", Name: "main", DNSName: "another.example"})
	c.Projects = []string{project, "another-project"}
	b := opened(t, c)
	for _, name := range []string{zone, "another.example"} {
		www := set("www", "A", "192.0.2.1")
		www.Name = "www." + name
		if err := b.Apply(t.Context(), name, create(www)); err != nil {
			t.Error(err)
		}
		if sets, err := b.List(t.Context(), name); err != nil || len(sets) != 1 || sets[0].Name != www.Name {
			t.Errorf("%s holds %v (%v)", name, sets, err)
		}
	}
	s.AddZone(clouddnstest.Zone{Project: "another-project", Name: "twin", DNSName: zone})
	_, err := opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Rejected, "platform/main", "another-project/twin")
}

func TestZonesThatHoldNoRecords(t *testing.T) {
	t.Parallel()
	for config, says := range map[string]string{
		"forwardingConfig": "forwarding", "peeringConfig": "peering", "serviceDirectoryConfig": "service directory", "reverseLookupConfig": "managed reverse lookup",
	} {
		s, c := started(t)
		s.AddZone(clouddnstest.Zone{Project: project, Name: "special", DNSName: zone, Visibility: "private", Config: config})
		if got := mustList(t, opened(t, c)); len(got) != 0 {
			t.Errorf("%s: listed %v", config, got)
		}
		s.DeleteZone(project, "main")
		_, err := opened(t, c).List(t.Context(), zone)
		requireFailure(t, err, backend.Rejected, "platform/special ("+says, "holding records")
	}
}

func TestZoneNotFound(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	c.ManagedZones = []string{"another"}
	_, err := opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Rejected, "platform/main (public", "another")
	s.DeleteZone(project, "main")
	_, err = opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Rejected, "no managed zone of this name in project platform")
	s.Fail(clouddnstest.Fault{Status: 404, Reason: "notFound", Message: "The 'parameters.project' resource named 'platform' does not exist."})
	_, err = opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Rejected, "'parameters.project'")
}

func TestANewZoneIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	mustList(t, b)
	s.AddZone(clouddnstest.Zone{Project: project, Name: "new", DNSName: "new.example"})
	if _, err := b.List(t.Context(), "new.example"); err != nil {
		t.Error(err)
	}
	s.ResetCalls()
	mustList(t, b)
	if n := s.Calls()["managedZones.list"]; n != 0 {
		t.Errorf("zones were looked up %d times, want them kept", n)
	}
}

// A zone that is deleted and made again under its name is another zone.
func TestAZoneMadeAgain(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	mustList(t, b)
	s.DeleteZone(project, "main")
	s.AddZone(clouddnstest.Zone{Project: project, Name: "main", DNSName: zone})
	_, err := b.List(t.Context(), zone)
	requireFailure(t, err, backend.Temporary, "does not exist")
	if got := mustList(t, b); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	s.DeleteZone(project, "main")
	s.AddZone(clouddnstest.Zone{Project: project, Name: "main", DNSName: zone})
	requireFailure(t, b.Apply(t.Context(), zone, create(set("www", "A", "192.0.2.1"))), backend.Temporary, "does not exist")
	if err := b.Apply(t.Context(), zone, create(set("www", "A", "192.0.2.1"))); err != nil {
		t.Error(err)
	}
}

func TestReverseZones(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	s.AddZone(clouddnstest.Zone{Project: project, Name: "reverse", DNSName: "2.0.192.in-addr.arpa", Visibility: "private"})
	ptr := backend.RRset{Key: backend.Key{Name: "10.2.0.192.in-addr.arpa", Type: "PTR"}, Values: []string{"www.zone.example"}}
	b := opened(t, c)
	if err := b.Apply(t.Context(), "2.0.192.in-addr.arpa", create(ptr)); err != nil {
		t.Fatal(err)
	}
	if sets, err := b.List(t.Context(), "2.0.192.in-addr.arpa"); err != nil || len(sets) != 1 || !sets[0].Same(&ptr) {
		t.Errorf("listed %v (%v)", sets, err)
	}
}
