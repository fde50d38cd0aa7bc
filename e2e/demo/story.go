package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
)

// hubAddress is where the world reaches the hub firewall, which hands on to the spokes.
const hubAddress = "203.0.113.10"

// config is the platform team's part: who publishes what, where, to whom.
const config = `views:
  - name: public
    zones: [example.org]
    ttl: 1m
    backend:
      %[1]s
    rules:
      - match: {ingressClasses: [nginx-internal]}
        action: drop
      - action: rewrite
        target: hub
  - name: internal
    zones: [example.org]
    ttl: 1m
    backend:
      %[2]s
    rules:
      - action: keep
targets:
  hub: {static: [` + hubAddress + `]}
`

// line is one host of the story: what a developer asked for, and what has to come out.
type line struct {
	host, typ        string
	claim            string // for people
	resource         string // for the webhook: the label external-dns puts on the endpoint
	cluster          string // the address in the object's status
	public, internal string // the right answers; empty when there must be none
}

func story() []line {
	return []line{
		{"shop.example.org", "A", "Ingress nginx", "ingress/default/shop", ingressAddress, hubAddress, ingressAddress},
		{"admin.example.org", "A", "Ingress nginx-internal", "ingress/default/admin", internalAddress, "", internalAddress},
		{"api.example.org", "A", "HTTPRoute, Gateway", "httproute/default/api", gatewayAddress, hubAddress, gatewayAddress},
		{"mqtt.example.org", "A", "LoadBalancer Service", "service/default/mqtt", serviceAddress, hubAddress, serviceAddress},
		{"mqtt.example.org", "AAAA", "  its IPv6", "service/default/mqtt", serviceAddress6, "", serviceAddress6},
	}
}

// answers are the records of a right answer, for comparing.
func answers(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// ruling is what the rules make of one line: the targets per view.
type ruling map[string][]string

// askRules sends the story's endpoints to the running webhook, as external-dns does in every loop, and
// returns its decision on each line.
func askRules(ctx context.Context, api string, lines []line) ([]ruling, error) {
	var in []*endpoint.Endpoint
	for _, l := range lines {
		in = append(in, &endpoint.Endpoint{DNSName: l.host, RecordType: l.typ, Targets: endpoint.Targets{l.cluster},
			Labels: endpoint.Labels{endpoint.ResourceLabelKey: l.resource}})
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/adjustendpoints", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	const mediaType = "application/external.dns.webhook+json;version=1"
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the webhook answers %s", resp.Status)
	}
	var out []*endpoint.Endpoint
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	rulings := make([]ruling, len(lines))
	for i, l := range lines {
		rulings[i] = ruling{}
		for _, e := range out {
			if e.DNSName == l.host && e.RecordType == l.typ {
				rulings[i][e.SetIdentifier] = e.Targets
			}
		}
	}
	return rulings, nil
}

// inWords tells a decision: "hub", "as is" or "nothing".
func (r ruling) inWords(view, cluster string) string {
	switch targets := r[view]; {
	case len(targets) == 0:
		return "nothing"
	case slices.Equal(targets, []string{hubAddress}):
		return "hub"
	case slices.Equal(targets, []string{cluster}):
		return "as is"
	default:
		return strings.Join(targets, " ")
	}
}
