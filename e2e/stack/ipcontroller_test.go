package stack_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// A replica on a real API server, with the documented rights and real operators, writes the site's address and
// follows it.
func TestIPControllerWritesTheSitesAddress(t *testing.T) {
	ctx, s := t.Context(), stack.ForTest(t)
	first, second := netip.MustParseAddr("8.8.4.4"), netip.MustParseAddr("9.9.9.10")
	site, err := stack.NewSite(s.Dir, stack.SiteConfig{}, first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	program, err := stack.BuildIPController(ctx, s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	api, err := s.APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	account, err := api.IPControllerAccount(ctx, "dns")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.IPController(ctx, stack.IPControllerConfig{
		Program: program, Kubeconfig: account, Namespace: "dns", Site: site,
		Args: []string{"--canary=1s", "--confirm=200ms", "--per-operator=100000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []netip.Addr{first, second} {
		site.Set(want)
		err := stack.Eventually(ctx, 30*time.Second, func(ctx context.Context) error {
			cm, err := client.CoreV1().ConfigMaps("dns").Get(ctx, "spokedns-wan-ip", metav1.GetOptions{})
			if err != nil {
				return err
			}
			raw, err := p.Raw(ctx)
			if err == nil && (cm.Data["current_ip"] != want.String() || !raw.IPv4.Usable || raw.IPv4.IP != want.String()) {
				err = fmt.Errorf("the ConfigMap says %q, /raw %+v, want %s", cm.Data["current_ip"], raw, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for k, n := range site.Asked() {
		if n == 0 {
			t.Errorf("operator %s was never asked", site.Operator(k))
		}
	}
}

// What runs in a network namespace reaches the API server until its cable is pulled out, and then again.
func TestANetworkCanBeCutOff(t *testing.T) {
	ctx, s := t.Context(), stack.ForTest(t)
	api, err := s.APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	account, err := api.IPControllerAccount(ctx, "dns")
	if err != nil {
		t.Fatal(err)
	}
	network, err := s.Network(ctx, api)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := network.Kubeconfig(account)
	if err != nil {
		t.Fatal(err)
	}
	kubectl, err := stack.System("kubectl", "kubernetes-client")
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		out, err := network.Command(exec.Command(kubectl, "--kubeconfig="+kubeconfig, "--request-timeout=2s", "version")).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	if err := ask(); err != nil {
		t.Errorf("connected: %v", err)
	}
	if err := network.Cut(); err != nil {
		t.Fatal(err)
	}
	if ask() == nil {
		t.Error("cut off, it reaches the API server")
	}
	if err := network.Mend(); err != nil {
		t.Fatal(err)
	}
	if err := stack.Eventually(ctx, 30*time.Second, func(context.Context) error { return ask() }); err != nil {
		t.Error(err)
	}
}
