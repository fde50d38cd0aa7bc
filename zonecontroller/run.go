package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/program/status"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/controller"
	"github.com/spokedns/spokedns/zonecontroller/ledger"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/seed"
)

// runCommand is the controller.
type runCommand struct {
	program.Kubernetes `embed:""`
	Namespace          string  `placeholder:"NAME" group:"Kubernetes" env:"NAMESPACE,POD_NAMESPACE" help:"Namespace of the ledger and the Lease. Default: the pod's own."`
	Lease              string  `default:"spokedns-zonecontroller" group:"Kubernetes" help:"Lease that says who leads."`
	QPS                float32 `name:"kube-qps" default:"500" group:"Kubernetes" help:"Most requests to the API server in a second. Statuses of a thousand new records are a thousand requests."`

	program.Election `embed:""`

	Zones     int           `default:"16" group:"Servers" help:"Zones worked on at a time."`
	Writers   int           `default:"4" group:"Servers" help:"Statuses written at a time. They wait for DNS, and never the other way round."`
	Poll      time.Duration `default:"2s" group:"Servers" help:"Time from one question for the serial of a zone to the next: how soon a loss is noticed."`
	Probe     time.Duration `default:"10s" group:"Servers" help:"Time from one look at a server and its Secrets to the next: how soon a new key is used."`
	Call      time.Duration `default:"30s" group:"Servers" help:"Longest time for one step with one server."`
	Listen    string        `name:"transfer-listen" default:":8053" group:"Servers" help:"Address, over TCP and UDP, at which servers fetch the first content of zones."`
	Advertise string        `name:"transfer-advertise" placeholder:"HOST[:PORT]" env:"TRANSFER_ADVERTISE,POD_IP" group:"Servers" help:"How servers reach that address. Default: as it is listened on."`

	Operations string `name:"listen" default:":8080" group:"Operations" help:"Address of /metrics, /healthz and /readyz."`
}

// complete fills in what the pod knows of itself, and refuses what cannot work.
func (c *runCommand) complete() error {
	namespace, err := program.Namespace(c.Namespace, "the ledger and the Lease")
	c.Namespace = namespace
	wrong := []error{err, c.Election.Check()}
	for _, d := range []struct {
		flag  string
		is    time.Duration
		least time.Duration
	}{{"--poll", c.Poll, 100 * time.Millisecond}, {"--probe", c.Probe, time.Second}, {"--call", c.Call, time.Second}} {
		if d.is < d.least {
			wrong = append(wrong, fmt.Errorf("%s: %s: want at least %s", d.flag, d.is, d.least))
		}
	}
	for _, n := range []struct {
		flag string
		is   int
	}{{"--zones", c.Zones}, {"--writers", c.Writers}} {
		if n.is < 1 {
			wrong = append(wrong, fmt.Errorf("%s: %d: want at least 1", n.flag, n.is))
		}
	}
	if c.QPS <= 0 {
		wrong = append(wrong, fmt.Errorf("--kube-qps: %g: want more than 0", c.QPS))
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		wrong = append(wrong, fmt.Errorf("--transfer-listen: %q: want host:port or :port", c.Listen))
	}
	if _, _, err := net.SplitHostPort(c.Advertise); err != nil && c.Advertise != "" {
		c.Advertise = net.JoinHostPort(c.Advertise, port)
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
	cfg.QPS, cfg.Burst = c.QPS, int(2*c.QPS)
	go program.Frugal(ctx, frugal)
	s.log.Info("starting", "version", program.Version(version), "namespace", c.Namespace)
	m, err := c.manager(cfg, s.log)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shown := status.Server{
		Address: c.Operations, Version: program.Version(version), Leader: "spokedns_zone_leader", Registry: registry,
		Manager: m, Kind: &v1alpha1.DNSZoneList{}, Unready: "DNSZones cannot be read", Log: s.log,
	}
	served, err := shown.Serve(ctx, cancel)
	if err != nil {
		return err
	}
	err = c.wire(ctx, m, registry, s.log)
	if err == nil {
		err = m.Start(ctx)
	}
	cancel()
	return errors.Join(err, <-served)
}

// manager reads the objects, and leads or waits.
func (c *runCommand) manager(cfg *rest.Config, log *slog.Logger) (manager.Manager, error) {
	logger := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Logger: logger, Metrics: server.Options{BindAddress: "0"},
		Cache:          cache.Options{DefaultTransform: slim, ReaderFailOnMissingInformer: false},
		LeaderElection: true, LeaderElectionID: c.Lease, LeaderElectionNamespace: c.Namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &c.LeaseDuration, RenewDeadline: &c.RenewDeadline, RetryPeriod: &c.RetryPeriod,
	})
}

// slim drops from an object in the cache what nobody here reads: who wrote which field, and copies of the whole in
// annotations.
func slim(o any) (any, error) {
	if object, ok := o.(client.Object); ok {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return o, nil
}

// wire puts servers, ledger and controller together.
func (c *runCommand) wire(ctx context.Context, m manager.Manager, registry *prometheus.Registry, log *slog.Logger) error {
	direct, err := client.New(m.GetConfig(), client.Options{Scheme: m.GetScheme()}) // the ledger is not read from a cache
	if err != nil {
		return err
	}
	contents, err := seed.New(ctx, seed.Config{Listen: c.Listen, Advertise: c.Advertise, Log: log})
	if err != nil {
		return err
	}
	works := controller.New(m.GetClient(), controller.Options{
		Dial: func(n nameserver.Config) (controller.Server, error) {
			n.Seed, n.Timeout = contents, c.Call
			s, err := nameserver.New(n)
			if err != nil {
				return controller.Server{}, err
			}
			return controller.Server{Nameserver: s, DNS: s.DNS()}, nil
		},
		Ledger: ledger.New(direct, c.Namespace), Secrets: m.GetAPIReader(), Log: log,
		Metrics: controller.NewMetrics(registry), Events: controller.NewEvents(m.GetEventRecorder(programName)),
		Zones: c.Zones, Writers: c.Writers, Poll: c.Poll, Probe: c.Probe, Call: c.Call,
	})
	return errors.Join(works.SetupWithManager(ctx, m), m.Add(manager.RunnableFunc(contents.Serve)))
}

// frugal is the memory in bytes that is to do: 10,000 records fit.
const frugal = 64 << 20
