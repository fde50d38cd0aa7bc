package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// fullView is everything between the protocol and a backend: rules that need claims and rewrite to a hub,
// one zone, and an index with a claim for each of its n hosts.
func fullView(b backend.Backend, zone string, n int) (*view.Provider, error) {
	rules, err := policy.New(policy.Config{
		Views: []policy.View{{Name: "public", Zones: []string{zone}, Rules: []policy.Rule{
			{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Keep},
			{Action: policy.Rewrite, Target: "hub"},
		}}},
		Targets: map[string]policy.Target{"hub": {Static: []string{"203.0.113.10"}}},
	})
	if err != nil {
		return nil, err
	}
	index := claim.NewIndex()
	index.Watch("ingress", true, "")
	for i := range n {
		index.Put(&claim.Claim{
			Ref:          claim.Ref{Kind: "ingress", Namespace: "default", Name: fmt.Sprintf("host%06d", i)},
			Hosts:        []string{fmt.Sprintf("host%06d.%s", i, zone)},
			IngressClass: "nginx",
			Targets:      []string{"10.0.0.1"},
		})
	}
	return view.New(view.Config{
		Views:   []view.View{{Name: "public", Zones: []string{zone}, Backend: b, BackendName: "bench", TTL: 5 * time.Minute}},
		Policy:  rules,
		Claims:  knownClaims{index},
		Log:     slog.New(slog.DiscardHandler),
		Metrics: view.NewMetrics(prometheus.NewRegistry()),
	})
}

// knownClaims is an index that is complete.
type knownClaims struct{ index *claim.Index }

func (k knownClaims) Snapshot() claim.Facts                      { return k.index.Snapshot() }
func (k knownClaims) Resolve(context.Context, []claim.Ref) error { return nil }
func (k knownClaims) Synced() error                              { return nil }
