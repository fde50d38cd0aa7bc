package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"

	"github.com/spokedns/spokedns/webhook/claim/watch"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

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
func (w *webhook) reload(ctx context.Context, content []byte, forced bool) error {
	f, err := w.in.file(content)
	if err != nil {
		return err
	}
	return w.use(ctx, f, forced)
}

// use puts a configuration into use: calls under way end on the one before, whose backends are closed
// after them. When it fails, nothing has changed. fresh opens every backend anew.
func (w *webhook) use(ctx context.Context, f *config.File, fresh bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.put(ctx, f, fresh)
}

// put is use for who holds mu.
func (w *webhook) put(ctx context.Context, f *config.File, fresh bool) error {
	targets, err := w.sites.wanted(f)
	if err != nil {
		return err
	}
	inUse := w.backends
	if fresh {
		inUse = nil
	}
	backends, err := w.shared.openAll(f.Views, inUse, w.metrics, w.log)
	if err != nil {
		return err
	}
	f, rules, p, err := w.assemble(ctx, f, backends)
	if err == nil {
		err = w.sites.use(w.life, targets)
	}
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
	w.certificates.of.Store(f)
	return nil
}

// assemble makes of a configuration and its open backends what serves it.
func (w *webhook) assemble(ctx context.Context, f *config.File, backends []openBackend) (*config.File, *policy.Policy, *view.Provider, error) {
	f, err := learned(ctx, f, backends)
	if err != nil {
		return nil, nil, nil, err
	}
	rules, err := policy.New(f.Policy())
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := w.provider(f, rules, backends)
	return f, rules, p, err
}

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

// warnAboutRestart tells which changed settings are not in effect before a restart.
func warnAboutRestart(log *slog.Logger, old, now *config.File) {
	if old == nil {
		return
	}
	if !old.FindsZones() && !slices.Equal(learnt(old), learnt(now)) {
		log.Warn("external-dns learns the zones when it starts; restart external-dns to have it use the new ones", "zones", learnt(now))
	}
	for _, s := range []struct {
		name    string
		changed bool
	}{
		{"server", old.Server != now.Server},
		{"kubernetes", !reflect.DeepEqual(old.Kubernetes, now.Kubernetes)},
		{"log.format", old.Log.Format != now.Log.Format},
	} {
		if s.changed {
			log.Warn("a changed setting needs a restart to take effect", "setting", s.name)
		}
	}
}

// learnt is what external-dns learns of the zones.
func learnt(f *config.File) []string {
	if f.FindsZones() {
		return []string{"any"}
	}
	return zones(f)
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
