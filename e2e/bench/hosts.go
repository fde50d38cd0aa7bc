package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// hosts are n names of a zone, each with an address and its ownership text, as external-dns makes them.
func hosts(zone string, n, generation int) []*endpoint.Endpoint {
	out := make([]*endpoint.Endpoint, 0, 2*n)
	for i := range n {
		out = append(out, host(zone, i, generation)...)
	}
	return out
}

// host is the i-th of them. Its address depends on the generation.
func host(zone string, i, generation int) []*endpoint.Endpoint {
	name := fmt.Sprintf("host%06d.%s", i, zone)
	address := endpoint.NewEndpointWithTTL(name, endpoint.RecordTypeA, 300, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	if generation > 0 {
		address.Targets[0] = fmt.Sprintf("172.%d.%d.%d", 16+generation+i>>16, i>>8&255, i&255)
	}
	address.Labels["resource"] = fmt.Sprintf("ingress/default/host%06d", i)
	text := endpoint.NewEndpointWithTTL("a-"+name, endpoint.RecordTypeTXT, 300,
		fmt.Sprintf(`"heritage=external-dns,external-dns/owner=bench,external-dns/resource=ingress/default/host%06d"`, i))
	text.Labels["ownedRecord"] = name
	return []*endpoint.Endpoint{address, text}
}

// changes turns endpoints into the changes a view would hand to a backend; old are those that stand, in
// the same order, or nil.
func changes(old, wanted []*endpoint.Endpoint) ([]backend.Change, error) {
	sets := func(eps []*endpoint.Endpoint) ([]backend.RRset, error) {
		out := make([]backend.RRset, len(eps))
		for i, e := range eps {
			values := e.Targets
			if e.RecordType == endpoint.RecordTypeTXT {
				values = []string{e.Targets[0][1 : len(e.Targets[0])-1]}
			}
			set, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: e.DNSName, Type: e.RecordType}, TTL: ttlOf(e), Values: values})
			if err != nil {
				return nil, err
			}
			out[i] = set
		}
		return out, nil
	}
	before, err := sets(old)
	if err != nil {
		return nil, err
	}
	after, err := sets(wanted)
	if err != nil {
		return nil, err
	}
	out := make([]backend.Change, max(len(before), len(after)))
	for i := range out {
		if i < len(before) {
			out[i].Old = &before[i]
			out[i].Unit = unitOf(old[i])
		}
		if i < len(after) {
			out[i].New = &after[i]
			out[i].Unit = unitOf(wanted[i])
		}
	}
	return out, nil
}

// create makes endpoints in a zone that has none of them.
func create(ctx context.Context, to backend.Backend, zone string, eps []*endpoint.Endpoint) error {
	cs, err := changes(nil, eps)
	if err != nil {
		return err
	}
	return to.Apply(ctx, zone, cs)
}

// unitOf is the name that a record stands and falls with.
func unitOf(e *endpoint.Endpoint) string {
	if owned := e.Labels["ownedRecord"]; owned != "" {
		return owned
	}
	return e.DNSName
}

func ttlOf(e *endpoint.Endpoint) time.Duration { return time.Duration(e.RecordTTL) * time.Second }
