package memory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/memory"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(memory.Everything()))
}

// A backend with every limit there is: the suite then requires refusals.
func TestConformanceOfALimitedService(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(backend.Limits{
		Types:      []string{"A", "AAAA", "CNAME", "TXT"},
		Missing:    map[string]string{"MX": "this service knows no mail"},
		ApexTypes:  []string{"TXT"},
		MinTTL:     time.Minute,
		MaxTTL:     time.Hour,
		DefaultTTL: 2 * time.Minute,
		MaxValues:  20,
		MaxText:    300,
		Atomic:     backend.AtomicBatch,
		Refuse:     refuseEmptyText,
	}))
}

func harness(limits backend.Limits) backendtest.Harness {
	return backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			b, err := memory.New(memory.Config{Zones: []string{"zone.example", "other.example"}, Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			return backendtest.Subject{
				Backend: b,
				Zone:    "zone.example",
				Other:   "other.example",
				Put:     func(_ *testing.T, zone string, r backend.RRset) { b.Put(zone, r) },
				Remove:  func(_ *testing.T, zone string, key backend.Key) { b.Remove(zone, key) },
			}
		},
	}
}

func refuseEmptyText(_ string, r backend.RRset) error {
	if r.Type == "TXT" && r.Values[0] == "" {
		return errors.New("an empty text cannot be stored")
	}
	return nil
}

func TestNewRefusesWhatIsNoZoneName(t *testing.T) {
	t.Parallel()
	if _, err := memory.New(memory.Config{Zones: []string{"fine.example", "not fine"}}); err == nil || !strings.Contains(err.Error(), `"not fine"`) {
		t.Errorf("error %v, want one that names the zone", err)
	}
}

func TestListIsTheSameSliceUntilTheZoneChanges(t *testing.T) {
	t.Parallel()
	s := harness(memory.Everything()).Fresh(t)
	www := backend.RRset{Key: backend.Key{Name: "www.zone.example", Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}}
	list := func() []backend.RRset {
		sets, err := s.Backend.List(t.Context(), s.Zone)
		if err != nil {
			t.Fatal(err)
		}
		return sets
	}
	apply := func() {
		if err := s.Backend.Apply(t.Context(), s.Zone, []backend.Change{{New: &www}}); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	first := list()
	apply()
	if second := list(); &first[0] != &second[0] {
		t.Error("a list after a change that changed nothing is another slice")
	}
	www.Name = "www2.zone.example"
	apply()
	if third := list(); len(third) != 2 || &first[0] == &third[0] {
		t.Errorf("a list after a change is the old slice or incomplete: %v", third)
	}
}
