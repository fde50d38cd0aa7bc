package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

//go:embed zones-samples.yaml
var zonesSamples string

// healingTime is how long anything here may take on a busy machine.
const healingTime = 2 * time.Minute

// zoneHome is the namespace of the zonecontroller.
const zoneHome = "default"

// zonesScene is two BIND servers that begin without a zone, and a cluster that says what they hold.
type zonesScene struct {
	*spoke
	controller *stack.ZoneController
	binds      []*stack.BIND
}

// zonesAsObjects is the scene of zones and records as objects.
func zonesAsObjects(dir string) (string, scene) {
	return "zones and records as objects, beside external-dns", &zonesScene{spoke: newSpoke(dir)}
}

func (z *zonesScene) start(ctx context.Context, out *screen) error {
	err := out.steps(ctx, []step{
		{"build the zonecontroller and the webhook from this checkout", z.build},
		{"kube-apiserver with RBAC", z.startCluster},
		{"two BIND servers without any zone", z.startServers},
		{"spokedns zonecontroller: may read these Secrets, and no other", z.startController},
		{"spokedns webhook: publishes into the zones that DNSZones bring", z.startWebhook},
		{"external-dns v0.21", z.startExternalDNS},
	})
	if err == nil {
		z.parts = append(z.parts, z.controller.Part)
		z.watch(ctx)
	}
	return err
}

func (z *zonesScene) startCluster(ctx context.Context) (err error) {
	if z.api, err = z.APIServer(ctx, stack.APIServerConfig{}); err != nil {
		return err
	}
	return z.api.ApplyCRDs(ctx, stack.ZoneControllerCRDs())
}

// startServers starts the servers and tells the cluster of them.
func (z *zonesScene) startServers(ctx context.Context) error {
	for _, name := range []string{"one", "two"} {
		b, err := z.BIND(ctx, stack.BINDConfig{Name: "bind-" + name})
		if err != nil {
			return err
		}
		z.binds = append(z.binds, b)
		err = z.api.ApplyYAML(ctx, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: bind-%[1]s, namespace: default}
stringData: {name: %[2]s, algorithm: %[3]s, secret: %[4]q}
---
apiVersion: dns.spokedns.io/v1alpha1
kind: DNSServer
metadata: {name: bind-%[1]s, namespace: default, labels: {dns: main}}
spec:
  role: Primary
  address: %[5]q
  tsig: {name: bind-%[1]s}
  control: {rndc: {address: %[6]q, key: {name: bind-%[1]s}}}
`, name, b.Key.Name, b.Key.Algorithm, b.Key.Secret, b.Addr, b.Control))
		if err != nil {
			return err
		}
	}
	return nil
}

func (z *zonesScene) startController(ctx context.Context) error {
	program, err := stack.BuildZonecontroller(ctx, z.Dir)
	if err != nil {
		return err
	}
	identity, err := z.api.ZoneControllerAccount(ctx, program, zoneHome)
	if err != nil {
		return err
	}
	z.controller, err = z.ZoneController(ctx, stack.ZoneControllerConfig{Program: program, Kubeconfig: identity, Namespace: zoneHome})
	return err
}

func (z *zonesScene) startWebhook(ctx context.Context) error {
	identity, err := z.api.WebhookIdentity(ctx, rbacv1.PolicyRule{APIGroups: []string{"dns.spokedns.io"}, Resources: []string{"dnszones"}, Verbs: []string{"get", "list", "watch"}})
	if err != nil {
		return err
	}
	key := z.binds[0].Key
	z.webhook, err = z.Webhook(ctx, stack.WebhookConfig{Program: z.program, Kubeconfig: identity, ConfigYAML: fmt.Sprintf(`
views:
  - name: public
    zonesFrom: {selector: {matchLabels: {publish: "yes"}}}
    ttl: 1m
    backend:
      rfc2136: {servers: [%q, %q], tsig: {name: %s, algorithm: %s, secret: %q}}
    rules:
      - action: rewrite
        target: hub
targets:
  hub: {static: [203.0.113.10]}
externalDNS: {txtOwnerID: demo, txtPrefix: "_owner-%%{record_type}.", txtWildcardReplacement: any}
`, z.binds[0].Addr, z.binds[1].Addr, key.Name, key.Algorithm, key.Secret)})
	return err
}

func (z *zonesScene) startExternalDNS(ctx context.Context) error {
	identity, err := z.api.ExternalDNSIdentity(ctx)
	if err != nil {
		return err
	}
	z.dns, err = z.ExternalDNS(ctx, stack.ExternalDNSConfig{Kubeconfig: identity, WebhookURL: z.webhook.API, Owner: "demo", Sources: []string{"ingress"}})
	return err
}

// wished is a name, what it is to be, and which object says so.
type wished struct{ name, typ, want, by string }

func (z *zonesScene) wishes() []wished {
	return []wished{
		{"example.org", "NS", "ns1.example.org", "DNSZone example-org"},
		{"ns1.example.org", "A", "203.0.113.53", "DNSZone example-org"},
		{"www.example.org", "A", "203.0.113.80", "DNSRecord www"},
		{"example.org", "MX", "10 mail.example.net", "DNSRecord mail"},
		{"shop.example.org", "A", "203.0.113.10", "Ingress shop, by external-dns"},
	}
}

// play makes the zone, empties a server, and shows what both answer.
func (z *zonesScene) play(ctx context.Context, out *screen) (bool, error) {
	var healed time.Duration
	err := out.steps(ctx, []step{
		{"a DNSZone, two DNSRecords and an Ingress", func(ctx context.Context) error { return z.api.ApplyYAML(ctx, zonesSamples) }},
		{"both servers answer for all of them", z.await},
		{"the second server is killed, and everything it has is deleted", func(context.Context) error { return z.lose(z.binds[1]) }},
		{"it is started again, and heals", func(ctx context.Context) error {
			if err := z.binds[1].Restart(ctx); err != nil {
				return err
			}
			began := time.Now()
			err := z.await(ctx)
			healed = time.Since(began)
			return err
		}},
	})
	if err != nil {
		return false, fmt.Errorf("%w\n%s", err, z.controller.LogTail(10))
	}
	var cells [][]cell
	right := 0
	for _, w := range z.wishes() {
		row := []cell{{text: w.name}, {text: w.typ}, {text: w.by, paint: out.dim}}
		for _, b := range z.binds {
			got, err := b.Query(ctx, w.name, w.typ)
			if err != nil {
				return false, err
			}
			row = append(row, seen(out, []string{strings.Join(got, ", ")}, w.want, &right))
		}
		cells = append(cells, row)
	}
	out.printf("\n")
	out.table([]string{"NAME", "TYPE", "ASKED FOR BY", "FIRST SERVER", "SECOND SERVER, EMPTIED AND HEALED"}, cells)
	if right < 2*len(cells) {
		out.printf("\n  %s\n\n", out.red("Not every answer is right."))
		return false, nil
	}
	out.printf("\n  %s\n\n", out.green(fmt.Sprintf("All answers are right. The emptied server had everything again %.1f s after it was back.", healed.Seconds())))
	return true, nil
}

// await waits until both servers answer all that is wished.
func (z *zonesScene) await(ctx context.Context) error {
	for _, b := range z.binds {
		for _, w := range z.wishes() {
			if err := stack.EventuallyAnswers(ctx, healingTime, b.Addr, w.name, w.typ, w.want); err != nil {
				return err
			}
		}
	}
	return nil
}

// lose is what a new disk does to a server.
func (z *zonesScene) lose(b *stack.BIND) error {
	z.parts = slices.DeleteFunc(z.parts, func(p *stack.Part) bool { return p == b.Part })
	b.Kill()
	var errs []error
	for _, pattern := range []string{"spokedns.*", "*.nzf", "*.nzd*", "*.jnl"} {
		paths, err := filepath.Glob(filepath.Join(b.Dir, pattern))
		errs = append(errs, err)
		for _, path := range paths {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// invite says how to go on.
func (z *zonesScene) invite(out *screen) {
	_, port, _ := strings.Cut(z.binds[0].Addr, ":")
	out.printf("  Everything stays up until Ctrl-C:\n\n")
	out.printf("    %s\n", out.bold(fmt.Sprintf("kubectl --kubeconfig=%s get dnsservers,dnszones,dnsrecords", z.api.Kubeconfig)))
	out.printf("    %s\n\n", out.bold(fmt.Sprintf("dig @127.0.0.1 -p %s +short www.example.org", port)))
	out.printf("  %s\n", out.dim(fmt.Sprintf("What the zonecontroller counts: %s/metrics. Logs and settings: %s", z.controller.URL, z.Dir)))
}
