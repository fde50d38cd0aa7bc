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
	backendtest.Run(t, harness(route53test.Options{PageSize: 40, Terse: true}))
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
		Unknown:  "unknown.example",
		Policies: samples(),
		Fresh: func(t *testing.T) backendtest.Subject {
			s := route53test.New(o)
			t.Cleanup(s.Close)
			s.AddHealthCheck("11111111-2222-3333-4444-555555555555")
			s.AddHealthCheck("99999999-2222-3333-4444-555555555555")
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

// samples are every routing policy and every kind of alias.
func samples() []backendtest.Policy {
	sets := func(name string, one, two map[string]string) backendtest.Policy {
		return backendtest.Policy{Name: name, SetIDs: true, One: one, Two: two}
	}
	return []backendtest.Policy{
		sets("weighted", attrs("weight", "10"), attrs("weight", "0")),
		sets("weighted, as people write it", attrs("weight", " 010"), attrs("weight", "255")),
		sets("latency", attrs("region", "EU-West-1"), attrs("region", "us-east-1")),
		sets("failover", attrs("failover", "primary", "health-check-id", "11111111-2222-3333-4444-555555555555"), attrs("failover", "SECONDARY")),
		sets("continent", attrs("geolocation-continent-code", "eu"), attrs("geolocation-continent-code", "NA")),
		sets("country", attrs("geolocation-country-code", "DE"), attrs("geolocation-country-code", "*")),
		sets("subdivision", attrs("geolocation-country-code", "us", "geolocation-subdivision-code", "wa"), attrs("geolocation-country-code", "US")),
		sets("proximity of a region", attrs("geoproximity-region", "eu-west-1"), attrs("geoproximity-region", "eu-west-1", "geoproximity-bias", "-099")),
		sets("proximity of a point", attrs("geoproximity-coordinates", "49.20, -74.00"), attrs("geoproximity-coordinates", "-0,180", "geoproximity-bias", "5")),
		sets("proximity of a local zone", attrs("geoproximity-local-zone-group", "us-west-2-den-1"), attrs("geoproximity-region", "us-west-2")),
		sets("multivalue answer", attrs("multi-value-answer", ""), attrs("multi-value-answer", "TRUE", "health-check-id", "99999999-2222-3333-4444-555555555555")),
		{Name: "alias", Alias: true, One: map[string]string{"alias": "true"}, Two: attrs("alias", "true", "evaluate-target-health", "F")},
		{Name: "weighted alias", Alias: true, SetIDs: true, One: attrs("alias", "true", "weight", "1"), Two: attrs("alias", "true", "weight", "2", "evaluate-target-health", "false")},
	}
}

// attrs are properties under the names that annotations give them; "alias" has no prefix.
func attrs(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		name := "webhook/aws-" + pairs[i]
		if pairs[i] == "alias" {
			name = pairs[i]
		}
		out[name] = pairs[i+1]
	}
	return out
}
