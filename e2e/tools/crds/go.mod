module github.com/spokedns/spokedns/e2e/tools/crds

go 1.26.1

// Only the definitions these modules ship are used, no code: there is nothing to tidy here.
require (
	github.com/cert-manager/cert-manager v1.19.1
	github.com/external-secrets/external-secrets v1.3.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	istio.io/api v1.29.1
	sigs.k8s.io/external-dns v0.21.0
	sigs.k8s.io/gateway-api v1.5.1
)
