package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	upstreamaws "sigs.k8s.io/external-dns/provider/aws"

	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

// route53 takes 1,000 records of 32,000 characters in a batch, those of an UPSERT counted twice (API
// reference, ChangeResourceRecordSets); pages have up to 300 RRsets.
func (b *bench) route53() (*cloud, func(), error) {
	fake := route53test.New(route53test.Options{})
	nothing := filepath.Join(b.services.dir, "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": route53test.AccessKeyID, "AWS_SECRET_ACCESS_KEY": route53test.SecretAccessKey, "AWS_REGION": "us-east-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing,
		"AWS_CA_BUNDLE": b.services.divert.CAFile, // the SDK reads it every time
	} {
		if err := os.Setenv(name, value); err != nil {
			return nil, fake.Close, err
		}
	}
	return &cloud{
		name:    "route53",
		host:    awsHost,
		service: fake,
		timed:   b.n,
		note:    "the service takes 5 requests a second; here the pace of ours and upstream's pause of a second between batches are off",
		addZone: func(zone string) error { fake.AddZone(route53test.Zone{Name: zone}); return nil },
		peer:    upstreamAWS,
		ours: func(zone string) (client, error) {
			o, err := route53.New(route53.Config{RequestsPerSecond: 1_000_000}, nil, slog.New(slog.DiscardHandler))
			return ourClient{o, zone}, err
		},

		leastWrites: func(old, wanted []*endpoint.Endpoint) int {
			gone, come := differing(old, wanted)
			return max(pages(len(gone)+len(come), 1000), pages(size(gone)+size(come), 32_000))
		},
		leastReads: func(sets int) int { return pages(sets+2, 300) }, // with SOA and NS
		batched:    true,
	}, fake.Close, nil
}

// upstreamAWS is external-dns's own provider with the defaults of its flags, but for the pause between
// batches.
func upstreamAWS(ctx context.Context, zone string) (client, error) {
	p, err := upstreamaws.New(ctx, &externaldns.Config{
		AWSBatchChangeSize: 1000, AWSBatchChangeSizeBytes: 32000, AWSBatchChangeSizeValues: 1000, AWSAPIRetries: 3, AWSEvaluateTargetHealth: true,
	}, endpoint.NewDomainFilter([]string{zone}))
	return peerClient{p}, err
}
