// Package watch owns the live copy of what the webhook needs to know about Kubernetes objects: it lists
// and watches them and derives their claims.
//
// Every kind is followed on its own. What cannot be read, for want of a CRD or of a right, is reported
// and tried again, and never stops the rest.
package watch

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/listwatch"
	"github.com/spokedns/spokedns/webhook/claim"
)

// Config says what to watch and how. Client and Logger are required.
type Config struct {
	Client *rest.Config
	Logger *slog.Logger
	Keep   Keep
	// Kinds are those of claims that are followed, and with them what their claims depend on; nil: all.
	Kinds []string
	// AnnotationPrefixes are the prefixes of external-dns's annotations, each ending in "/"; by default
	// both that external-dns has used.
	AnnotationPrefixes []string
	// Poll is how often the server is asked whether a CRD has appeared or gone; default 5 s.
	Poll time.Duration
}

// Watcher follows an API server. It is safe for concurrent use.
type Watcher struct {
	api      *listwatch.Client
	log      *slog.Logger
	prefixes []string
	poll     time.Duration
	all      []*resource // that are followed
	store    *store
	missing  *memory

	mu         sync.Mutex
	reader     *reader
	feeds      map[string]*running
	run        context.Context // of Run; nil before
	discovered time.Time
}

// running is a feed at work.
type running struct {
	*feed
	stop context.CancelFunc
	done chan struct{}
}

// New returns a watcher that knows nothing until Run is called.
func New(cfg Config) (*Watcher, error) {
	api, err := listwatch.New(cfg.Client)
	if err != nil {
		return nil, err
	}
	known := resources()
	w := &Watcher{
		api: api, log: cfg.Logger, prefixes: cfg.AnnotationPrefixes, poll: cfg.Poll,
		all: followed(known, cfg.Kinds), missing: newMemory(), feeds: map[string]*running{},
	}
	if len(w.prefixes) == 0 {
		w.prefixes = []string{"external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/"}
	}
	if w.poll == 0 {
		w.poll = 5 * time.Second
	}
	w.reader = &reader{cfg.Keep, w.prefixes}
	w.store = newStore(known)
	for _, r := range known {
		if slices.Contains(w.all, r) {
			w.store.report(r, Listing, "not read yet")
		} else {
			w.store.report(r, Unlisted, "kubernetes.kinds leaves it out")
		}
	}
	return w, nil
}

// Run follows the API server until the context ends, then returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	w.run = ctx
	w.mu.Unlock()
	tick := time.NewTicker(w.poll)
	defer tick.Stop()
	for {
		w.discover(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, f := range w.feeds {
				<-f.done
			}
			return nil
		}
	}
}

// Snapshot returns the claims of this moment. It costs next to nothing and never changes.
func (w *Watcher) Snapshot() claim.Facts { return w.store.index.Snapshot() }

// Synced is nil once every resource that may be read has been; the error names the others and why.
func (w *Watcher) Synced() error { return w.store.synced() }

// Status lists the state of every resource, sorted by name.
func (w *Watcher) Status() []Status { return w.store.statuses() }

// SetKeep changes which labels and annotations are kept, and reads everything again; until then Synced
// is an error, while the claims known so far stay.
func (w *Watcher) SetKeep(keep Keep) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reader = &reader{keep, w.prefixes}
	for id, f := range w.feeds {
		f.stop()
		<-f.done
		w.start(f.resource, f.version)
		w.log.Info("reading again for changed rules", "resource", id)
	}
}

// discover starts the feeds of what the server serves and ends those of what it no longer does.
func (w *Watcher) discover(ctx context.Context) {
	served := w.served(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil || w.run == nil {
		return
	}
	w.discovered = time.Now()
	for _, r := range w.all {
		answer := served[r.group]
		version, err := answer.version(r)
		f := w.feeds[r.id()]
		switch {
		case version != "" && f == nil:
			w.start(r, version)
		case version != "":
		case err != nil && f == nil:
			w.store.report(r, Unreachable, err.Error())
		case err != nil: // the feed finds out by itself
		case f != nil:
			f.stop()
			<-f.done
			delete(w.feeds, r.id())
			w.store.replace(r, nil)
			f.report(Absent, "")
		default:
			w.store.report(r, Absent, "")
		}
	}
}

func (w *Watcher) start(r *resource, version string) {
	ctx, stop := context.WithCancel(w.run)
	f := &running{
		&feed{resource: r, version: version, api: w.api, reader: w.reader, store: w.store, log: w.log},
		stop, make(chan struct{}),
	}
	w.feeds[r.id()] = f
	w.store.report(r, Listing, "not read yet")
	go func() {
		defer close(f.done)
		f.run(ctx)
	}()
}

// group is what the server says it serves of one API group.
type group struct {
	resources map[string][]string // plurals by version
	err       error
}

// version is the first of the resource's versions that is served, or "" and the reason, if there is one.
func (g group) version(r *resource) (string, error) {
	if listwatch.Refused(g.err, http.StatusForbidden, http.StatusUnauthorized) {
		return r.versions[0], nil // the list tells what is missing
	}
	for _, v := range r.versions {
		if slices.Contains(g.resources[v], r.plural) {
			return v, nil
		}
	}
	return "", g.err
}

// served asks for every API group that has a watched resource.
func (w *Watcher) served(ctx context.Context) map[string]group {
	versions := map[string][]*resource{}
	for _, r := range w.all {
		versions[r.group] = append(versions[r.group], r)
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	served := map[string]group{}
	for name, of := range versions {
		wait.Go(func() {
			g := w.servedGroup(ctx, of)
			mu.Lock()
			defer mu.Unlock()
			served[name] = g
		})
	}
	wait.Wait()
	return served
}

func (w *Watcher) servedGroup(ctx context.Context, of []*resource) group {
	g := group{resources: map[string][]string{}}
	for _, r := range of {
		for _, v := range r.versions {
			if _, asked := g.resources[v]; asked {
				continue
			}
			var list struct {
				Resources []struct {
					Name string `json:"name"`
				} `json:"resources"`
			}
			g.resources[v] = nil
			if err := w.api.Get(ctx, r.groupPath(v), &list); listwatch.Refused(err, http.StatusNotFound) {
				continue
			} else if err != nil {
				g.err = err
				return g
			}
			for _, found := range list.Resources {
				g.resources[v] = append(g.resources[v], found.Name)
			}
		}
	}
	return g
}
