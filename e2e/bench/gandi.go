package main

import (
	"context"
	"log/slog"
	"os"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	upstreamgandi "sigs.k8s.io/external-dns/provider/gandi"

	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
)

// gandi takes one RRset per call, or all those of one name (https://api.gandi.net/docs/livedns/), and its
// pages have up to 500 records.
func (b *bench) gandi() (*cloud, func(), error) {
	fake, err := ganditest.New(ganditest.Options{})
	if err != nil {
		return nil, nil, err
	}
	return &cloud{
		name:    "gandi",
		host:    gandiHost,
		service: fake,
		timed:   250,
		once:    true,
		note:    "the service takes 1,000 requests a minute; here the pace of ours and the limit of the fake are off. LiveDNS has no guard against what others write, so ours reads a zone again before it changes or deletes much in it",
		addZone: func(zone string) error { fake.AddDomain(zone); return nil },
		peer:    upstreamGandi,
		ours: func(zone string) (client, error) {
			o, err := gandi.New(gandi.Config{PersonalAccessToken: ganditest.Token, RequestsPerMinute: 60_000_000}, nil, slog.New(slog.DiscardHandler))
			return ourClient{o, zone}, err
		},

		leastWrites: changedSets,
		leastReads:  func(sets int) int { return pages(sets, 500) },
	}, func() { _ = fake.Close() }, nil
}

func upstreamGandi(ctx context.Context, zone string) (client, error) {
	if err := os.Setenv("GANDI_PAT", ganditest.Token); err != nil {
		return nil, err
	}
	p, err := upstreamgandi.New(ctx, &externaldns.Config{}, endpoint.NewDomainFilter([]string{zone}))
	return peerClient{p}, err
}
