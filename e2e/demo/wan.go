package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

//go:embed wan-samples.yaml
var wanSamples string

// The addresses the provider gives the site, and the one that liars say.
const (
	firstWAN  = "81.2.69.142"
	secondWAN = "81.2.69.160"
	liesWAN   = "89.160.20.112"
)

const (
	wanNamespace = "default"
	// external-dns looks once a minute, as by its default: what changes faster is not its doing.
	wanInterval = time.Minute
)

// wanConfig publishes the site's address in both views, and the internal class in one of them as it is.
const wanConfig = `views:
  - name: public
    zones: [example.org]
    ttl: 1m
    backend:
      %[1]s
    rules:
      - match: {ingressClasses: [nginx-internal]}
        action: drop
      - action: rewrite
        target: site
  - name: internal
    zones: [example.org]
    ttl: 1m
    backend:
      %[2]s
    rules:
      - match: {ingressClasses: [nginx-internal]}
        action: keep
      - action: rewrite
        target: site
targets:
  site: {wanIP: {namespace: ` + wanNamespace + `}}
externalDNS: {txtOwnerID: demo, txtPrefix: "_owner-%%{record_type}.", txtWildcardReplacement: any}
`

// wanSite is a site whose address changes: its cluster and DNS, and who finds the address out.
type wanSite struct {
	*spoke
	internet   *stack.Site
	controller *stack.IPController
	client     kubernetes.Interface
}

// changingSite is the scene of a site whose address changes.
func changingSite(dir string) (string, scene) {
	return "a site whose address changes, found by quorum, in DNS at once", &wanSite{spoke: newSpoke(dir)}
}

func (w *wanSite) Close() {
	w.spoke.Close()
	if w.internet != nil {
		w.internet.Close()
	}
}

func (w *wanSite) start(ctx context.Context, out *screen) error {
	err := out.steps(ctx, []step{
		{"build the webhook and the ipcontroller from this checkout", w.build},
		{"kube-apiserver with RBAC: the site's cluster", w.startCluster},
		{"BIND: the public DNS of example.org", w.startPublic},
		{"etcd and CoreDNS: the internal DNS of example.org", w.startInternal},
		{"five operators that say who is asking: HTTPS, DNS over TLS, STUN", w.startInternet},
		{"spokedns ipcontroller: asks one each 5 s, keeps a ConfigMap", w.startController},
		{"spokedns webhook: reads that ConfigMap, may read no other", w.startWebhook},
		{"2 Ingresses and a DNSEndpoint for the zone itself", w.deploy},
		{"external-dns v0.21, which looks once a minute", w.startExternalDNS},
	})
	if err == nil {
		w.parts = append(w.parts, w.controller.Part)
		w.watch(ctx)
	}
	return err
}

func (w *wanSite) startCluster(ctx context.Context) (err error) {
	if w.api, err = w.APIServer(ctx, stack.APIServerConfig{}); err != nil {
		return err
	}
	if w.client, err = kubernetes.NewForConfig(w.api.Config); err != nil {
		return err
	}
	crd, err := stack.DNSEndpointCRD()
	if err != nil {
		return err
	}
	return w.api.ApplyCRDs(ctx, crd)
}

func (w *wanSite) startInternet(context.Context) (err error) {
	w.internet, err = stack.NewSite(w.Dir, stack.SiteConfig{}, netip.MustParseAddr(firstWAN))
	return err
}

func (w *wanSite) startController(ctx context.Context) error {
	program, err := stack.BuildIPController(ctx, w.Dir)
	if err != nil {
		return err
	}
	account, err := w.api.IPControllerAccount(ctx, wanNamespace)
	if err != nil {
		return err
	}
	w.controller, err = w.IPController(ctx, stack.IPControllerConfig{
		Program: program, Kubeconfig: account, Namespace: wanNamespace, Site: w.internet,
		Args: []string{"--canary=5s", "--per-operator=1000"}, // nobody watches a demo that asks every 30 s
	})
	if err != nil {
		return err
	}
	_, err = w.quorum(ctx, firstWAN)
	return err
}

func (w *wanSite) startWebhook(ctx context.Context) error {
	identity, err := w.api.WebhookIdentity(ctx, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{wanip.DefaultName}, Verbs: []string{"get", "list", "watch"},
	})
	if err != nil {
		return err
	}
	w.webhook, err = w.Webhook(ctx, stack.WebhookConfig{
		Program: w.program, Kubeconfig: identity, ConfigYAML: fmt.Sprintf(wanConfig, w.public.backend, w.internal.backend),
	})
	return err
}

func (w *wanSite) deploy(ctx context.Context) error {
	if err := w.api.ApplyYAML(ctx, wanSamples); err != nil {
		return err
	}
	cloud{w.api.Dynamic}.look(ctx)
	return nil
}

func (w *wanSite) startExternalDNS(ctx context.Context) (err error) {
	identity, err := w.api.ExternalDNSIdentity(ctx)
	if err != nil {
		return err
	}
	w.dns, err = w.ExternalDNS(ctx, stack.ExternalDNSConfig{
		Kubeconfig: identity, WebhookURL: w.webhook.API, Owner: "demo", Sources: []string{"ingress", "crd"}, Interval: wanInterval,
		ExtraArgs: []string{"--crd-source-apiversion=externaldns.k8s.io/v1alpha1", "--crd-source-kind=DNSEndpoint"},
	})
	return err
}

// place is an answer to look at.
type place struct {
	host   string
	where  string
	server *dnsService
	site   bool   // it follows the site's address
	fixed  string // else it is this, or nothing
}

func (w *wanSite) places() []place {
	return []place{
		{"shop.example.org", "BIND", &w.public, true, ""},
		{"shop.example.org", "CoreDNS", &w.internal, true, ""},
		{"example.org", "BIND", &w.public, true, ""},
		{"example.org", "CoreDNS", &w.internal, true, ""},
		{"admin.example.org", "BIND", &w.public, false, ""},
		{"admin.example.org", "CoreDNS", &w.internal, false, internalAddress},
	}
}

// right is the right answer while the site has an address.
func (p place) right(addr string) string {
	if p.site {
		return addr
	}
	return p.fixed
}

// ask asks for one place.
func (p place) ask(ctx context.Context) (string, error) {
	got, err := stack.Query(ctx, p.server.addr, p.host, "A")
	return strings.Join(got, " "), err
}

// play tells what becomes of the answers while operators lie, and when the address changes.
func (w *wanSite) play(ctx context.Context, out *screen) (bool, error) {
	places := w.places()
	err := out.step("from there to the last right answer", func() error { return w.await(ctx, places, firstWAN) })
	if err != nil {
		return false, w.explain(err)
	}
	before, err := answersOf(ctx, places)
	if err != nil {
		return false, err
	}
	if err := out.step("two of the five operators lie: nothing moves", func() error { return w.lie(ctx, places) }); err != nil {
		return false, w.explain(err)
	}
	change := change{before: before}
	err = out.step("the provider gives the site another address", func() error { return w.move(ctx, places, &change) })
	if err != nil && !errors.Is(err, errWrong) { // wrong answers are shown, not hidden
		return false, w.explain(err)
	}
	if change.now, err = answersOf(ctx, places); err != nil {
		return false, err
	}
	return change.show(out, places), nil
}

// change is what was seen of the site's address changing.
type change struct {
	before, now map[place]string
	found       time.Duration           // from the change to the quorum
	after       map[place]time.Duration // from the quorum to the right answer
	loops       float64                 // of external-dns meanwhile
}

// move changes the address and looks when each answer has followed.
func (w *wanSite) move(ctx context.Context, places []place, c *change) error {
	loops, err := w.dns.Loops(ctx)
	if err != nil {
		return err
	}
	began, right := time.Now(), map[place]time.Time{}
	w.internet.Set(netip.MustParseAddr(secondWAN))
	wrong := stack.Eventually(ctx, 2*wanInterval, func(ctx context.Context) error {
		for _, p := range places {
			if _, done := right[p]; done {
				continue
			}
			if got, err := p.ask(ctx); err == nil && got == p.right(secondWAN) {
				right[p] = time.Now()
			}
		}
		if len(right) < len(places) {
			return errWrong
		}
		return nil
	})
	at, err := w.quorum(ctx, secondWAN)
	if err != nil {
		return err
	}
	now, err := w.dns.Loops(ctx)
	if err != nil {
		return err
	}
	c.found, c.after, c.loops = at.Sub(began), map[place]time.Duration{}, now.Begun-loops.Begun
	for p, t := range right {
		c.after[p] = t.Sub(at)
	}
	return wrong
}

// await waits until every answer is right.
func (w *wanSite) await(ctx context.Context, places []place, addr string) error {
	return stack.Eventually(ctx, 90*time.Second, func(ctx context.Context) error {
		got, err := answersOf(ctx, places)
		if err != nil {
			return err
		}
		for _, p := range places {
			if got[p] != p.right(addr) {
				return fmt.Errorf("%s at %s is %q, want %q", p.host, p.where, got[p], p.right(addr))
			}
		}
		return nil
	})
}

func answersOf(ctx context.Context, places []place) (map[place]string, error) {
	got := map[place]string{}
	for _, p := range places {
		answer, err := p.ask(ctx)
		if err != nil {
			return nil, err
		}
		got[p] = answer
	}
	return got, nil
}

// lie lets two operators say another address until one of them was asked and the others were asked about it.
func (w *wanSite) lie(ctx context.Context, places []place) error {
	asked := w.internet.Asked()
	w.internet.Lie(netip.MustParseAddr(liesWAN), 1, 3)
	defer w.internet.Heal(1, 3)
	err := stack.Eventually(ctx, 3*time.Minute, func(context.Context) error {
		now := w.internet.Asked()
		for k := range now {
			if now[k] == asked[k] {
				return fmt.Errorf("operator %s was not asked since", w.internet.Operator(k))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.await(ctx, places, firstWAN)
}

// quorum waits until the ConfigMap has the address, and says since when it was believed.
func (w *wanSite) quorum(ctx context.Context, addr string) (at time.Time, err error) {
	err = stack.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		cm, err := w.client.CoreV1().ConfigMaps(wanNamespace).Get(ctx, wanip.DefaultName, metav1.GetOptions{})
		if err == nil && cm.Data["ipv4"] != addr {
			err = fmt.Errorf("the ConfigMap has %q", cm.Data["ipv4"])
		}
		if err == nil {
			at, err = time.Parse(time.RFC3339, cm.Data["ipv4_changed_at"])
		}
		return err
	})
	return at, err
}

// explain adds what the parts say to an error.
func (w *wanSite) explain(err error) error {
	return fmt.Errorf("%w\n%s\n%s\n%s", err, w.controller.LogTail(10), w.webhook.LogTail(10), w.dns.LogTail(10))
}

// show prints the answers and says whether all are right.
func (c *change) show(out *screen, places []place) bool {
	var cells [][]cell
	var slowest time.Duration
	right := 0
	for _, p := range places {
		when := "as before"
		if p.site {
			when = fmt.Sprintf("%.2f s", c.after[p].Seconds())
			slowest = max(slowest, c.after[p])
		}
		cells = append(cells, []cell{
			{text: p.host}, {text: p.where},
			seen(out, strings.Fields(c.before[p]), p.right(firstWAN), &right),
			seen(out, strings.Fields(c.now[p]), p.right(secondWAN), &right),
			{text: when, paint: out.dim},
		})
	}
	out.printf("\n")
	out.table([]string{"HOST", "ASKED AT", "BEFORE", "NOW", "AFTER THE QUORUM"}, cells)
	if right < 2*len(places) {
		out.printf("\n  %s\n\n", out.red("Not every answer is right."))
		return false
	}
	out.printf("\n  %s\n", out.green(fmt.Sprintf("All answers are right: a quorum after %.0f s, in DNS %.2f s later.", c.found.Seconds(), slowest.Seconds())))
	out.printf("  %s\n\n", out.dim(fmt.Sprintf("One operator is asked every 5 s here, every 30 s by default. external-dns looks every %s; meanwhile it looked %g times.", wanInterval, c.loops)))
	return true
}

// invite says how to go on.
func (w *wanSite) invite(out *screen) {
	out.printf("  Everything stays up until Ctrl-C. Who says what, and the day's changes:\n\n    %s\n\n", out.bold(w.controller.URL))
	out.printf("    %s\n", out.bold(fmt.Sprintf("kubectl --kubeconfig=%s get configmap %s -o yaml", w.api.Kubeconfig, wanip.DefaultName)))
	out.printf("    %s\n\n", out.bold(fmt.Sprintf("dig @127.0.0.1 -p %s +short shop.example.org", w.public.port())))
	out.printf("  %s\n", out.dim(fmt.Sprintf("What the webhook counts: %s/metrics. Logs and settings: %s", w.webhook.Status, w.Dir)))
}
