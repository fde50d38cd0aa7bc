package main

import (
	"context"
	"log/slog"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	upstreamgoogle "sigs.k8s.io/external-dns/provider/google"

	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

const googleProject = "benchmark"

// cloudDNS takes 1,000 additions and as many deletions in a change, of 100,000 bytes of data together
// (https://cloud.google.com/dns/quotas); pages have up to 1,000 RRsets.
func (b *bench) cloudDNS() (*cloud, func(), error) {
	fake, err := clouddnstest.New()
	if err != nil {
		return nil, nil, err
	}
	stop := func() { _ = fake.Close() }
	address, err := url.Parse(fake.URL())
	if err != nil {
		return nil, stop, err
	}
	key := filepath.Join(b.services.dir, "google.json")
	if err := os.WriteFile(key, fake.KeyFile(googleProject), 0o600); err != nil {
		return nil, stop, err
	}
	return &cloud{
		name:    "clouddns",
		host:    googleHost,
		service: httputil.NewSingleHostReverseProxy(address),
		timed:   b.n,
		note:    "upstream's pause of a second between batches is off; ours has no pace of its own",
		addZone: func(zone string) error {
			fake.AddZone(clouddnstest.Zone{Project: googleProject, Name: strings.ReplaceAll(zone, ".", "-"), DNSName: zone})
			return nil
		},
		peer: func(ctx context.Context, zone string) (client, error) { return upstreamGoogle(ctx, zone, key) },
		ours: func(zone string) (client, error) {
			o, err := clouddns.New(clouddns.Config{Projects: []string{googleProject}, CredentialsFile: key}, nil, slog.New(slog.DiscardHandler))
			return ourClient{o, zone}, err
		},

		leastWrites: func(old, wanted []*endpoint.Endpoint) int {
			old, wanted = differing(old, wanted)
			return max(pages(len(old), 1000), pages(len(wanted), 1000), pages(size(old)+size(wanted), 100_000))
		},
		leastReads: func(sets int) int { return pages(sets+2, 1000) }, // with SOA and NS
		batched:    true,
	}, stop, nil
}

// upstreamGoogle is external-dns's own provider with the defaults of its flags.
func upstreamGoogle(ctx context.Context, zone, key string) (client, error) {
	if err := os.Setenv("GOOGLE_APPLICATION_CREDENTIALS", key); err != nil {
		return nil, err
	}
	p, err := upstreamgoogle.New(ctx, &externaldns.Config{GoogleProject: googleProject, GoogleBatchChangeSize: 1000}, endpoint.NewDomainFilter([]string{zone}))
	return peerClient{p}, err
}
