package central_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/spokedns/spokedns/e2e/stack"
)

// cluster is a Kubernetes cluster that publishes into the center: a real API server, our webhook and a real
// external-dns.
type cluster struct {
	*center
	zone    string
	api     *stack.APIServer
	webhook *stack.Webhook
	dns     []*stack.ExternalDNS
}

// fqdnTemplate gives LoadBalancer Services the name k8s_gateway gives them, and Nodes theirs. Services that ask
// for a name of their own do not get to it, but for the annotation only k8s_gateway knows.
const fqdnTemplate = `{{if eq .Kind "Service"}}` +
	`{{with index .Annotations "coredns.io/hostname"}}{{.}}{{else}}{{.Name}}.{{.Namespace}}.ZONE{{end}}` +
	`{{else if eq .Kind "Node"}}{{.Name}}.ZONE{{end}}`

// pairsTemplate says for each ready endpoint of a Service that asks for it which name it belongs to.
const pairsTemplate = `{{range .Object.endpoints}}{{if .conditions.ready}}{{range .addresses}}` +
	`{{index $.Labels "kubernetes.io/service-name"}}.{{$.Namespace}}.ZONE:{{.}},{{end}}{{end}}{{end}}`

// externalDNSArgs are what answers as k8s_gateway does takes beside its sources.
func externalDNSArgs(zone string) []string {
	return []string{
		"--service-type-filter=LoadBalancer",
		"--fqdn-template=" + strings.ReplaceAll(fqdnTemplate, "ZONE", zone),
		"--ingress-class=nginx",
		"--label-filter=k8s-gateway.dns/ignore!=true",
		"--managed-record-types=A", "--managed-record-types=AAAA", "--managed-record-types=CNAME", "--managed-record-types=TXT",
	}
}

// pairsArgs are those of the second external-dns.
func pairsArgs(zone string) []string {
	return []string{
		"--unstructured-resource=endpointslices.v1.discovery.k8s.io", "--label-filter=k8s-gateway.dns/resolve-endpoints=true",
		"--fqdn-target-template=" + strings.ReplaceAll(pairsTemplate, "ZONE", zone),
	}
}

// webhookYAML is the webhook's configuration; the class of a Gateway is filtered here, as external-dns cannot.
func (c *center) webhookYAML(name, zone string) string {
	cfg := c.clusterConfig(name)
	return fmt.Sprintf(`views:
- name: internal
  zones: [%s]
  ttl: 1m
  backend:
    etcd:
      endpoints: [%q]
      prefix: %s
      username: %s
      password: %q
      tls: {caFile: %s, certFile: %s, keyFile: %s}
      wildcardLabel: %s
  rules:
  - match: {gatewayClasses: [private]}
    action: drop
  - action: keep
`, zone, cfg.Endpoints[0], cfg.Prefix, cfg.Username, cfg.Password, cfg.TLS.CAFile, cfg.TLS.CertFile, cfg.TLS.KeyFile, cfg.WildcardLabel)
}

// newCluster starts everything but external-dns.
func (c *center) newCluster(name string) *cluster {
	c.Helper()
	k := &cluster{center: c, zone: c.zoneOf(name)}
	var err error
	k.api, err = c.APIServer(c.Context(), stack.APIServerConfig{})
	c.must(err)
	// The TLSRoutes external-dns v0.21 reads are of a version only this channel serves.
	gatewayAPI, err := stack.GatewayAPICRDs("experimental")
	c.must(err)
	dnsEndpoint, err := stack.DNSEndpointCRD()
	c.must(err)
	c.must(k.api.ApplyCRDs(c.Context(), gatewayAPI, dnsEndpoint))
	identity, err := k.api.WebhookIdentity(c.Context())
	c.must(err)
	program, err := stack.BuildWebhook(c.Context(), c.Dir)
	c.must(err)
	k.webhook, err = c.Webhook(c.Context(), stack.WebhookConfig{Program: program, ConfigYAML: c.webhookYAML(name, k.zone), Kubeconfig: identity})
	c.must(err)
	return k
}

// publish starts two external-dns and waits until they have nothing left to do.
func (k *cluster) publish() {
	k.Helper()
	identity, err := k.api.ExternalDNSIdentity(k.Context())
	k.must(err)
	for _, c := range []stack.ExternalDNSConfig{
		{Owner: "c1", ExtraArgs: externalDNSArgs(k.zone), Sources: []string{
			"ingress", "service", "gateway-httproute", "gateway-grpcroute", "gateway-tlsroute", "crd", "node",
		}},
		{Owner: "c1-pairs", ExtraArgs: pairsArgs(k.zone), Sources: []string{"unstructured"}},
	} {
		c.Kubeconfig, c.WebhookURL, c.Wildcard = identity, k.webhook.API, "star"
		dns, err := k.ExternalDNS(k.Context(), c)
		k.must(err)
		k.dns = append(k.dns, dns)
	}
	for _, dns := range k.dns {
		k.settle(dns)
	}
}

// settle waits until external-dns has planned nothing in two loops.
func (k *cluster) settle(dns *stack.ExternalDNS) {
	k.Helper()
	base := stack.Loops{Applies: -1}
	k.must(stack.Eventually(k.Context(), soon, func(ctx context.Context) error {
		l, err := dns.Loops(ctx)
		if err != nil {
			return err
		}
		if l.Applies != base.Applies || l.Errors != base.Errors {
			base = l
		}
		if l.Idle < base.Idle+2 || l.Applies == 0 {
			return fmt.Errorf("%s is still busy: %+v:\n%s", dns.Name, l, dns.LogTail(10))
		}
		return nil
	}))
}
