package main

import (
	"strings"
	"testing"
)

// TestEnvironmentOfTheOperatorsBefore sets what the deployments of the hub-and-spoke operator and of
// ESDDNS set, and looks at the configuration it stands for.
func TestEnvironmentOfTheOperatorsBefore(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{
			"hub and spoke on Azure", map[string]string{
				"CLOUD_PROVIDER": "azure", "CUSTOM_IP": "203.0.113.10", "CUSTOM_TTL": "300",
				"AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555", "AZURE_DNS_ZONE": "example.org",
				"AZURE_DNS_RESOURCE_GROUP": "dns", "MANAGED_IDENTITY_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
			},
			[]string{"zones:\n      - example.org", "azuredns:", "- 11111111-2222-3333-4444-555555555555", "resourceGroups:\n          - dns", "managedIdentityClientID: 66666666-7777-8888-9999-000000000000"},
		},
		{
			"hub and spoke on Google", map[string]string{
				"CLOUD_PROVIDER": "gcp", "CUSTOM_IP": "203.0.113.10", "GCP_PROJECT_ID": "platform-prod", "GCP_MANAGED_ZONE": "example-org",
				"GCP_DNS_ZONE": "example.org.", "GOOGLE_APPLICATION_CREDENTIALS": "/var/secrets/google/key.json",
			},
			[]string{"zones:\n      - example.org.", "clouddns:", "- platform-prod", "- example-org"},
		},
		{
			"hub and spoke on AWS", map[string]string{
				"CLOUD_PROVIDER": "aws", "CUSTOM_IP": "203.0.113.10", "AWS_HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJ", "AWS_DNS_ZONE": "example.org",
				"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
			},
			[]string{"zones:\n      - example.org", "route53:", "region: eu-central-1", "- Z0123456789ABCDEFGHIJ", "AKIDEXAMPLE"},
		},
		{
			"ESDDNS", map[string]string{
				"BACKEND": "gandi", "API_KEY": "super-secret", "TARGET_DOMAIN_FQDN": "example.org", "RECORD_NAME_ROOT": "home", "RECORD_TTL": "300",
			},
			[]string{"zones:\n      - home.example.org", "gandi:", "ttl: 5m"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			got, err := ask(t, "--print-config")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %q:\n%s", want, got)
				}
			}
			for _, secret := range []string{"super-secret", "wJalrXUtnFEMI"} {
				if strings.Contains(got, secret) {
					t.Errorf("shows a secret:\n%s", got)
				}
			}
		})
	}
}

// Clusters put the variables of their cloud into every pod; they do not contradict a file.
func TestVariablesOfACloudBesideAFile(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AZURE_CLIENT_ID", "66666666-7777-8888-9999-000000000000")
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token")
	path := configFile(t, "views: [{name: public, zones: [example.org], backend: {memory: {}}}]\n")
	if got, err := ask(t, "--check", "--config="+path); err != nil {
		t.Errorf("refused: %v\n%s", err, got)
	}
	t.Setenv("ROUTE53_REGION", "eu-central-1")
	if _, err := ask(t, "--check", "--config="+path); err == nil || !strings.Contains(err.Error(), "ROUTE53_REGION") {
		t.Errorf("got %v, want that a setting of ours has no effect beside a file", err)
	}
}
