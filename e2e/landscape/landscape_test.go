package landscape_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/landscape"
	"github.com/spokedns/spokedns/e2e/stack"
)

// soon is how long a test waits for what takes a few seconds on an idle machine.
const soon = 90 * time.Second

// start brings a landscape up without the controller.
func start(t *testing.T) *landscape.Landscape {
	t.Helper()
	ctx := t.Context()
	l := landscape.New(t.TempDir())
	l.Installs = true
	t.Cleanup(l.Close)
	for _, step := range []func(context.Context) error{
		l.Build, l.StartClusters, l.StartCentral,
		func(ctx context.Context) error { return l.Expose(ctx, landscape.West, "shop", "10.20.0.10") },
		func(ctx context.Context) error { return l.Expose(ctx, landscape.East, "bank", "10.30.0.10") },
	} {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// resolves waits until a cluster's own DNS answers with these addresses, none: until it answers without.
func resolves(t *testing.T, l *landscape.Landscape, cluster, host string, want ...string) {
	t.Helper()
	err := stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
		got, err := l.Resolve(ctx, cluster, host)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%s is %v in %s, want %v", host, got, cluster, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func corefile(t *testing.T, l *landscape.Landscape, cluster string) string {
	t.Helper()
	text, err := l.Corefile(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// installed waits until external-dns is in every cluster that it is wished for.
func installed(t *testing.T, l *landscape.Landscape) {
	t.Helper()
	err := stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
		out, err := l.Clusters[landscape.West].Kubectl(ctx, "", "get", "dnsforwarding", "landscape", `--output=jsonpath={.status.conditions[?(@.type=="ExternalDNS")]}`)
		if err == nil && !strings.Contains(out, `"status":"True"`) {
			err = fmt.Errorf("external-dns: %s", out)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, l.Controller.LogTail(30))
	}
}

// left are the objects in a cluster that an installation makes, and what makes of its namespace there is.
func left(t *testing.T, l *landscape.Landscape, cluster string) []string {
	t.Helper()
	out, err := l.Clusters[cluster].Kubectl(t.Context(), "", "get", "namespaces,clusterroles,clusterrolebindings", "--output=name")
	if err != nil {
		t.Fatal(err)
	}
	inside, err := l.Clusters[cluster].Kubectl(t.Context(), "", "get", "deployments,pods,services,configmaps,secrets,serviceaccounts,networkpolicies", "--namespace=external-dns", "--output=name")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(append(strings.Fields(out), strings.Fields(inside)...), func(name string) bool {
		return !strings.Contains(name, "external-dns") && !strings.Contains(name, "etcd")
	})
}

// A Service in one cluster is resolved by name in the other, through its own cluster DNS, by an external-dns that was
// installed for it. What is no longer wished goes, its records first; and when the DNSForwarding is gone, every Corefile
// is what it was.
func TestClustersResolveEachOther(t *testing.T) {
	l, ctx := start(t), t.Context()
	const shop, bank = "shop." + landscape.West + "." + landscape.Base, "bank." + landscape.East + "." + landscape.Base
	resolves(t, l, landscape.West, shop)
	resolves(t, l, landscape.East, shop)
	before := map[string]string{}
	for _, name := range landscape.Names() {
		before[name] = corefile(t, l, name)
	}
	if err := l.StartController(ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := l.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(ctx, rollOut); err != nil {
		out, _ := l.Clusters[landscape.West].Kubectl(ctx, "", "get", "dnsforwarding", "--output=yaml")
		t.Fatalf("%v\n%s\n%s", err, out, l.Controller.LogTail(30))
	}
	installed(t, l)
	t.Logf("both clusters, one after the other, within %s", time.Since(began).Round(time.Second))
	for _, name := range landscape.Names() {
		resolves(t, l, name, shop, "10.20.0.10")
		resolves(t, l, name, bank, "10.30.0.10")
		resolves(t, l, name, landscape.ClusterName, "10.96.0.1")
	}

	// A name that comes later needs nothing but external-dns.
	if err := l.Expose(ctx, landscape.East, "late", "10.30.0.11"); err != nil {
		t.Fatal(err)
	}
	resolves(t, l, landscape.West, "late."+landscape.Zone(landscape.East), "10.30.0.11")

	// Where external-dns is no longer wished, its names go with it, and those of others stay.
	began = time.Now()
	if _, err := l.Clusters[landscape.West].Kubectl(ctx, "", "patch", "dnsforwarding", "landscape", "--type=json",
		`--patch=[{"op": "remove", "path": "/spec/externalDNS/installs/1"}]`); err != nil {
		t.Fatal(err)
	}
	resolves(t, l, landscape.West, bank)
	resolves(t, l, landscape.West, "late."+landscape.Zone(landscape.East))
	resolves(t, l, landscape.East, shop, "10.20.0.10")
	err := stack.Eventually(ctx, soon, func(context.Context) error {
		// The namespace was made with the rights in it, and stays with them.
		if is := left(t, l, landscape.East); !slices.Equal(is, []string{"namespace/external-dns"}) {
			return fmt.Errorf("left in %s: %q", landscape.East, is)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%v\n%s", err, l.Controller.LogTail(30))
	}
	t.Logf("names withdrawn and external-dns gone within %s", time.Since(began).Round(time.Second))

	if err := l.Delete(ctx, rollOut); err != nil {
		t.Fatalf("%v\n%s", err, l.Controller.LogTail(30))
	}
	if is := left(t, l, landscape.West); len(is) > 0 {
		t.Errorf("left in %s: %q", landscape.West, is)
	}
	for _, name := range landscape.Names() {
		if after := corefile(t, l, name); after != before[name] {
			t.Errorf("after the removal the Corefile of %s is\n%s\nwant\n%s", name, after, before[name])
		}
		resolves(t, l, name, landscape.ClusterName, "10.96.0.1")
	}
}

// rollOut is how long two clusters, one after the other, may take: CoreDNS looks for a new Corefile every 30 s.
const rollOut = 6 * time.Minute
