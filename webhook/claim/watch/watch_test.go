package watch_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/claim/watch"
)

// start runs a watcher of all kinds, or of those given, on the cluster until the test ends and waits until it is synced.
func start(t *testing.T, c *cluster, keep watch.Keep, kinds ...string) *watch.Watcher {
	t.Helper()
	w, err := watch.New(watch.Config{
		Client: c.config(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Keep: keep, Kinds: kinds,
		Poll: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	eventually(t, "synced", func() string {
		if err := w.Synced(); err != nil {
			return err.Error()
		}
		return ""
	})
	return w
}

// eventually waits until what is wrong is nothing.
func eventually(t *testing.T, what string, wrong func() string) {
	t.Helper()
	last := "nothing was seen"
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if last = wrong(); last == "" {
			return
		}
	}
	t.Fatalf("not %s: %s", what, last)
}

func claimed(w *watch.Watcher, label string) *claim.Claim {
	ref, _ := claim.ParseRef(label)
	return w.Snapshot().ByRef(ref)
}

// hostsOf waits until the object's claim asks for exactly these hosts.
func hostsOf(t *testing.T, w *watch.Watcher, label, want string) {
	t.Helper()
	eventually(t, label+" asking for "+want, func() string {
		c := claimed(w, label)
		if c == nil {
			return "there is no claim"
		}
		if got := strings.Join(c.Hosts, " "); got != want {
			return "it asks for " + got
		}
		return ""
	})
}

const front = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: shop}
spec: {ingressClassName: nginx, rules: [{host: shop.example.org}]}
status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}`

func TestWatcherFollowsChanges(t *testing.T) {
	c := newCluster(t)
	c.apply(t, front)
	w := start(t, c, watch.Keep{})
	hostsOf(t, w, "ingress/shop/front", "shop.example.org")
	c.apply(t, strings.ReplaceAll(front, "shop.example.org", "new.example.org"))
	hostsOf(t, w, "ingress/shop/front", "new.example.org")
	if claims := w.Snapshot().ByHost("shop.example.org"); len(claims) != 0 {
		t.Errorf("the old host is still claimed by %v", claims[0].Ref)
	}
	c.remove(t, front)
	eventually(t, "gone", func() string {
		if claimed(w, "ingress/shop/front") != nil {
			return "the claim is still there"
		}
		return ""
	})
}

func TestWatcherReadsEveryPage(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.apply(t, strings.NewReplacer("front", name, "shop.example.org", name+".example.org").Replace(front))
	}
	w := start(t, c, watch.Keep{})
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if c := claimed(w, "ingress/shop/"+name); c == nil {
			t.Errorf("ingress %s is missing", name)
		}
	}
}

func TestWatcherListsAgainWhenTheHistoryIsGone(t *testing.T) {
	c := newCluster(t)
	c.apply(t, front)
	w := start(t, c, watch.Keep{})
	c.do(func() { c.mute, c.gone["/apis/networking.k8s.io/v1/ingresses"] = true, true })
	c.remove(t, front)
	c.server.CloseClientConnections()
	eventually(t, "listed again", func() string {
		if claimed(w, "ingress/shop/front") != nil {
			return "the deleted object is still claimed"
		}
		return ""
	})
}

func TestWatchGoesOnAfterAnInterruption(t *testing.T) {
	c := newCluster(t)
	c.apply(t, front)
	w := start(t, c, watch.Keep{})
	for _, host := range []string{"one.example.org", "two.example.org"} {
		c.server.CloseClientConnections()
		c.apply(t, strings.ReplaceAll(front, "shop.example.org", host))
		hostsOf(t, w, "ingress/shop/front", host)
		if complete, reason := w.Snapshot().Watched("ingress"); !complete {
			t.Errorf("a short interruption makes ingress unknown: %s", reason)
		}
	}
}

func TestMissingRightStopsNothingElse(t *testing.T) {
	c := newCluster(t)
	c.forbidden["/api/v1/services"] = true
	c.apply(t, front)
	w := start(t, c, watch.Keep{})
	hostsOf(t, w, "ingress/shop/front", "shop.example.org")
	facts := w.Snapshot()
	if complete, reason := facts.Watched("service"); complete || !strings.Contains(reason, "forbidden") {
		t.Errorf("Watched(service) = %v, %q; want false and a reason", complete, reason)
	}
	if complete, reason := facts.Watched("ingress"); !complete || reason != "" {
		t.Errorf("Watched(ingress) = %v, %q; want true", complete, reason)
	}
	if complete, reason := facts.Watched("httproute"); complete || reason != "" {
		t.Errorf("Watched(httproute) = %v, %q; want false without a reason: there is no CRD", complete, reason)
	}
	states := map[string]watch.State{}
	for _, s := range w.Status() {
		states[s.Resource] = s.State
	}
	for resource, want := range map[string]watch.State{
		"services": watch.Forbidden, "ingresses.networking.k8s.io": watch.Synced,
		"dnsendpoints.externaldns.k8s.io": watch.Absent,
	} {
		if states[resource] != want {
			t.Errorf("%s is %s, want %s", resource, states[resource], want)
		}
	}
	c.do(func() { c.forbidden = map[string]bool{} })
	eventually(t, "granted", func() string {
		_, reason := w.Snapshot().Watched("service")
		return reason
	})
}

// Only the kinds that are wanted are asked for, and what says something about them; of the others it is known why
// nothing is.
func TestOnlyWantedKindsAreFollowed(t *testing.T) {
	const gateway, istio = ".gateway.networking.k8s.io", ".networking.istio.io"
	lists := []string{"gateways" + gateway, "listenersets" + gateway, "xlistenersets.gateway.networking.x-k8s.io"}
	ingress := []string{"ingressclasses.networking.k8s.io", "ingresses.networking.k8s.io"}
	for kind, want := range map[string][]string{
		"service":        {"services"},
		"ingress":        ingress,
		"crd":            {"dnsendpoints.externaldns.k8s.io"},
		"tlsroute":       append([]string{"tlsroutes" + gateway}, lists...),
		"gateway":        append([]string{"gateways" + istio, "services"}, ingress...),
		"virtualservice": append([]string{"gateways" + istio, "virtualservices" + istio, "services"}, ingress...),
		"ingressroute":   {"ingressroutes.traefik.io"},
	} {
		w := start(t, everything(t), watch.Keep{}, kind)
		var got []string
		for _, s := range w.Status() {
			if s.State != watch.Unlisted {
				got = append(got, s.Resource)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want -, followed +:\n%s", kind, diff)
		}
	}
	c := newCluster(t)
	c.forbidden["/api/v1/services"] = true
	c.apply(t, front)
	w := start(t, c, watch.Keep{}, "ingress")
	hostsOf(t, w, "ingress/shop/front", "shop.example.org")
	if complete, reason := w.Snapshot().Watched("service"); complete || reason != "kubernetes.kinds leaves it out" {
		t.Errorf("Watched(service) = %v, %q; want false and that it is left out", complete, reason)
	}
	if err := w.Resolve(t.Context(), []claim.Ref{{Kind: "service", Namespace: "shop", Name: "front"}}); err != nil {
		t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) > 0 {
		t.Errorf("asked for %q", c.requests)
	}
}

func TestTheKindsAreThoseThatAreRead(t *testing.T) {
	w, err := watch.New(watch.Config{Client: newCluster(t).config(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, s := range w.Status() {
		if s.Kind != "" {
			read = append(read, s.Kind)
		}
	}
	slices.Sort(read)
	if diff := cmp.Diff(slices.Sorted(slices.Values(claim.Kinds())), read); diff != "" {
		t.Errorf("known -, read +:\n%s", diff)
	}
}

// A right that is taken away makes the same difference at once as after a restart: nothing is decided on
// what was known before.
func TestRightTakenAway(t *testing.T) {
	c := newCluster(t)
	c.apply(t, front)
	w := start(t, c, watch.Keep{})
	hostsOf(t, w, "ingress/shop/front", "shop.example.org")
	c.do(func() { c.forbidden["/apis/networking.k8s.io/v1/ingresses"] = true })
	c.server.CloseClientConnections()
	eventually(t, "forbidden", func() string {
		if complete, reason := w.Snapshot().Watched("ingress"); complete || !strings.Contains(reason, "forbidden") {
			return "ingresses are watched: " + reason
		}
		if claimed(w, "ingress/shop/front") != nil {
			return "there is still a claim of what may not be read"
		}
		return ""
	})
	c.do(func() { c.forbidden = map[string]bool{} })
	hostsOf(t, w, "ingress/shop/front", "shop.example.org")
}

func TestDefinitionsComeAndGo(t *testing.T) {
	const endpoint = `
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: mail, namespace: shop}
spec: {endpoints: [{dnsName: mail.example.org, recordType: MX, targets: [10 mx.example.org]}]}`
	c := newCluster(t)
	w := start(t, c, watch.Keep{})
	c.apply(t, endpoint)
	c.serveKinds("/apis/externaldns.k8s.io/v1alpha1", "dnsendpoints")
	hostsOf(t, w, "crd/shop/mail", "mail.example.org")
	c.do(func() { delete(c.served, "/apis/externaldns.k8s.io/v1alpha1") })
	eventually(t, "gone", func() string {
		if claimed(w, "crd/shop/mail") != nil {
			return "the claim is still there"
		}
		_, reason := w.Snapshot().Watched("crd")
		return reason
	})
}

func TestUnreachableServerIsNotSynced(t *testing.T) {
	c := newCluster(t)
	config := c.config()
	c.stop()
	w, err := watch.New(watch.Config{Client: config, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Synced(); err == nil || !strings.Contains(err.Error(), "ingresses.networking.k8s.io: not read yet") {
		t.Errorf("Synced before Run = %v, want every resource named", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	eventually(t, "reported", func() string {
		if _, reason := w.Snapshot().Watched("ingress"); !strings.Contains(reason, "refused") {
			return "the reason is " + reason
		}
		return ""
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestResolveFindsWhatTheWatchHasNotSeen(t *testing.T) {
	c := newCluster(t)
	w := start(t, c, watch.Keep{})
	c.do(func() { c.mute = true })
	c.apply(t, front)
	ref := claim.Ref{Kind: "ingress", Namespace: "shop", Name: "front"}
	ghost := claim.Ref{Kind: "ingress", Namespace: "shop", Name: "ghost"}
	refs := []claim.Ref{ref, ghost, ghost, {Kind: "node", Name: "n1"}, {Kind: "httproute", Namespace: "a", Name: "b"}}
	for range 3 {
		if err := w.Resolve(t.Context(), refs); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Snapshot().ByRef(ref); got == nil || got.IngressClass != "nginx" {
		t.Errorf("the claim is %+v, want one of class nginx", got)
	}
	if got := w.Snapshot().ByRef(ghost); got != nil {
		t.Errorf("a claim without an object: %+v", got)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) != 2 {
		t.Errorf("%d objects were asked for (%v), want each once", len(c.requests), c.requests)
	}
}

func TestResolveFailsWhenTheServerDoes(t *testing.T) {
	c := newCluster(t)
	w := start(t, c, watch.Keep{})
	c.stop()
	ref := claim.Ref{Kind: "ingress", Namespace: "shop", Name: "front"}
	err := w.Resolve(t.Context(), []claim.Ref{ref})
	if err == nil || !strings.Contains(err.Error(), "look up ingresses.networking.k8s.io shop/front") {
		t.Errorf("Resolve = %v, want an error naming the object", err)
	}
}

func TestSetKeepReadsAgain(t *testing.T) {
	c := newCluster(t)
	c.apply(t, strings.Replace(front, "namespace: shop", "namespace: shop, labels: {team: a, tier: b}", 1))
	w := start(t, c, watch.Keep{})
	if got := claimed(w, "ingress/shop/front"); got == nil || len(got.Labels) != 0 {
		t.Fatalf("the claim is %+v, want one without labels", got)
	}
	w.SetKeep(watch.Keep{Label: func(k string) bool { return k == "team" }})
	eventually(t, "read again", func() string {
		if got := claimed(w, "ingress/shop/front"); len(got.Labels) != 1 || got.Labels["team"] != "a" {
			return "the label is missing"
		}
		return ""
	})
}
