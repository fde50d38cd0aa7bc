package e2e_test

import (
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/registry"
	txtregistry "sigs.k8s.io/external-dns/registry/txt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	webhookview "github.com/spokedns/spokedns/webhook/view"
)

// Properties, set identifiers and TTLs go through two webhooks to a service, and back, so that external-dns
// plans nothing in its second loop: what the service stores, and what it does not.
func TestPropertiesGoThroughTheChain(t *testing.T) {
	t.Parallel()
	everything := func(l *backend.Limits) { l.SetIDs, l.Attrs = true, []string{backend.AnyAttr} }
	for name, c := range map[string]struct {
		service func(*backend.Limits)
		views   []string
		setIDs  bool // ask for several records of a name
		alias   bool // ask for an address record that names a host
	}{
		"a service that stores everything":        {everything, []string{"near"}, true, true},
		"two views of such a service":             {everything, []string{"near", "other"}, true, true},
		"a service that stores one property":      {func(l *backend.Limits) { l.SetIDs, l.Attrs = true, []string{"webhook/weight"} }, []string{"near"}, true, false},
		"a service that stores no property":       {func(l *backend.Limits) { l.SetIDs = true }, []string{"near"}, true, false},
		"a service with one TTL":                  {func(l *backend.Limits) { l.MinTTL, l.MaxTTL = l.DefaultTTL, l.DefaultTTL }, []string{"near"}, false, false},
		"a service without MX or set identifiers": {withoutMX, []string{"near"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near := inMemory(t, func(backend.Backend) backend.Backend { return behindAnother(t, c.service) }, c.views...)
			r, err := txtregistry.New(&externaldns.Config{TXTOwnerID: "me", TXTPrefix: "%{record_type}-.", ManagedDNSRecordTypes: managedTypes},
				dialWebhook(t, protocolHandler(near)))
			if err != nil {
				t.Fatal(err)
			}
			loop := func(weight string) *plan.Changes {
				blue := endpoint.NewEndpointWithTTL("www.example.org", "A", 60, "192.0.2.1").
					WithProviderSpecific("webhook/weight", weight).WithProviderSpecific("webhook/note", "")
				wanted := []*endpoint.Endpoint{blue, endpoint.NewEndpoint("example.org", "MX", "10 mail.example.org"),
					endpoint.NewEndpoint("_x._tcp.example.org", "SRV", "0 5 443 www.example.org.")}
				if c.setIDs {
					wanted = append(wanted, endpoint.NewEndpoint("www.example.org", "A", "192.0.2.2").WithSetIdentifier("green"))
					blue.WithSetIdentifier("blue")
				}
				if c.alias {
					wanted = append(wanted, endpoint.NewEndpoint("alias.example.org", "A", "lb.example.net").WithProviderSpecific("alias", "true"))
				}
				return loopOver(t, r, wanted)
			}
			if first := loop("10"); len(first.Create) == 0 {
				t.Fatal("the first loop creates nothing")
			}
			if second := loop("10"); second.HasChanges() {
				t.Errorf("the second loop plans %s", asJSON(t, second))
			}
			loop("20")
			if fourth := loop("20"); fourth.HasChanges() {
				t.Errorf("the loop after a change plans %s", asJSON(t, fourth))
			}
		})
	}
}

func withoutMX(l *backend.Limits) {
	l.Types = slices.DeleteFunc(l.Types, func(typ string) bool { return typ == "MX" })
	l.Missing = map[string]string{"MX": "no mail here"}
}

// behindAnother is a chain to a webhook of ours in front of a service with these limits.
func behindAnother(t *testing.T, service func(*backend.Limits)) backend.Backend {
	t.Helper()
	limits := memory.Everything()
	limits.ApexTypes = nil
	service(&limits)
	zones := []string{"example.org"}
	m, err := memory.New(memory.Config{Zones: zones, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return openChain(t, chain.Config{URL: serve(t, viewHandler(t, webhookview.View{Name: "far", Zones: zones, Backend: m, BackendName: "memory"}))})
}

// loopOver is external-dns's loop over endpoints as a source makes them.
func loopOver(t *testing.T, r registry.Registry, wanted []*endpoint.Endpoint) *plan.Changes {
	t.Helper()
	current, err := r.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	adjusted, err := r.AdjustEndpoints(wanted)
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Plan{Policies: []plan.Policy{&plan.SyncPolicy{}}, Current: current, Desired: adjusted, OwnerID: "me",
		DomainFilter: endpoint.MatchAllDomainFilters{r.GetDomainFilter()}, ManagedRecords: managedTypes}
	changes := p.Calculate().Changes
	if changes.HasChanges() {
		if err := r.ApplyChanges(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
	}
	return changes
}

// The TTL that a view gives to records which ask for none is the peer's to accept or to raise, too.
func TestAViewsTTLGoesThroughTheChain(t *testing.T) {
	t.Parallel()
	far := behindAnother(t, func(l *backend.Limits) { l.MinTTL = l.DefaultTTL })
	near := viewHandler(t, webhookview.View{Name: "near", Zones: []string{"example.org"}, TTL: time.Minute, Backend: far, BackendName: "chain"})
	r, err := txtregistry.New(&externaldns.Config{TXTOwnerID: "me", TXTPrefix: "%{record_type}-.", ManagedDNSRecordTypes: managedTypes}, dialWebhook(t, near))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		changes := loopOver(t, r, []*endpoint.Endpoint{endpoint.NewEndpoint("www.example.org", "A", "192.0.2.1")})
		if changes.HasChanges() != (i == 0) {
			t.Errorf("loop %d plans %s", i, asJSON(t, changes))
		}
	}
}
