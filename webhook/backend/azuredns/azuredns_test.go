package azuredns_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/clienttls"
)

const (
	sub   = "00000000-0000-0000-0000-000000000001"
	group = "dns-rg"
)

// azure is the service, with what a test needs of it.
type azure struct {
	*azurednstest.Server
	mu   sync.Mutex
	seen map[string]int // requests that the observer was told of: "operation result"
}

func start(t *testing.T, o azurednstest.Options) *azure {
	t.Helper()
	s, err := azurednstest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &azure{Server: s, seen: map[string]int{}}
}

// config reaches the service with a service principal, as fast as it goes.
func (a *azure) config() azuredns.Config {
	return azuredns.Config{
		Subscriptions: []string{sub},
		Endpoint:      a.URL(), Authority: a.URL() + "/", TLS: clienttls.Files{CAFile: a.CAFile()},
		Auth:           azuredns.Auth{TenantID: azurednstest.Tenant, ClientID: azurednstest.ClientID, ClientSecret: azurednstest.ClientSecret},
		ReadsPerSecond: -1, WritesPerSecond: -1,
	}
}

func (a *azure) observe(operation string, result apicall.Result, _ time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[operation+" "+string(result)]++
}

func (a *azure) open(t *testing.T, c azuredns.Config) *azuredns.Backend {
	t.Helper()
	b, err := azuredns.New(c, a.observe, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestConformanceOfPublicZones(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(azurednstest.Public, func(c *azuredns.Config) { c.Type = "public" }, azurednstest.Options{}))
}

// With the limits of a national cloud, pages of 50 record sets, and the type of the zones left open.
func TestConformanceOfPrivateZones(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(azurednstest.Private, func(c *azuredns.Config) { c.Cloud = "AzureChina" }, azurednstest.Options{PageSize: 50, MaxText: 1024}))
}

func harness(kind azurednstest.Kind, with func(*azuredns.Config), o azurednstest.Options) backendtest.Harness {
	return backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			a := start(t, o)
			ids := map[string]string{}
			for _, name := range []string{"zone.example", "other.example"} {
				ids[name] = a.AddZone(sub, group, name, kind)
			}
			c := a.config()
			with(&c)
			return backendtest.Subject{
				Backend: a.open(t, c),
				Zone:    "zone.example",
				Other:   "other.example",
				Put:     func(_ *testing.T, zone string, r backend.RRset) { a.Put(ids[zone], r) },
				Remove:  func(_ *testing.T, zone string, key backend.Key) { a.Remove(ids[zone], key) },
				Reopen:  func(t *testing.T) backend.Backend { return a.open(t, c) },
				Verify: func(t *testing.T, zone string, want []backend.RRset) {
					held := map[backend.Key]backend.RRset{}
					for _, r := range a.Records(ids[zone]) {
						held[r.Key] = r
					}
					for _, w := range want {
						if w.Values != nil && w.TTL == 0 {
							continue // the answer of a wildcard, which no record set is
						}
						if got := held[w.Key].Values; !slices.Equal(got, w.Values) {
							t.Errorf("the service holds %s %q, want %q", w.Key, got, w.Values)
						}
					}
				},
			}
		},
	}
}

// counted runs do and requires how many requests it makes.
func (a *azure) counted(t *testing.T, want map[string]int, do func()) {
	t.Helper()
	a.Forget()
	do()
	got := a.Counts()
	delete(got, "Token")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func rrset(name, typ string, values ...string) backend.RRset {
	slices.Sort(values)
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: 5 * time.Minute, Values: values}
}

func list(t *testing.T, b backend.Backend, zone string) map[backend.Key]backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	out := map[backend.Key]backend.RRset{}
	for _, r := range sets {
		out[r.Key] = r
	}
	return out
}

func apply(ctx context.Context, t *testing.T, b backend.Backend, changes ...backend.Change) {
	t.Helper()
	if err := b.Apply(ctx, "zone.example", changes); err != nil {
		t.Fatal(err)
	}
}

func TestOneRequestForEachChange(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.AddZone(sub, group, "zone.example", azurednstest.Public)
	b := a.open(t, a.config())
	a.counted(t, map[string]int{"Zones_List": 1, "RecordSets_ListAllByDNSZone": 1}, func() { list(t, b, "zone.example") })
	one, two := rrset("www.zone.example", "A", "192.0.2.1"), rrset("www.zone.example", "A", "192.0.2.2")
	owner := rrset("a-www.zone.example", "TXT", "owner")
	a.counted(t, map[string]int{"RecordSets_CreateOrUpdate": 2}, func() {
		apply(t.Context(), t, b, backend.Change{New: &one, Unit: one.Name}, backend.Change{New: &owner, Unit: one.Name})
	})
	a.counted(t, map[string]int{"RecordSets_CreateOrUpdate": 1}, func() { apply(t.Context(), t, b, backend.Change{Old: &one, New: &two}) })
	a.counted(t, map[string]int{"RecordSets_Get": 1}, func() { apply(t.Context(), t, b, backend.Change{Old: &one, New: &two}) }) // again
	a.counted(t, map[string]int{"RecordSets_ListAllByDNSZone": 1}, func() { list(t, b, "zone.example") })
	a.counted(t, map[string]int{"RecordSets_Delete": 2}, func() {
		apply(t.Context(), t, b, backend.Change{Old: &two, Unit: one.Name}, backend.Change{Old: &owner, Unit: one.Name})
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	want := map[string]int{"Token ok": 1, "Zones_List ok": 1, "RecordSets_ListAllByDNSZone ok": 2, "RecordSets_CreateOrUpdate ok": 3, "RecordSets_Get ok": 1, "RecordSets_Delete ok": 2}
	got := maps.Clone(a.seen)
	delete(got, "Token ok")
	delete(want, "Token ok")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}
