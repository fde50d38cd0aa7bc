package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/spokedns/spokedns/e2e/release"
	"github.com/spokedns/spokedns/e2e/stack"
)

// installed is the main job in a cluster with running pods, installed by helm from the examples.
type installed struct {
	*release.House
	scenarios map[string]release.Scenario
	internal  string // where this machine asks the central DNS
	broken    chan error
}

// inCluster is the scene of the charts.
func inCluster(dir string) (string, scene) {
	return "one zone, two audiences, in a cluster", &installed{House: release.New(dir), scenarios: map[string]release.Scenario{}, broken: make(chan error, 1)}
}

func (i *installed) ended() <-chan error { return i.broken }

func (i *installed) start(ctx context.Context, out *screen) error {
	err := out.steps(ctx, []step{
		{"our images, from this checkout", i.Build},
		{"a Kubernetes cluster with running pods", func(ctx context.Context) error { return i.StartCluster(ctx) }},
		{"the Gateway API's definitions", i.gatewayAPI},
		{"BIND: the public DNS of example.org", i.StartServers},
	})
	if err != nil {
		return err
	}
	for _, s := range i.Scenarios("", nil) {
		i.scenarios[s.Namespace] = s
	}
	spoke := i.scenarios[release.Spoke]
	spoke.Set = append(spoke.Set, `webhook.externalDNS.sources=["ingress","service","gateway-httproute"]`)
	i.scenarios[release.Spoke] = spoke
	err = out.steps(ctx, []step{
		{"helm install: landscape-center, the internal DNS", i.install(release.Center)},
		{"helm install: split-horizon, external-dns and our webhook", i.install(release.Spoke)},
	})
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(i.Cluster.Config)
	if err != nil {
		return err
	}
	go cloud{objects}.run(ctx)
	i.internal, err = i.CentralAddr(ctx)
	return err
}

func (i *installed) gatewayAPI(ctx context.Context) error {
	file, err := stack.GatewayAPICRDs("standard")
	if err != nil {
		return err
	}
	_, err = i.Kubectl(ctx, "apply", "--server-side", "--filename", file)
	return err
}

// install installs the scenario in the namespace and waits for its pods.
func (i *installed) install(namespace string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := i.Install(ctx, i.scenarios[namespace]); err != nil {
			return err
		}
		_, err := i.Kubectl(ctx, "wait", "--for=condition=Ready", "pod", "--namespace", namespace,
			"--selector=app.kubernetes.io/part-of=spokedns", "--timeout=2m")
		return err
	}
}

func (i *installed) play(ctx context.Context, out *screen) (bool, error) {
	if err := out.step("apply the samples: 2 Ingresses, Gateway, HTTPRoute, Service", func() error {
		_, err := i.Cluster.Kubectl(ctx, samples, "apply", "--filename", "-")
		return err
	}); err != nil {
		return false, err
	}
	var rows []row
	err := out.step("from there to the last right answer", func() error {
		return stack.Eventually(ctx, time.Minute, func(ctx context.Context) (err error) {
			rows, err = askBoth(ctx, i.Public.Addr, i.internal, story())
			if err == nil && slices.ContainsFunc(rows, func(r row) bool { return !r.right }) {
				err = errWrong
			}
			return err
		})
	})
	if err != nil && !errors.Is(err, errWrong) { // wrong answers are shown, not hidden
		return false, err
	}
	pods, err := i.Kubectl(ctx, "get", "pods", "--all-namespaces", "--selector=app.kubernetes.io/part-of=spokedns")
	if err != nil {
		return false, err
	}
	out.printf("\n%s", out.dim(pods))
	return i.show(out, rows), nil
}

// show prints the answers and says whether all are right.
func (i *installed) show(out *screen, rows []row) bool {
	var cells [][]cell
	right := 0
	for _, r := range rows {
		cells = append(cells, []cell{
			{text: r.host}, {text: r.claim}, {text: r.cluster, paint: out.dim},
			seen(out, r.public, r.line.public, &right), seen(out, r.internal, r.line.internal, &right),
		})
	}
	out.printf("\n")
	out.table([]string{"HOST", "KUBERNETES SAYS", "", "PUBLIC DNS", "INTERNAL DNS"}, cells)
	return verdict(out, right == 2*len(rows))
}

// invite says how to go on.
func (i *installed) invite(out *screen) {
	out.printf("  Everything stays up until Ctrl-C. Publish something of your own, then ask the world for it:\n\n")
	out.printf("    %s\n", out.bold(fmt.Sprintf("export KUBECONFIG=%s", i.Cluster.Kubeconfig)))
	out.printf("    %s\n", out.bold("kubectl create ingress hello --class=nginx --rule='hello.example.org/*=hello:80'"))
	host, port := split(i.Public.Addr)
	out.printf("    %s\n\n", out.bold(fmt.Sprintf("dig @%s -p %s +short hello.example.org", host, port)))
	out.printf("  %s\n", out.dim(fmt.Sprintf("What was installed: helm list -A. Internal DNS: %s. Charts: %s", i.internal, filepath.Join(i.Charts, "spokedns"))))
}
