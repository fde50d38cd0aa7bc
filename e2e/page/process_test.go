package page_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const (
	former, present, next = "8.8.4.4", "9.9.9.10", "9.9.9.11"
	liar                  = "81.2.69.160"
	inside                = "100.64.3.4" // what the carrier gave the router
	fixed6                = "2620:fe::10"
)

// site is two replicas on a real API server, in a world that is not in order: of five operators one says another
// address and one has had enough of being asked, and the carrier has a NAT.
func site(t *testing.T) (leader, follower *stack.IPController, world *stack.Site) {
	ctx, s := t.Context(), stack.ForTest(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	world, err := stack.NewSite(s.Dir, stack.SiteConfig{Kinds: []string{"trace", "stun", "dot", "text", "text"}, Router: true}, netip.MustParseAddr(present))
	must(err)
	t.Cleanup(world.Close)
	world.Router.Say(netip.MustParseAddr(inside))
	world.Lie(netip.MustParseAddr(liar), 3)
	world.Answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1800")
		http.Error(w, "asked too often", http.StatusTooManyRequests)
	}, 4)
	program, err := stack.BuildIPController(ctx, s.Dir)
	must(err)
	api, err := s.APIServer(ctx, stack.APIServerConfig{})
	must(err)
	account, err := api.IPControllerAccount(ctx, "dns")
	must(err)
	must(api.Apply(ctx, yesterday(t, time.Now())))
	start := func(name string) *stack.IPController {
		p, err := s.IPController(ctx, stack.IPControllerConfig{
			Name: name, Program: program, Kubeconfig: account, Namespace: "dns", Site: world,
			Args: []string{"--canary=1s", "--confirm=200ms", "--audit=5s", "--per-operator=100000", "--ipv6-mode=static", "--ipv6-address=" + fixed6},
		})
		must(err)
		return p
	}
	leader = start("ipcontroller-0")
	must(stack.Eventually(ctx, 60*time.Second, func(ctx context.Context) error {
		raw, err := leader.Raw(ctx)
		if err == nil && (raw.IPv4.IP != present || raw.IPv6.IP != fixed6) {
			err = fmt.Errorf("not published: %+v", raw)
		}
		return err
	}))
	return leader, start("ipcontroller-1"), world
}

// yesterday is the ConfigMap as a leader left it that the replicas take over from.
func yesterday(t *testing.T, now time.Time) *corev1.ConfigMap {
	t.Helper()
	at, since := now.Add(-20*time.Second), now.Add(-20*time.Hour)
	addr := netip.MustParseAddr(former)
	cm, err := wanip.Encode(wanip.State{
		IPv4:      wanip.Finding{Status: wanip.Verified, Addr: addr, DetectedAt: at, VerifiedAt: at, ChangedAt: since},
		WrittenAt: at, Sequence: 40, Leader: wanip.Leader{Holder: "ipcontroller-of-yesterday"},
		History: []wanip.Change{
			{Sequence: 3, At: now.Add(-70 * time.Hour), Family: wanip.IPv4, Addr: netip.MustParseAddr("8.8.4.5")},
			{Sequence: 30, At: since, Family: wanip.IPv4, Addr: addr},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cm.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	cm.Name, cm.Namespace = wanip.DefaultName, "dns"
	return cm
}

// The pages of a leader and of a follower, as a person in front of a browser has them.
func TestThePageOfARunningSite(t *testing.T) {
	leader, follower, world := site(t)
	b := startBrowser(t)
	for _, r := range []*stack.IPController{leader, follower} {
		url := r.URL + "/"
		shown := []string{
			present, fixed6, former, "8.8.4.5", liar, "Verified", "Static", "3 of 5 operators agree", "agrees", "differs", "ConfigMap dns/spokedns-wan-ip",
			"op0", "op1", "op2", "op3", "op4", "ipcontroller-0 leads on node-of-ipcontroller-0",
		}
		if r == leader {
			shown = append(shown, "this is its page", "left alone 2", "429", inside, "RFC 6598")
		} else {
			shown = append(shown, "another replica", "behind another NAT")
		}
		for _, s := range screens() {
			t.Run(fmt.Sprintf("%s at %s", r.Name, s), func(t *testing.T) {
				if err := stack.Eventually(t.Context(), 30*time.Second, func(ctx context.Context) error {
					body, err := r.Get(ctx, "/")
					if err == nil && !strings.Contains(body, "<b>3 of 5</b>") {
						err = fmt.Errorf("no quorum is shown:\n%s", body)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				p := b.open(t, url, s)
				text := p.text()
				for _, want := range shown {
					if !strings.Contains(text, want) {
						t.Errorf("no %q in:\n%s", want, text)
					}
				}
				p.checkLayout(s)
				nodes := p.spoken()
				if n := having(nodes, "table"); n != 2 {
					t.Errorf("%d tables", n)
				}
				p.checkTrouble(url)
			})
		}
	}

	p := b.open(t, follower.URL+"/", screens()[0])
	if strings.Contains(p.text(), next) {
		t.Fatalf("%s is there already", next)
	}
	world.Set(netip.MustParseAddr(next))
	if err := stack.Eventually(t.Context(), time.Minute, func(context.Context) error {
		text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText")) // fails while a page replaces another
		if err == nil && !strings.Contains(text, next) {
			err = fmt.Errorf("the open page still says:\n%s", text)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	p.checkTrouble(follower.URL + "/")

	p = b.open(t, leader.URL+"/", screens()[0])
	world.Lie(netip.MustParseAddr(liar), 2, 3)
	p.until("Ambiguous", "Two addresses have votes. The one before stays.", next, "Held · "+next)
	world.Down(0, 1, 2, 3)
	p.until("Holding", "No quorum at the moment. The last one agreed on stays.", next, "no address", "Held · "+next)
	p.checkTrouble(leader.URL + "/")
}

// A replica that has never reached the API server says so, and has no address.
func TestThePageWithoutAnAPIServer(t *testing.T) {
	s := stack.ForTest(t)
	program, err := stack.BuildIPController(t.Context(), s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(s.Dir, "nowhere.yaml")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x}}],
clusters: [{name: x, cluster: {server: "http://127.0.0.1:%d"}}]}`, port), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.IPController(t.Context(), stack.IPControllerConfig{Program: program, Kubeconfig: kubeconfig, Namespace: "dns", Unready: true,
		Args: []string{"--ipv4-mode=static", "--ipv4-address=" + present}})
	if err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	for _, screen := range screens() {
		p := b.open(t, r.URL+"/", screen)
		p.until("Unknown", "not known", "nobody leads", "ConfigMap dns/spokedns-wan-ip cannot be followed", "connection refused")
		p.checkLayout(screen)
		p.checkTrouble(r.URL + "/")
	}
}

// until loads the page again until it has all these words, the title included.
func (p *tab) until(words ...string) {
	p.t.Helper()
	if err := stack.Eventually(p.ctx, time.Minute, func(context.Context) error {
		p.do(chromedp.Reload())
		text := get[string](p, "document.title + document.body.innerText")
		for _, w := range words {
			if !strings.Contains(text, w) {
				return fmt.Errorf("no %q in:\n%s", w, text)
			}
		}
		return nil
	}); err != nil {
		p.t.Error(err)
	}
}
