package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
)

// TestRoutingPoliciesAndAliases takes Route 53's own properties through the real external-dns, whose
// annotations reach the webhook as the properties here: nothing is planned once they are published, and a
// change of one is published.
func TestRoutingPoliciesAndAliases(t *testing.T) {
	t.Parallel()
	c := aws(t)
	s := newCloudSite(t, builtWebhook(t), c)
	with := func(e *endpoint.Endpoint, set string, properties ...string) *endpoint.Endpoint {
		e.SetIdentifier = set
		for i := 0; i < len(properties); i += 2 {
			e.ProviderSpecific = append(e.ProviderSpecific, endpoint.ProviderSpecificProperty{Name: properties[i], Value: properties[i+1]})
		}
		return e
	}
	const lb = "lb-1.eu-west-1.elb.amazonaws.com"
	wanted := func(weight string) []*endpoint.Endpoint {
		name := func(label string) string { return label + "." + cloudZone }
		return []*endpoint.Endpoint{
			wantedRecord(name("lb"), "CNAME", lb),
			with(wantedRecord(name("stays"), "CNAME", lb), "", "alias", "false"),
			wantedRecord(name("target"), "A", "192.0.2.1"),
			with(wantedRecord(name("same"), "CNAME", name("target")), "", "alias", "true", "webhook/aws-evaluate-target-health", "false"),
			with(wantedRecord(name("weighted"), "A", "192.0.2.1"), "blue", "webhook/aws-weight", weight),
			with(wantedRecord(name("weighted"), "A", "192.0.2.2"), "green", "webhook/aws-weight", "0"),
			with(wantedRecord(name("weighted-lb"), "CNAME", lb), "blue", "webhook/aws-weight", weight),
			with(wantedRecord(name("weighted-lb"), "CNAME", "elsewhere.eu-west-1.elb.amazonaws.com"), "green", "webhook/aws-weight", "7"),
			with(wantedRecord(name("geo"), "A", "192.0.2.3"), "europe", "webhook/aws-geolocation-continent-code", "eu"),
			with(wantedRecord(name("geo"), "A", "192.0.2.4"), "rest", "webhook/aws-geolocation-country-code", "*"),
			with(wantedRecord(name("fail"), "CNAME", "one.example.net"), "first", "webhook/aws-failover", "primary"),
			with(wantedRecord(name("fail"), "CNAME", "two.example.net"), "second", "webhook/aws-failover", "secondary"),
			with(wantedRecord(name("many"), "A", "192.0.2.5"), "five", "webhook/aws-multi-value-answer", "true"),
			with(wantedRecord(name("many"), "A", "192.0.2.6"), "six", "webhook/aws-multi-value-answer", "true"),
			with(wantedRecord(name("near"), "A", "192.0.2.7"), "here", "webhook/aws-geoproximity-coordinates", "49.20,-74.00"),
			with(wantedRecord(name("fast"), "A", "192.0.2.8"), "here", "webhook/aws-region", "eu-west-1"),
		}
	}
	holds := func(records int) {
		t.Helper()
		s.must(stack.Eventually(t.Context(), soon, func(context.Context) error {
			s.alive()
			got, texts := 0, 0
			for _, r := range s.records() {
				if strings.Contains(strings.Join(r.Values, ""), "heritage=external-dns") {
					texts++
				} else {
					got++
				}
			}
			if got != records || texts != records {
				return fmt.Errorf("%d records and %d ownership texts, want %d of each: %v\n%s", got, texts, records, s.records(), s.webhook.LogTail(5))
			}
			return nil
		}))
	}
	for _, weight := range []string{"010", "20"} {
		s.want(wanted(weight)...)
		holds(19)
		s.must(s.idle(3))
	}
	second := s.config
	second.Name = "external-dns-second"
	var err error
	s.dns, err = s.own.ExternalDNS(t.Context(), second)
	s.must(err)
	s.must(s.idle(2))
	if l := s.loops(); l.Applies != 0 {
		t.Errorf("the second external-dns asked for %g changes:\n%s", l.Applies, s.dns.LogTail(20))
	}
	s.want()
	holds(0)
}
