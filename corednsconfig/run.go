package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/controller"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/program/status"
)

// runCommand is the controller.
type runCommand struct {
	program.Kubernetes `embed:""`
	Namespace          string `placeholder:"NAME" group:"Kubernetes" env:"NAMESPACE,POD_NAMESPACE" help:"Namespace of the kubeconfig Secrets and the Lease. Default: the pod's own."`
	Lease              string `default:"spokedns-corednsconfig" group:"Kubernetes" help:"Lease that says who leads."`

	program.Election `embed:""`

	Sources    []string      `name:"source" placeholder:"SOURCE" default:"Local,Kubeconfig,ClusterAPI,OpenMCP" enum:"Local,Kubeconfig,ClusterAPI,OpenMCP" group:"Clusters" help:"Where clusters are looked for: Local, Kubeconfig, ClusterAPI, OpenMCP."`
	Annotation string        `default:"dns.openmcp.cloud/base-domain" group:"Clusters" help:"Annotation that a Cluster object gets with the base domain, once its cluster resolves it."`
	Discover   time.Duration `default:"30s" group:"Clusters" help:"Time from one look for clusters to the next."`
	Resync     time.Duration `default:"10m" group:"Clusters" help:"Time from one look at a cluster to the next, when nothing calls for one earlier."`
	Drift      time.Duration `default:"1m" group:"Clusters" help:"Time from one glance at what was written in a cluster to the next."`
	Parallel   int           `default:"50" group:"Clusters" help:"Clusters worked on at a time."`
	Call       time.Duration `default:"10s" group:"Clusters" help:"Longest time for one request to a cluster."`
	Converge   time.Duration `default:"150s" group:"Clusters" help:"Longest time for the replicas of a cluster's DNS to load what was written."`
	CoreDNS    []string      `name:"load-gate-command" placeholder:"COMMAND" group:"Clusters" help:"CoreDNS on this machine, with arguments, to try a configuration where a cluster cannot run a pod for it. -conf FILE is appended."`

	Listen string `default:":8080" group:"Operations" help:"Address of /metrics, /healthz and /readyz."`
}

// complete fills in what the pod knows of itself, and refuses what cannot work.
func (c *runCommand) complete() error {
	namespace, err := program.Namespace(c.Namespace, "the kubeconfig Secrets")
	c.Namespace = namespace
	wrong := []error{err, c.Election.Check()}
	for _, d := range []struct {
		flag  string
		is    time.Duration
		least time.Duration
	}{
		{"--discover", c.Discover, time.Second}, {"--resync", c.Resync, time.Second}, {"--drift", c.Drift, time.Second},
		{"--call", c.Call, time.Second}, {"--converge", c.Converge, 10 * time.Second},
	} {
		if d.is < d.least {
			wrong = append(wrong, fmt.Errorf("%s: %s: want at least %s", d.flag, d.is, d.least))
		}
	}
	if c.Parallel < 1 {
		wrong = append(wrong, fmt.Errorf("--parallel: %d: want at least 1", c.Parallel))
	}
	return errors.Join(wrong...)
}

func (c *runCommand) run(ctx context.Context, s streams) error {
	if err := c.complete(); err != nil {
		return err
	}
	cfg, err := c.Config(userAgent())
	if err != nil {
		return err
	}
	go program.Frugal(ctx, frugal)
	s.log.Info("starting", "version", program.Version(version), "namespace", c.Namespace, "sources", strings.Join(c.Sources, ","))
	m, err := c.manager(cfg, s.log)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	if err := c.wire(m, cfg, registry, s.log); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shown := status.Server{
		Address: c.Listen, Version: program.Version(version), Leader: "spokedns_corednsconfig_leader", Registry: registry,
		Manager: m, Kind: &v1alpha1.DNSForwardingList{}, Unready: "DNSForwardings cannot be read", Log: s.log,
	}
	served, err := shown.Serve(ctx, cancel)
	if err != nil {
		return err
	}
	err = m.Start(ctx)
	cancel()
	return errors.Join(err, <-served)
}

// manager reads DNSForwardings, and leads or waits.
func (c *runCommand) manager(cfg *rest.Config, log *slog.Logger) (manager.Manager, error) {
	logger := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	platform := rest.CopyConfig(cfg)
	platform.QPS, platform.Burst = 50, 100
	return ctrl.NewManager(platform, ctrl.Options{
		Scheme: scheme, Logger: logger, Metrics: server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: c.Lease, LeaderElectionNamespace: c.Namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &c.LeaseDuration, RenewDeadline: &c.RenewDeadline, RetryPeriod: &c.RetryPeriod,
	})
}

// wire puts fleet, engine and controller together.
func (c *runCommand) wire(m manager.Manager, cfg *rest.Config, registry *prometheus.Registry, log *slog.Logger) error {
	direct, err := client.New(m.GetConfig(), client.Options{Scheme: m.GetScheme()}) // Secrets stay out of the cache
	if err != nil {
		return err
	}
	var sources []v1alpha1.Source
	for _, source := range c.Sources {
		if !slices.Contains(sources, v1alpha1.Source(source)) {
			sources = append(sources, v1alpha1.Source(source))
		}
	}
	var works *controller.Controller
	clusters := fleet.New(fleet.Options{
		Local: cfg, Client: direct, Sources: sources, Namespace: c.Namespace,
		Rights: rights(kubeSystem), Annotation: c.Annotation, UserAgent: userAgent(),
		More: func(cluster fleet.Cluster) ([]fleet.Right, bool) {
			more, known := works.Rights(cluster)
			return fleetRights(more), known
		},
	})
	installer, err := newInstaller(direct, c.Namespace, c.Call)
	if err != nil {
		return err
	}
	engine, err := rollout.New(rollout.Options{
		Log: log, Call: c.Call, Converge: c.Converge, Command: c.CoreDNS,
		Notify: func(cluster string, e rollout.Event) { works.Notify(cluster, e) },
	})
	if err != nil {
		return err
	}
	works = controller.New(m.GetClient(), controller.Options{
		Engine: engine, Fleet: clusters, Installer: installer, Namespace: c.Namespace, Log: log, Metrics: controller.NewMetrics(registry),
		Events:   controller.NewEvents(m.GetEventRecorder(ownName)),
		Parallel: c.Parallel, Resync: c.Resync, Drift: c.Drift, Discover: c.Discover,
	})
	return works.SetupWithManager(m)
}

// frugal is the memory in bytes that is to do: 200 clusters fit.
const frugal = 160 << 20
