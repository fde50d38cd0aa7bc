package config

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
)

// settle is how long a file must have been quiet before it is read: editors write in several steps, and
// a ConfigMap arrives as a directory, two links and a rename.
const settle = 100 * time.Millisecond

// patience is how long a directory may go without a quiet moment before the file is read all the same:
// a log may be written next to it.
const patience = time.Second

// retry is how often a refused content is tried again, unless the Reloader says otherwise.
const retry = 10 * time.Second

// Reloader follows a configuration file: it hands every new content to Apply and reports how that went.
// A content that Apply refuses changes nothing.
type Reloader struct {
	Path string
	// Applied is the content in use when Run begins.
	Applied []byte
	// Apply puts a content into use, or says why it cannot. forced is true when a signal asked for it:
	// then files that the configuration names may have changed although it did not.
	Apply func(ctx context.Context, content []byte, forced bool) error
	// Failed, when set, is told about every content that was refused.
	Failed func(ctx context.Context, err error)
	// Retry is how often what was refused is tried again. 0: 10 s.
	Retry time.Duration
	Log   *slog.Logger

	seen    []byte // the content last read, in use or refused
	refused error  // why seen is not in use; nil when it is
	forced  bool   // whether a signal asked for what was refused
	metrics reloadMetrics
}

type reloadMetrics struct {
	total   *prometheus.CounterVec
	success prometheus.Gauge
	at      prometheus.Gauge
}

// Register creates the reloader's metrics. It is called once, before Run.
func (r *Reloader) Register(reg prometheus.Registerer) {
	r.metrics = reloadMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spokedns_config_reload_total",
			Help: "Contents of the configuration file that were put into use (success) or refused (failure).",
		}, []string{"result"}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spokedns_config_last_reload_success",
			Help: "1 when the configuration file as it stands is in use, 0 when it was refused and an older one is.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spokedns_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in use was put into use, in seconds since 1970.",
		}),
	}
	r.metrics.total.WithLabelValues("success")
	r.metrics.total.WithLabelValues("failure")
	r.metrics.success.Set(1)
	r.metrics.at.SetToCurrentTime()
	reg.MustRegister(r.metrics.total, r.metrics.success, r.metrics.at)
}

// Run follows the file until ctx ends. hangup asks to read it again at once, changed or not. The error
// says why the file cannot be followed.
func (r *Reloader) Run(ctx context.Context, hangup <-chan os.Signal) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("follow %s: %w", r.Path, err)
	}
	defer watcher.Close()
	// The directory, not the file: editors and ConfigMaps put a new file in the old one's place.
	if err := watcher.Add(filepath.Dir(r.Path)); err != nil {
		return fmt.Errorf("follow %s: %w", r.Path, err)
	}
	r.seen = r.Applied
	quiet := time.NewTimer(settle) // and read it: it may have changed since the program did
	again := time.NewTicker(cmp.Or(r.Retry, retry))
	defer again.Stop()
	var unread time.Time // when the first event came that was not followed by a reading
	touched := func() {
		if unread.IsZero() {
			unread = time.Now()
		}
		quiet.Reset(min(settle, time.Until(unread.Add(patience))))
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-watcher.Events:
			if !ok {
				return nil
			}
			touched()
		case err := <-watcher.Errors:
			r.Log.Warn("changes of the configuration may go unnoticed", "file", r.Path, "error", err)
			touched()
		case <-quiet.C:
			unread = time.Time{}
			r.reload(ctx, false)
		case <-again.C:
			r.retry(ctx)
		case <-hangup:
			r.Log.Info("asked to reload the configuration", "file", r.Path)
			r.reload(ctx, true)
		}
	}
}

// reload reads the file and puts it into use, unless it is what was read last. forced does so in any case.
func (r *Reloader) reload(ctx context.Context, forced bool) {
	content, err := os.ReadFile(r.Path)
	if err == nil && bytes.Equal(content, r.seen) && !forced {
		return // something else in the directory changed
	}
	r.forced = forced
	r.ended(ctx, content, r.use(ctx, content, err))
}

// retry tries what was refused again: what it names may have come since, a file or a service.
func (r *Reloader) retry(ctx context.Context) {
	if r.refused == nil {
		return
	}
	content, err := os.ReadFile(r.Path)
	err = r.use(ctx, content, err)
	if err == nil || err.Error() != r.refused.Error() { // else it was told already
		r.ended(ctx, content, err)
	}
}

// errSame says that a content is in use already.
var errSame = errors.New("in use already")

// use puts a content into use; err is that of reading it.
func (r *Reloader) use(ctx context.Context, content []byte, err error) error {
	if err != nil {
		return err
	}
	r.seen = content
	if bytes.Equal(content, r.Applied) && !r.forced {
		return errSame
	}
	return r.Apply(ctx, content, r.forced)
}

// ended tells what came of a content.
func (r *Reloader) ended(ctx context.Context, content []byte, err error) {
	if errors.Is(err, errSame) {
		r.refused = nil
		r.metrics.success.Set(1)
		r.Log.Info("the configuration file holds again what is in use", "file", r.Path)
		return
	}
	r.refused = err
	if err != nil {
		r.metrics.total.WithLabelValues("failure").Inc()
		r.metrics.success.Set(0)
		r.Log.Error("new configuration refused, the old one stays in use", "file", r.Path, "error", err)
		if r.Failed != nil {
			r.Failed(ctx, err)
		}
		return
	}
	r.Applied = content
	r.metrics.total.WithLabelValues("success").Inc()
	r.metrics.success.Set(1)
	r.metrics.at.SetToCurrentTime()
	r.Log.Info("new configuration in use", "file", r.Path)
}
