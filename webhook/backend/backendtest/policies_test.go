package backendtest_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/memory"
)

// policyFaults are mistakes with attributes and set identifiers that the suite has to notice.
func policyFaults() map[string]func(*faulty) {
	changed := func(change func(*backend.RRset)) func(*faulty) {
		return func(f *faulty) {
			f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
				sets, err := f.Backend.List(ctx, zone)
				sets = slices.Clone(sets)
				for i := range sets {
					change(&sets[i])
				}
				return sets, err
			}
		}
	}
	return map[string]func(*faulty){
		"none":               func(*faulty) {},
		"forgets attributes": changed(func(r *backend.RRset) { r.Attrs = nil }),
		"changes attributes": changed(func(r *backend.RRset) {
			if r.Attrs["weight"] != "" {
				r.Attrs = map[string]string{"weight": "0" + r.Attrs["weight"]}
			}
		}),
		"lower-cases set identifiers": changed(func(r *backend.RRset) { r.SetID = strings.ToLower(r.SetID) }),
		"lists one set of each name": func(f *faulty) {
			f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
				sets, err := f.Backend.List(ctx, zone)
				seen := map[string]bool{}
				return slices.DeleteFunc(slices.Clone(sets), func(r backend.RRset) bool {
					twice := seen[r.Name+r.Type]
					seen[r.Name+r.Type] = true
					return twice
				}), err
			}
		},
		"deletes all sets of a name": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				listed, err := f.Backend.List(ctx, zone)
				for _, c := range changes {
					for _, set := range listed {
						if c.New == nil && set.Name == c.Key().Name && set.Type == c.Key().Type && set.SetID != "" {
							f.Remove(zone, set.Key)
						}
					}
				}
				return errors.Join(err, f.Backend.Apply(ctx, zone, changes))
			}
		},
		"overwrites other attributes": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				listed, err := f.Backend.List(ctx, zone)
				changes = slices.Clone(changes)
				for i, c := range changes {
					for _, set := range listed {
						if c.Old != nil && set.Key == c.Key() && slices.Equal(set.Values, c.Old.Values) {
							changes[i].Old = &set
						}
					}
				}
				return errors.Join(err, f.Backend.Apply(ctx, zone, changes))
			}
		},
	}
}

const policyFaultVariable = "BACKENDTEST_POLICY_FAULT"

// stores is a memory backend that stores attributes, with the fault that the environment names.
func stores(attrs []string, policies ...backendtest.Policy) backendtest.Harness {
	limits := memory.Everything()
	limits.SetIDs, limits.Attrs = true, attrs
	return backendtest.Harness{
		Unknown: "unknown.example", Policies: policies,
		Fresh: func(t *testing.T) backendtest.Subject {
			b, err := memory.New(memory.Config{Zones: []string{"zone.example"}, Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			f := &faulty{Backend: b, apply: b.Apply, list: b.List}
			fault := os.Getenv(policyFaultVariable)
			if fault == "" {
				fault = "none"
			}
			policyFaults()[fault](f)
			return backendtest.Subject{Backend: f, Zone: "zone.example"}
		},
	}
}

func weighted() backendtest.Policy {
	return backendtest.Policy{Name: "weighted", SetIDs: true, One: map[string]string{"weight": "10"}, Two: map[string]string{"weight": "20", "region": "west"}}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, stores([]string{"region", "weight"}, weighted(), backendtest.Policy{
		Name: "no set identifier", One: map[string]string{"weight": "1"}, Two: map[string]string{"region": "east"},
	}))
}

func TestSetIdentifiersAlone(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, stores(nil))
}

func TestAnyAttributeNeedsNoSample(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, stores([]string{backend.AnyAttr}))
}

// TestWithoutSamples fails; it runs only as the process of another test.
func TestWithoutSamples(t *testing.T) {
	t.Parallel()
	if os.Getenv(policyFaultVariable) == "" {
		if _, ok := policyFaults()["none"]; !ok {
			t.Fatal("the fault that is none is missing")
		}
		return
	}
	backendtest.Run(t, stores([]string{"weight"}))
}

func TestSuiteNoticesFaultsInPolicies(t *testing.T) {
	t.Parallel()
	faults := slices.DeleteFunc(slices.Collect(maps.Keys(policyFaults())), func(f string) bool { return f == "none" })
	for _, fault := range faults {
		t.Run(strings.ReplaceAll(fault, " ", "-"), func(t *testing.T) {
			t.Parallel()
			requireNoticed(t, "^TestPolicies$", fault, "--- FAIL: TestPolicies/")
		})
	}
	t.Run("no-samples", func(t *testing.T) {
		t.Parallel()
		requireNoticed(t, "^TestWithoutSamples$/^policies$", "none", "no Policies to try them with")
	})
}

// requireNoticed runs a test in a process of its own, because the suite ends the test it fails.
func requireNoticed(t *testing.T, test, fault, want string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, self, "-test.run="+test, "-test.failfast")
	run.Env = append(os.Environ(), policyFaultVariable+"="+fault)
	out, err := run.CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		t.Fatalf("the suite did not notice (%v)", err)
	}
	if !strings.Contains(string(out), want) {
		t.Errorf("want %q in:\n%s", want, out)
	}
}
