package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/claim/watch"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/extdns"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// webhook is the running program: what stays while configurations come and go.
type webhook struct {
	in       *invocation
	log      *slog.Logger
	level    *slog.LevelVar
	registry *prometheus.Registry
	metrics  *view.Metrics
	cluster  *rest.Config   // nil: claims are not watched
	watcher  *watch.Watcher // nil too then
	current  view.Switch

	mu       sync.Mutex // held while a configuration is put into use
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
			ConstLabels: prometheus.Labels{"version": buildVersion()},
		}, func() float64 { return 1 }),
	)
	w := &webhook{in: in, log: log, level: level, registry: registry, metrics: view.NewMetrics(registry), cluster: cfg}
	if cfg == nil {
		return w, nil
	}
	w.watcher, err = watch.New(watch.Config{Client: cfg, Logger: log})
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
	if err := w.use(f, false); err != nil {
		return errors.Join(err, front.close())
	}
	reloader := &config.Reloader{
		Path: w.in.Config, Applied: content, Apply: w.reload, Log: w.log,
		Failed: func(ctx context.Context, err error) {
			go warnEvent(ctx, w.cluster, w.log, "ConfigurationRefused", err.Error())
		},
	}
	reloader.Register(w.registry)
	if w.in.Config != "" {
		go w.follow(ctx, reloader)
	}
	if w.watcher != nil {
		go func() { _ = w.watcher.Run(ctx) }() // it ends with ctx, without an error
	}
	protocol := extdns.Handler(&w.current, extdns.Options{
		User: f.Server.BasicAuth.Username, Password: secret, Observe: w.metrics.Request,
	}, w.log)
	err = front.serve(ctx, protocol, operationsHandler(w.registry, func() error { return w.ready(ctx) }))
	w.close()
	return err
}

// follow keeps the configuration up to date. That it cannot is no reason to stop serving.
func (w *webhook) follow(ctx context.Context, r *config.Reloader) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := r.Run(ctx, hangup); err != nil {
		w.log.Error("changes of the configuration are not noticed; restart to take them up", "error", err)
	}
}

// reload puts a new content of the file into use.
func (w *webhook) reload(_ context.Context, content []byte, forced bool) error {
	f, err := w.in.file(content)
	if err != nil {
		return err
	}
	return w.use(f, forced)
}

// use puts a configuration into use: calls under way end on the one before, whose backends are closed
// after them. When it fails, nothing has changed. fresh opens every backend anew.
func (w *webhook) use(f *config.File, fresh bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rules, err := policy.New(f.Policy())
	if err != nil {
		return err
	}
	inUse := w.backends
	if fresh {
		inUse = nil
	}
	backends, err := openBackends(f.Views, inUse, w.log)
	if err != nil {
		return err
	}
	p, err := w.provider(f, rules, backends)
	if err != nil {
		closeBackends(backends, w.backends, w.log)
		return err
	}
	if keys := f.Reads(); w.watcher != nil && (w.file == nil || !slices.Equal(keys, w.file.Reads())) {
		w.watcher.SetKeep(watch.Keep{Label: rules.ReadsLabel, Annotation: rules.ReadsAnnotation})
	}
	w.level.Set(f.Log.SlogLevel())
	w.retire(w.current.Replace(p), w.backends, backends)
	warnAboutRestart(w.log, w.file, f)
	w.file, w.backends = f, backends
	return nil
}

func (w *webhook) provider(f *config.File, rules *policy.Policy, backends []openBackend) (*view.Provider, error) {
	c := view.Config{
		Policy: rules, DryRun: f.DryRun, Log: w.log, Metrics: w.metrics,
		MaxDeleteShare: f.Rails.MaxDeleteShare, MinDeletes: f.Rails.MaxDeleteMin,
	}
	for i, v := range f.Views {
		c.Views = append(c.Views, view.View{
			Name: v.Name, Zones: v.CanonicalZones(), TTL: v.TTL, Backend: backends[i].Backend, BackendName: v.Backend.Kind,
		})
	}
	if w.watcher != nil {
		c.Claims = claims{w.watcher}
	}
	return view.New(c)
}

// claims is what the watcher knows, as the views ask for it.
type claims struct{ *watch.Watcher }

// Facts is the present state.
func (c claims) Facts() claim.Facts { return c.Snapshot() }

// retire closes backends that are no longer used, once their last call and those of all configurations
// before have ended.
func (w *webhook) retire(idle <-chan struct{}, old, kept []openBackend) {
	before, closed := w.closed, make(chan struct{})
	w.closed = closed
	go func() {
		defer close(closed)
		if before != nil {
			<-before
		}
		<-idle
		closeBackends(old, kept, w.log)
	}()
}

// close closes everything after the last call.
func (w *webhook) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	<-w.closed
	closeBackends(w.backends, nil, w.log)
}

// ready says why the program cannot do its work yet.
func (w *webhook) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.New("ending")
	}
	if w.watcher != nil {
		return w.watcher.Synced()
	}
	return nil
}

// warnAboutRestart tells which changed settings are not in effect before a restart.
func warnAboutRestart(log *slog.Logger, old, now *config.File) {
	if old == nil {
		return
	}
	for _, s := range []struct {
		name    string
		changed bool
	}{
		{"views (zones): external-dns learns them when it starts, so restart external-dns", !slices.Equal(zones(old), zones(now))},
		{"server", old.Server != now.Server},
		{"kubernetes", old.Kubernetes != now.Kubernetes},
		{"log.format", old.Log.Format != now.Log.Format},
	} {
		if s.changed {
			log.Warn("a changed setting needs a restart to take effect", "setting", s.name)
		}
	}
}

// zones lists the zones of all views.
func zones(f *config.File) []string {
	var out []string
	for _, v := range f.Views {
		out = append(out, v.CanonicalZones()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func write(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}
