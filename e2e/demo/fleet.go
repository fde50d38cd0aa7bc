package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/e2e/landscape"
)

// forwardingTime is how long the roll-out to both clusters may take: the stock reload interval of CoreDNS, twice.
const forwardingTime = 5 * time.Minute

// fleet is a landscape of two clusters that come to resolve each other's names.
type fleet struct {
	*landscape.Landscape
	broken chan error
}

// twoClusters is the scene of a landscape.
func twoClusters(dir string) (string, scene) {
	return "two clusters that resolve each other's names", &fleet{landscape.New(dir), make(chan error, 1)}
}

func (f *fleet) ended() <-chan error { return f.broken }

func (f *fleet) start(ctx context.Context, out *screen) error {
	publish := func(name string) func(context.Context) error {
		return func(ctx context.Context) error { return f.Publish(ctx, name) }
	}
	err := out.steps(ctx, []step{
		{"build the webhook and corednsconfig from this checkout", f.Build},
		{"two Kubernetes clusters with running pods, west and east", f.StartClusters},
		{"the central DNS: etcd with a user for each cluster, CoreDNS", f.StartCentral},
		{"west: external-dns and our webhook, for names below " + landscape.Zone(landscape.West), publish(landscape.West)},
		{"east: the same, below " + landscape.Zone(landscape.East), publish(landscape.East)},
		{"a LoadBalancer Service in each cluster", f.expose},
	})
	return err
}

// the names, and where their Services are
func (f *fleet) names() map[string]string {
	return map[string]string{
		"shop." + landscape.Zone(landscape.West): "10.20.0.10",
		"bank." + landscape.Zone(landscape.East): "10.30.0.10",
	}
}

func (f *fleet) expose(ctx context.Context) error {
	if err := f.Expose(ctx, landscape.West, "shop", "10.20.0.10"); err != nil {
		return err
	}
	return f.Expose(ctx, landscape.East, "bank", "10.30.0.10")
}

// asked is a question to a cluster's own DNS.
type asked struct{ cluster, host string }

func (f *fleet) questions() []asked {
	return []asked{
		{landscape.West, "shop." + landscape.Zone(landscape.West)},
		{landscape.East, "shop." + landscape.Zone(landscape.West)},
		{landscape.West, "bank." + landscape.Zone(landscape.East)},
		{landscape.East, "bank." + landscape.Zone(landscape.East)},
		{landscape.West, landscape.ClusterName},
		{landscape.East, landscape.ClusterName},
	}
}

func (f *fleet) ask(ctx context.Context) (map[asked]string, error) {
	got := map[asked]string{}
	for _, q := range f.questions() {
		answer, err := f.Resolve(ctx, q.cluster, q.host)
		if err != nil {
			return nil, err
		}
		got[q] = strings.Join(answer, " ")
	}
	return got, nil
}

// play rolls the forwarding out and takes it back.
func (f *fleet) play(ctx context.Context, out *screen) (bool, error) {
	before, err := f.ask(ctx)
	if err != nil {
		return false, err
	}
	files, err := f.corefiles(ctx)
	if err != nil {
		return false, err
	}
	err = out.steps(ctx, []step{
		{"corednsconfig: east by a kubeconfig Secret, west itself", f.StartController},
		{"a DNSForwarding: tried in a pod, written, seen on every replica", f.roll},
	})
	if err != nil {
		return false, err
	}
	after, err := f.ask(ctx)
	if err != nil {
		return false, err
	}
	err = out.step("the DNSForwarding is deleted again", func() error { return f.Delete(ctx, forwardingTime) })
	if err != nil {
		return false, err
	}
	again, err := f.corefiles(ctx)
	if err != nil {
		return false, err
	}
	return f.show(out, before, after, slices.Equal(files, again)), f.Apply(ctx)
}

func (f *fleet) roll(ctx context.Context) error {
	if err := f.Apply(ctx); err != nil {
		return err
	}
	return f.Ready(ctx, forwardingTime)
}

func (f *fleet) corefiles(ctx context.Context) ([]string, error) {
	var all []string
	for _, name := range landscape.Names() {
		text, err := f.Corefile(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// show prints the answers and says whether all are right.
func (f *fleet) show(out *screen, before, after map[asked]string, same bool) bool {
	var cells [][]cell
	right := 0
	for _, q := range f.questions() {
		was, want := "", f.names()[q.host]
		if q.host == landscape.ClusterName {
			was, want = "10.96.0.1", "10.96.0.1"
		}
		cells = append(cells, []cell{
			{text: q.host}, {text: q.cluster},
			seen(out, strings.Fields(before[q]), was, &right),
			seen(out, strings.Fields(after[q]), want, &right),
		})
	}
	out.printf("\n")
	out.table([]string{"HOST", "ASKED IN", "BEFORE", "WITH THE DNSFORWARDING"}, cells)
	switch {
	case right < 2*len(cells):
		out.printf("\n  %s\n\n", out.red("Not every answer is right."))
	case !same:
		out.printf("\n  %s\n\n", out.red("After the removal a Corefile is not what it was."))
	default:
		out.printf("\n  %s\n\n", out.green("All answers are right, and after the removal both Corefiles are what they were, byte for byte."))
		return true
	}
	return false
}

// invite says how to go on.
func (f *fleet) invite(out *screen) {
	out.printf("  The DNSForwarding is rolled out anew; everything stays up until Ctrl-C:\n\n")
	for _, name := range landscape.Names() {
		out.printf("    %s\n", out.bold(fmt.Sprintf("kubectl --kubeconfig=%s get configmap coredns -n kube-system -o yaml", f.Clusters[name].Kubeconfig)))
	}
	out.printf("    %s\n\n", out.bold(fmt.Sprintf("kubectl --kubeconfig=%s get dnsforwarding -o wide", f.Clusters[landscape.West].Kubeconfig)))
	out.printf("  %s\n", out.dim("Logs and settings: "+f.Dir))
}
