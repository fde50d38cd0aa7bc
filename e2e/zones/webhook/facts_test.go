package webhook

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// While it is not known which zones there are, nothing changes, external-dns lives on, and what is missing is said.
// Zones of the configuration wait, too: external-dns knows all records or none.
func TestUnknownZonesAreNoEmptyZones(t *testing.T) {
	t.Parallel()
	p := newParts(t, []string{"fixed.test", "one.test"})
	p.byHand("one.test", "a.one.test. 60 A 192.0.2.2",
		`_owner-a.a.one.test. 60 TXT "heritage=external-dns,external-dns/owner=e2e,external-dns/resource=crd/default/gone"`)
	p.unchanged([]string{"fixed.test", "one.test"}, func() {
		p.start(p.view("public", "zones: [fixed.test]\nzonesFrom: {}"), true)
		p.apply(wish("a.fixed.test", "A", "192.0.2.1"))
		p.says("needed: get, list and watch of dnszones.dns.spokedns.io")
		p.pass(3)

		_, err := p.api.WebhookIdentity(t.Context(), mayReadZones())
		p.must(err)
		p.says("the API server knows no DNSZones; install the definitions that come with zonecontroller, or remove zonesFrom")
		p.pass(3)
	})
	p.must(p.api.ApplyCRDs(t.Context(), zoneDefinition()))
	p.answers("a.fixed.test", "A", "192.0.2.1")
	p.holds("a.one.test", "A", "192.0.2.2")

	// Nothing asks for the owned record any more, so it goes with its zone's coming.
	p.apply(zone("one.test", "any: thing"))
	p.answers("a.one.test", "A")
	p.settles()
	if err := p.webhook.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// says waits until the webhook gives that as the reason why it is not ready, and refuses to list.
func (p *parts) says(reason string) {
	p.Helper()
	p.must(stack.Eventually(p.Context(), soon, func(ctx context.Context) error {
		if err := p.webhook.Ready(ctx); err == nil || !strings.Contains(err.Error(), reason) {
			return errors.Join(errors.New("want it to say "+reason), err)
		}
		return nil
	}))
	req, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.webhook.API+"/records", nil)
	p.must(err)
	resp, err := http.DefaultClient.Do(req)
	p.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		p.Errorf("records are answered with %s, want 503", resp.Status)
	}
}
