package route53_test

import (
	"log/slog"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(route53test.Options{}))
}

// The service may return fewer record sets in a page than it is asked for, and say nothing of what it
// refuses in a batch.
func TestConformanceWithTinyPagesAndTerseRefusals(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness(route53test.Options{PageSize: 7, Terse: true}))
}

// settings reach a server without a pace.
func settings(s *route53test.Server) route53.Config {
	return route53.Config{
		Endpoint: s.URL, STSEndpoint: s.URL, AccessKeyID: route53test.AccessKeyID, SecretKey: route53test.SecretAccessKey,
		RequestsPerSecond: 1_000_000,
	}
}

func open(t *testing.T, c route53.Config) *route53.Backend {
	t.Helper()
	b, err := route53.New(c, nil, slog.New(slog.DiscardHandler))
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

func harness(o route53test.Options) backendtest.Harness {
	return backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			s := route53test.New(o)
			t.Cleanup(s.Close)
			ids := map[string]string{}
			for _, name := range []string{"zone.example", "other.example"} {
				ids[name] = s.AddZone(route53test.Zone{Name: name})
			}
			return backendtest.Subject{
				Backend: open(t, settings(s)), Zone: "zone.example", Other: "other.example",
				Put: func(_ *testing.T, zone string, r backend.RRset) { s.Put(ids[zone], recordSet(r)) },
				Remove: func(_ *testing.T, zone string, k backend.Key) {
					s.Remove(ids[zone], k.Name, k.Type, k.SetID)
				},
				Reopen: func(t *testing.T) backend.Backend { return open(t, settings(s)) },
				Verify: func(t *testing.T, zone string, want []backend.RRset) { verify(t, s.Records(ids[zone]), want) },
			}
		},
	}
}
