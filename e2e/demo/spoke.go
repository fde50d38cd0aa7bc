package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

//go:embed samples.yaml
var samples string

// spoke is everything the demo runs: a spoke's API server, the two DNS services, and between them
// external-dns with our webhook.
type spoke struct {
	*stack.Stack
	api              *stack.APIServer
	program          string
	public, internal dnsService
	webhook          *stack.Webhook
	dns              *stack.ExternalDNS
	parts            []*stack.Part // those that have to live as long as the demo
	broken           chan error    // says which of them ended without being asked to
}

// hubAndSpoke is the main job.
func hubAndSpoke(dir string) (string, scene) {
	return "one external-dns, one webhook, two audiences", newSpoke(dir)
}

func newSpoke(dir string) *spoke {
	return &spoke{Stack: stack.New(dir), broken: make(chan error, 1)}
}

func (l *spoke) ended() <-chan error { return l.broken }

// start brings everything up, one visible step after the other.
func (l *spoke) start(ctx context.Context, out *screen) error {
	err := out.steps(ctx, []step{
		{"build the webhook from this checkout", l.build},
		{"kube-apiserver with RBAC: the spoke's cluster", l.startCluster},
		{"BIND: the public DNS of example.org", l.startPublic},
		{"etcd and CoreDNS: the internal DNS of example.org", l.startInternal},
		{"spokedns webhook: two views, its own read-only identity", l.startWebhook},
		{"external-dns v0.21, as its project ships it", l.startExternalDNS},
	})
	if err != nil {
		return err
	}
	go cloud{l.api.Dynamic}.run(ctx)
	l.watch(ctx)
	return nil
}

func (l *spoke) build(ctx context.Context) (err error) {
	l.program, err = stack.BuildWebhook(ctx, l.Dir)
	return err
}

func (l *spoke) startCluster(ctx context.Context) (err error) {
	if l.api, err = l.APIServer(ctx, stack.APIServerConfig{}); err != nil {
		return err
	}
	gatewayAPI, err := stack.GatewayAPICRDs("standard")
	if err != nil {
		return err
	}
	return l.api.ApplyCRDs(ctx, gatewayAPI)
}

func (l *spoke) startWebhook(ctx context.Context) (err error) {
	identity, err := l.api.WebhookIdentity(ctx)
	if err != nil {
		return err
	}
	l.webhook, err = l.Webhook(ctx, stack.WebhookConfig{
		Program: l.program, Kubeconfig: identity,
		ConfigYAML: fmt.Sprintf(config, l.public.backend, l.internal.backend),
	})
	return err
}

func (l *spoke) startExternalDNS(ctx context.Context) (err error) {
	identity, err := l.api.ExternalDNSIdentity(ctx)
	if err != nil {
		return err
	}
	l.dns, err = l.ExternalDNS(ctx, stack.ExternalDNSConfig{
		Kubeconfig: identity, WebhookURL: l.webhook.API, Owner: "demo",
		Sources: []string{"ingress", "service", "gateway-httproute"},
	})
	return err
}

// watch reports the first part that ends while the demo runs.
func (l *spoke) watch(ctx context.Context) {
	for _, p := range append(l.parts, l.api.Part, l.webhook.Part, l.dns.Part) {
		go func() {
			select {
			case <-ctx.Done():
			case <-p.Done():
				select {
				case l.broken <- fmt.Errorf("%s ended:\n%s", p.Name, p.LogTail(10)):
				default:
				}
			}
		}()
	}
}

// play tells the story and shows the answers.
func (l *spoke) play(ctx context.Context, out *screen) (bool, error) {
	rows, err := l.tell(ctx, out)
	if err != nil {
		return false, err
	}
	return show(out, rows), nil
}

// row is a line of the story with what was seen.
type row struct {
	line
	ruling           ruling
	public, internal []string
	right            bool
}

// tell deploys the samples and waits for the answers.
func (l *spoke) tell(ctx context.Context, out *screen) ([]row, error) {
	lines := story()
	var rows []row
	err := out.step("apply the samples: 2 Ingresses, Gateway, HTTPRoute, Service", func() error {
		return l.api.ApplyYAML(ctx, samples)
	})
	if err != nil {
		return nil, err
	}
	err = out.step("from there to the last right answer", func() error {
		return stack.Eventually(ctx, 30*time.Second, func(ctx context.Context) (err error) {
			rows, err = l.ask(ctx, lines)
			if err == nil && slices.ContainsFunc(rows, func(r row) bool { return !r.right }) {
				err = errWrong
			}
			return err
		})
	})
	if err != nil && !errors.Is(err, errWrong) { // wrong answers are shown, not hidden
		return nil, fmt.Errorf("%w\n%s\n%s", err, l.webhook.LogTail(10), l.dns.LogTail(10))
	}
	rulings, err := askRules(ctx, l.webhook.API, lines)
	if err != nil {
		return nil, fmt.Errorf("ask the rules: %w", err)
	}
	for i := range rows {
		rows[i].ruling = rulings[i]
	}
	return rows, nil
}

// ask asks both servers about every line.
func (l *spoke) ask(ctx context.Context, lines []line) ([]row, error) {
	return askBoth(ctx, l.public.addr, l.internal.addr, lines)
}

func askBoth(ctx context.Context, publicDNS, internalDNS string, lines []line) ([]row, error) {
	var rows []row
	for _, line := range lines {
		public, err := stack.Query(ctx, publicDNS, line.host, line.typ)
		if err != nil {
			return nil, err
		}
		internal, err := stack.Query(ctx, internalDNS, line.host, line.typ)
		if err != nil {
			return nil, err
		}
		right := slices.Equal(public, answers(line.public)) && slices.Equal(internal, answers(line.internal))
		rows = append(rows, row{line: line, public: public, internal: internal, right: right})
	}
	return rows, nil
}

// invite says how to go on.
func (l *spoke) invite(out *screen) {
	kubeconfig, _ := filepath.Abs(l.api.Kubeconfig)
	out.printf("  Everything stays up until Ctrl-C. Publish something of your own, then ask the world for it:\n\n")
	out.printf("    %s\n", out.bold(fmt.Sprintf("kubectl --kubeconfig=%s create ingress hello --class=nginx --rule='hello.example.org/*=hello:80'", kubeconfig)))
	out.printf("    %s\n\n", out.bold(fmt.Sprintf("dig @127.0.0.1 -p %s +short hello.example.org", l.public.port())))
	out.printf("  %s\n", out.dim(fmt.Sprintf("Internal DNS: port %s. What the webhook counts: %s/metrics. Logs and settings: %s", l.internal.port(), l.webhook.Status, l.Dir)))
}
