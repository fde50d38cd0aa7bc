package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	upstream "sigs.k8s.io/external-dns/provider/webhook"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

// dropIn is a deployment of an operator before: its environment, and the services as it knows them, under
// their own names.
type dropIn struct {
	env   []string
	hosts map[string]http.Handler
	holds func() []backend.RRset
}

// What ran with the operators before runs with our program, its environment unchanged: it finds the
// services at their own addresses, logs in as they did, and publishes the custom address.
func TestCloudsWithTheEnvironmentOfTheOperatorsBefore(t *testing.T) {
	t.Parallel()
	binary := builtWebhook(t)
	for name, deployed := range map[string]func(t *testing.T) dropIn{
		"azure": onAzure, "gcp": onGoogle, "aws": onAWS, "gandi": onGandi,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployed(t)
			internet, err := stack.NewDivert(t.TempDir(), d.hosts)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(internet.Close)
			p := &program{T: t}
			p.webhook, err = stack.ForTest(t).Webhook(t.Context(), stack.WebhookConfig{
				Program: binary, Args: []string{"--no-kubernetes"}, Env: slices.Concat(internet.Env(), []string{"CUSTOM_IP=203.0.113.10"}, d.env),
			})
			if err != nil {
				t.Fatal(err)
			}
			p.client, err = upstream.New(t.Context(), &externaldns.Config{
				WebhookProviderURL: p.webhook.API, WebhookProviderReadTimeout: 5 * time.Second, WebhookProviderWriteTimeout: 10 * time.Second}, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
				if err := p.sync(ctx); err != nil {
					return fmt.Errorf("%w:\n%s", err, p.webhook.LogTail(3))
				}
				for _, r := range d.holds() {
					if r.Name == "www.example.org" && r.Type == "A" && slices.Equal(r.Values, []string{"203.0.113.10"}) {
						return nil
					}
				}
				return fmt.Errorf("the service holds %v", d.holds())
			})
			if err != nil {
				t.Error(err)
			}
			if asked := internet.Refused(); len(asked) > 0 {
				t.Errorf("somebody else was asked, too: %v", asked)
			}
		})
	}
}

// onAzure is the hub-and-spoke operator with a managed identity, which the metadata service of its machine
// vouches for.
func onAzure(*testing.T) dropIn {
	const subscription = "33333333-3333-3333-3333-333333333333"
	fake := azurednstest.New(azurednstest.Options{})
	zone := fake.AddZone(subscription, "dns", "example.org", azurednstest.Public)
	return dropIn{
		env: []string{
			"CLOUD_PROVIDER=azure", "AZURE_SUBSCRIPTION_ID=" + subscription, "AZURE_DNS_ZONE=example.org", "AZURE_DNS_RESOURCE_GROUP=dns",
			"MANAGED_IDENTITY_CLIENT_ID=" + azurednstest.ClientID,
		},
		hosts: map[string]http.Handler{"management.azure.com": fake, "169.254.169.254": fake},
		holds: func() []backend.RRset { return fake.Records(zone) },
	}
}

// onGoogle is the hub-and-spoke operator with a key file.
func onGoogle(t *testing.T) dropIn {
	t.Helper()
	const project, zone = "platform-test", "example-org"
	fake, err := clouddnstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fake.Close() })
	fake.AddZone(clouddnstest.Zone{Project: project, Name: zone, DNSName: "example.org"})
	address, err := url.Parse(fake.URL())
	if err != nil {
		t.Fatal(err)
	}
	return dropIn{
		env: []string{
			"CLOUD_PROVIDER=gcp", "GCP_PROJECT_ID=" + project, "GCP_MANAGED_ZONE=" + zone, "GCP_DNS_ZONE=example.org.",
			"GOOGLE_APPLICATION_CREDENTIALS=" + fileWith(t, "key.json", fake.KeyFile(project)),
		},
		hosts: map[string]http.Handler{"dns.googleapis.com": httputil.NewSingleHostReverseProxy(address)},
		holds: func() []backend.RRset {
			var all []backend.RRset
			for _, r := range fake.Records(project, zone) {
				all = append(all, held(t, r.Name, r.Type, r.Rrdatas)...)
			}
			return all
		},
	}
}

// onAWS is the hub-and-spoke operator with an access key.
func onAWS(t *testing.T) dropIn {
	t.Helper()
	fake := route53test.New(route53test.Options{})
	t.Cleanup(fake.Close)
	zone := fake.AddZone(route53test.Zone{Name: "example.org"})
	return dropIn{
		env: []string{
			"CLOUD_PROVIDER=aws", "AWS_HOSTED_ZONE_ID=" + zone, "AWS_DNS_ZONE=example.org", "AWS_REGION=us-east-1",
			"AWS_ACCESS_KEY_ID=" + route53test.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + route53test.SecretAccessKey,
			"AWS_CONFIG_FILE=" + fileWith(t, "config", nil), "AWS_SHARED_CREDENTIALS_FILE=" + fileWith(t, "credentials", nil),
		},
		hosts: map[string]http.Handler{"route53.amazonaws.com": fake},
		holds: func() []backend.RRset {
			var all []backend.RRset
			for _, r := range fake.Records(zone) {
				all = append(all, held(t, r.Name, r.Type, r.Values)...)
			}
			return all
		},
	}
}

// onGandi is the operator of a site's own name, with an API key.
func onGandi(t *testing.T) dropIn {
	t.Helper()
	fake, err := ganditest.New(ganditest.Options{Domains: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fake.Close() })
	return dropIn{
		env:   []string{"BACKEND=gandi", "API_KEY=" + ganditest.APIKey, "TARGET_DOMAIN_FQDN=example.org", "RECORD_NAME_ROOT=www", "RECORD_TTL=300"},
		hosts: map[string]http.Handler{"api.gandi.net": fake},
		holds: func() []backend.RRset {
			var all []backend.RRset
			for _, r := range fake.Records("example.org") {
				all = append(all, held(t, r.Name+".example.org", r.Type, r.Values)...)
			}
			return all
		},
	}
}
