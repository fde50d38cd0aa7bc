package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"

	"github.com/spokedns/spokedns/webhook/backend"
)

// client is whoever keeps a zone in a cloud.
type client interface {
	// list returns every address by its name, and how many RRsets there are.
	list(ctx context.Context) (addresses map[string]string, sets int, err error)
	// apply makes wanted of old; both have the same order, and either may be nil.
	apply(ctx context.Context, old, wanted []*endpoint.Endpoint) error
	close()
}

// peerClient is one of external-dns's own providers.
type peerClient struct{ provider.Provider }

func (p peerClient) list(ctx context.Context) (map[string]string, int, error) {
	eps, err := p.Records(ctx)
	addresses := map[string]string{}
	sets := 0
	for _, e := range eps {
		if e.RecordType == endpoint.RecordTypeA {
			addresses[e.DNSName] = e.Targets[0]
		}
		if e.RecordType == endpoint.RecordTypeA || e.RecordType == endpoint.RecordTypeTXT {
			sets++
		}
	}
	return addresses, sets, err
}

func (p peerClient) apply(ctx context.Context, old, wanted []*endpoint.Endpoint) error {
	switch {
	case old == nil:
		return p.ApplyChanges(ctx, &plan.Changes{Create: wanted})
	case wanted == nil:
		return p.ApplyChanges(ctx, &plan.Changes{Delete: old})
	}
	return p.ApplyChanges(ctx, &plan.Changes{UpdateOld: old, UpdateNew: wanted})
}

func (p peerClient) close() {}

// ourClient is one of our backends.
type ourClient struct {
	backend.Backend
	zone string
}

func (o ourClient) list(ctx context.Context) (map[string]string, int, error) {
	sets, err := o.List(ctx, o.zone)
	addresses := map[string]string{}
	for _, s := range sets {
		if s.Type == "A" {
			addresses[s.Name] = s.Values[0]
		}
	}
	return addresses, len(sets), err
}

func (o ourClient) apply(ctx context.Context, old, wanted []*endpoint.Endpoint) error {
	cs, err := changes(old, wanted)
	if err != nil {
		return err
	}
	err = o.Apply(ctx, o.zone, cs)
	if all := backend.Errors(err); len(all) > 3 {
		err = fmt.Errorf("%d RRsets failed, the first ones: %w", len(all), errors.Join(all[0], all[1], all[2]))
	}
	return err
}

func (o ourClient) close() {
	if c, ok := o.Backend.(io.Closer); ok {
		_ = c.Close()
	}
}
