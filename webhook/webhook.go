package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/webhook/claim/watch"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/extdns"
	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
	"github.com/spokedns/spokedns/webhook/zonesource/follow"
)

// webhook is the running program: what stays while configurations come and go.
type webhook struct {
	in           *invocation
	log          *slog.Logger
	level        *slog.LevelVar
	registry     *prometheus.Registry
	metrics      *view.Metrics
	cluster      *rest.Config   // nil: claims are not watched
	watcher      *watch.Watcher // nil too then
	sites        *sites
	certificates *certificates
	life         context.Context // of the program: what is read in the background ends with it
	shared       shared
	current      view.Switch

	mu       sync.Mutex     // held while a configuration is put into use
	zones    *follow.Source // nil until a configuration has zones that DNSZones bring
	file     *config.File
	backends []openBackend
	closed   <-chan struct{} // closed when what the configuration before used has been closed
}

func newWebhook(in *invocation, f *config.File, log *slog.Logger, level *slog.LevelVar) (*webhook, error) {
	cfg, err := cluster(f.Kubernetes)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "spokedns_build_info", Help: "Always 1; the version is the label.",
			ConstLabels: prometheus.Labels{"version": program.Version(version)},
		}, func() float64 { return 1 }),
	)
	w := &webhook{in: in, log: log, level: level, registry: registry, metrics: view.NewMetrics(registry), cluster: cfg, sites: newSites(cfg, log), certificates: newCertificates()}
	registry.MustRegister(w.sites, w.certificates)
	if cfg == nil {
		return w, nil
	}
	w.watcher, err = watch.New(watch.Config{Client: cfg, Logger: log, Kinds: f.Kubernetes.Watched()})
	return w, err
}

// run puts the first configuration into use, serves, and follows the file until ctx ends.
func (w *webhook) run(ctx context.Context, f *config.File, content []byte) error {
	secret, err := password(f.Server.BasicAuth.PasswordFile)
	if err != nil {
		return err
	}
	front, err := listen(ctx, f.Server, w.log)
	if err != nil {
		return err
	}
	w.life = ctx
	if err := w.useFirst(ctx, f); err != nil {
		return errors.Join(err, front.close())
	}
	reloader := &config.Reloader{
		Path: w.in.Config, Applied: content, Apply: w.reload, Log: w.log,
		Failed: func(ctx context.Context, err error) {
			w.event(ctx, eventWarning, "ConfigurationRefused", err.Error())
		},
	}
	reloader.Register(w.registry)
	if w.in.Config != "" {
		go w.follow(ctx, reloader)
	}
	if w.watcher != nil {
		go func() { _ = w.watcher.Run(ctx) }() // it ends with ctx, without an error
	}
	go w.failOver(ctx)
	protocol := extdns.Handler(&w.current, extdns.Options{
		User: f.Server.BasicAuth.Username, Password: secret, Observe: w.metrics.Request,
	}, w.log)
	err = front.serve(ctx, protocol, operationsHandler(w.registry, func() error { return w.ready(ctx) }, w.writeZones))
	w.close()
	return err
}

// provider assembles the views over their backends.
func (w *webhook) provider(f *config.File, rules *policy.Policy, backends []openBackend) (*view.Provider, error) {
	c := view.Config{
		Policy: rules, Site: w.sites.site, DryRun: f.DryRun, Log: w.log, Metrics: w.metrics,
		MaxDeleteShare: f.Rails.MaxDeleteShare, MinDeletes: f.Rails.MaxDeleteMin,
	}
	if f.Failover {
		c.Moves, c.Registry = w.sites.moves, ownership.New(f.ExternalDNS)
	}
	var err error
	if c.Found, err = w.found(f); err != nil {
		return nil, err
	}
	for i, v := range f.Views {
		c.Views = append(c.Views, view.View{
			Name: v.Name, Zones: v.CanonicalZones(), TTL: v.TTL, Backend: backends[i].Backend, BackendName: v.Backend.Kind,
		})
	}
	if w.watcher != nil {
		c.Claims = w.watcher
	}
	return view.New(c)
}

// close closes everything after the last call.
func (w *webhook) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil { // nil when no configuration was ever put into use
		<-w.closed
	}
	closeBackends(w.backends, nil, w.log)
}

// ready says why the program cannot do its work yet.
func (w *webhook) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.New("ending")
	}
	if w.current.Provider() == nil {
		return errors.New("waiting for a service to say which zones it serves")
	}
	var errs []error
	if w.watcher != nil {
		errs = append(errs, w.watcher.Synced())
	}
	return errors.Join(append(errs, w.current.Provider().Ready())...)
}
