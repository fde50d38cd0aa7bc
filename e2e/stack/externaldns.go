package stack

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"time"
)

// ExternalDNSConfig says how one external-dns runs.
type ExternalDNSConfig struct {
	Name       string        // of the part and its log; default "external-dns-<Owner>"
	Version    string        // which of the built ones: "v0.21" (the default) or "v0.20"
	Kubeconfig string        // of the identity it reads the cluster with; empty for sources that need no cluster
	WebhookURL string        // where our webhook serves the protocol
	Sources    []string      // default ingress and service
	Namespace  string        // the only namespace it looks at; empty for all
	Owner      string        // --txt-owner-id; default "e2e"
	Registry   string        // default "txt"
	TXTPrefix  string        // of ownership records; default "_owner-%{record_type}.", which suits every name, the zone's own included
	Wildcard   string        // what ownership records have in place of a star; default "any"
	Policy     string        // default "sync"
	Interval   time.Duration // between two loops; default 900 ms, which makes it a loop a second
	ExtraArgs  []string
}

// ExternalDNS is a running external-dns.
type ExternalDNS struct {
	*Part
	metrics string
}

// ExternalDNS starts the real external-dns on the webhook provider, without --events: their fixed wait of
// five seconds is what the short interval avoids. It is ready when it serves its metrics, which says
// nothing about its first loop.
func (s *Stack) ExternalDNS(ctx context.Context, c ExternalDNSConfig) (*ExternalDNS, error) {
	program, err := Tool("external-dns-" + cmp.Or(c.Version, "v0.21"))
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	owner := cmp.Or(c.Owner, "e2e")
	address := fmt.Sprintf("127.0.0.1:%d", port)
	args := []string{
		"--provider=webhook",
		"--webhook-provider-url=" + c.WebhookURL,
		"--metrics-address=" + address,
		"--registry=" + cmp.Or(c.Registry, "txt"),
		"--txt-owner-id=" + owner,
		"--txt-prefix=" + cmp.Or(c.TXTPrefix, "_owner-%{record_type}."),
		"--txt-wildcard-replacement=" + cmp.Or(c.Wildcard, "any"),
		"--policy=" + cmp.Or(c.Policy, "sync"),
		"--interval=" + cmp.Or(c.Interval, 900*time.Millisecond).String(),
	}
	if c.Kubeconfig != "" {
		args = append(args, "--kubeconfig="+c.Kubeconfig)
	}
	if c.Namespace != "" {
		args = append(args, "--namespace="+c.Namespace)
	}
	sources := c.Sources
	if len(sources) == 0 {
		sources = []string{"ingress", "service"}
	}
	for _, source := range sources {
		args = append(args, "--source="+source)
	}
	e := &ExternalDNS{metrics: "http://" + address + "/metrics"}
	ready := AnswersOK(http.DefaultClient, "http://"+address+"/healthz")
	e.Part, err = s.Start(ctx, cmp.Or(c.Name, "external-dns-"+owner), ready, exec.Command(program, append(args, c.ExtraArgs...)...))
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Loops is what external-dns counted since it started.
type Loops struct {
	Begun   float64 // loops that asked the webhook for its records
	Idle    float64 // loops that planned no change
	Applies float64 // requests to apply changes
	Errors  float64 // requests of any kind the webhook answered with an error
}

// Loops reads the counters.
func (e *ExternalDNS) Loops(ctx context.Context) (Loops, error) {
	m, err := Scrape(ctx, e.metrics)
	if err != nil {
		return Loops{}, err
	}
	const client = "external_dns_webhook_provider_"
	return Loops{
		Begun:   m.Sum(client + "records_requests_total"),
		Idle:    m.Sum("external_dns_controller_no_op_runs_total"),
		Applies: m.Sum(client + "applychanges_requests_total"),
		Errors: m.Sum(client+"records_errors_total") + m.Sum(client+"applychanges_errors_total") +
			m.Sum(client+"adjustendpoints_errors_total"),
	}, nil
}
