package backendtest_test

import (
	"context"
	"errors"
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

// A suite is worth what it notices. Each fault is a mistake a backend's author could make; the suite has
// to fail on it, and on nothing else.
func faults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"none": func(*faulty) {},
		"overwrites what others wrote": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				listed, err := f.Backend.List(ctx, zone)
				for i, c := range changes {
					for _, set := range listed {
						if set.Key == c.Key() && !set.Same(c.New) {
							changes[i].Old = &set
						}
					}
				}
				return errors.Join(err, f.Backend.Apply(ctx, zone, changes))
			}
		},
		"ignores a change of the TTL": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				return f.Backend.Apply(ctx, zone, slices.DeleteFunc(slices.Clone(changes), func(c backend.Change) bool {
					return c.Old != nil && c.Old.Same(c.New)
				}))
			}
		},
		"fails on the delete of nothing": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				listed, err := f.Backend.List(ctx, zone)
				for _, c := range changes {
					if c.New == nil && !slices.ContainsFunc(listed, func(r backend.RRset) bool { return r.Key == c.Key() }) {
						err = errors.Join(err, &backend.Error{Kind: backend.Rejected, Op: "faulty", Key: c.Key(), Err: errors.New("not found")})
					}
				}
				return errors.Join(err, f.Backend.Apply(ctx, zone, changes))
			}
		},
		"makes all changes or none": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				one := slices.Clone(changes)
				for i := range one {
					one[i].Unit = "all"
				}
				return f.Backend.Apply(ctx, zone, one)
			}
		},
		"takes units apart": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				var errs []error
				for _, c := range changes {
					errs = append(errs, f.Backend.Apply(ctx, zone, []backend.Change{c}))
				}
				return errors.Join(errs...)
			}
		},
		"names one failure only": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				if err := f.Backend.Apply(ctx, zone, changes); err != nil {
					return backend.Errors(err)[0]
				}
				return nil
			}
		},
		"keeps its success to itself when one fails": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				_ = f.Backend.Apply(ctx, zone, changes)
				return nil
			}
		},
		"deletes what begins alike": func(f *faulty) {
			f.apply = func(ctx context.Context, zone string, changes []backend.Change) error {
				listed, err := f.Backend.List(ctx, zone)
				for _, c := range changes {
					label, _, _ := strings.Cut(c.Key().Name, ".")
					for _, set := range listed {
						if c.New == nil && len(label) > 2 && set.Name != c.Key().Name && strings.HasPrefix(set.Name, label) {
							f.Remove(zone, set.Key)
						}
					}
				}
				return errors.Join(err, f.Backend.Apply(ctx, zone, changes))
			}
		},
		"stops listening to its context": func(f *faulty) {
			f.apply = func(_ context.Context, zone string, changes []backend.Change) error {
				return f.Backend.Apply(context.Background(), zone, changes)
			}
		},
		"lists nothing when its context has ended": func(f *faulty) {
			f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
				if ctx.Err() != nil {
					return nil, nil //nolint:nilerr // the mistake to be noticed
				}
				return f.Backend.List(ctx, zone)
			}
		},
		"lists what was": func(f *faulty) {
			seen := map[string][]backend.RRset{}
			f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
				if sets, ok := seen[zone]; ok && len(sets) > 0 {
					return sets, nil
				}
				sets, err := f.Backend.List(ctx, zone)
				seen[zone] = sets
				return sets, err
			}
		},
		"lists an unknown zone as empty": func(f *faulty) {
			f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
				if !strings.HasSuffix(zone, "zone.example") {
					return nil, nil
				}
				return f.Backend.List(ctx, zone)
			}
		},
		"trims texts":             listing("TXT", strings.TrimSpace),
		"lower-cases texts":       listing("TXT", strings.ToLower),
		"cuts texts at 255 bytes": listing("TXT", func(v string) string { return v[:min(len(v), 255)] }),
		"drops quotes of texts":   listing("TXT", func(v string) string { return strings.Trim(v, `"`) }),
		"loses the dot of nowhere": listing("MX", func(v string) string {
			return strings.TrimSuffix(v, " .")
		}),
		"lists no more than a hundred values": func(f *faulty) {
			f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
				sets, err := f.Backend.List(ctx, zone)
				sets = slices.Clone(sets)
				for i := range sets {
					sets[i].Values = sets[i].Values[:min(len(sets[i].Values), 100)]
				}
				return sets, err
			}
		},
	}
}

// listing distorts listed values of a type.
func listing(typ string, distort func(string) string) func(*faulty) {
	return func(f *faulty) {
		f.list = func(ctx context.Context, zone string) ([]backend.RRset, error) {
			sets, err := f.Backend.List(ctx, zone)
			sets = slices.Clone(sets)
			for i := range sets {
				if sets[i].Type != typ {
					continue
				}
				sets[i].Values = slices.Clone(sets[i].Values)
				for j, v := range sets[i].Values {
					sets[i].Values[j] = distort(v)
				}
			}
			return sets, err
		}
	}
}

// faulty is a memory backend with a mistake.
type faulty struct {
	*memory.Backend
	apply func(ctx context.Context, zone string, changes []backend.Change) error
	list  func(ctx context.Context, zone string) ([]backend.RRset, error)
}

func (f *faulty) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	return f.apply(ctx, zone, changes)
}

func (f *faulty) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	return f.list(ctx, zone)
}

const faultVariable = "BACKENDTEST_FAULT"

// TestSuite runs the suite on a backend with the fault that the environment names, by default none.
func TestSuite(t *testing.T) {
	t.Parallel()
	fault := os.Getenv(faultVariable)
	if fault == "" {
		fault = "none"
	}
	backendtest.Run(t, backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			b, err := memory.New(memory.Config{Zones: []string{"zone.example", "otherzone.example"}})
			if err != nil {
				t.Fatal(err)
			}
			f := &faulty{Backend: b, apply: b.Apply, list: b.List}
			faults()[fault](f)
			return backendtest.Subject{
				Backend: f, Zone: "zone.example", Other: "otherzone.example",
				Put:    func(_ *testing.T, zone string, r backend.RRset) { b.Put(zone, r) },
				Remove: func(_ *testing.T, zone string, key backend.Key) { b.Remove(zone, key) },
			}
		},
	})
}

// The suite ends the test it fails, so every fault gets a process of its own.
func TestSuiteNoticesEveryFault(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for fault := range faults() {
		if fault == "none" {
			continue
		}
		t.Run(strings.ReplaceAll(fault, " ", "-"), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			run := exec.CommandContext(ctx, self, "-test.run=^TestSuite$", "-test.failfast")
			run.Env = append(os.Environ(), faultVariable+"="+fault)
			out, err := run.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) {
				t.Fatalf("the suite did not notice (%v)", err)
			}
			if !strings.Contains(string(out), "--- FAIL: TestSuite/") {
				t.Errorf("the suite ended without naming a case:\n%s", out)
			}
		})
	}
}
