package landscape_test

import (
	"context"
	"fmt"
	"slices"
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
	t.Cleanup(l.Close)
	for _, step := range []func(context.Context) error{
		l.Build, l.StartClusters, l.StartCentral,
		func(ctx context.Context) error { return l.Publish(ctx, landscape.West) },
		func(ctx context.Context) error { return l.Publish(ctx, landscape.East) },
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

// A Service in one cluster is resolved by name in the other, through its own cluster DNS; when the DNSForwarding is
// gone, every Corefile is what it was.
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

	if err := l.Delete(ctx, rollOut); err != nil {
		t.Fatalf("%v\n%s", err, l.Controller.LogTail(30))
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
