module github.com/spokedns/spokedns/e2e/tools/dnscrds

go 1.26.1

// Only the definitions these modules ship are used, no code: there is nothing to tidy here.
require (
	github.com/k3s-io/helm-controller v0.17.7
	github.com/openshift/api v0.0.0-20251015095338-264e80a2b6e7
)
