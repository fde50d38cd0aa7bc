package wanip

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/listwatch"
)

const (
	lookEvery     = 5 * time.Second  // whether something has become stale
	fallbackEvery = 5 * time.Minute  // at most
	fallbackTime  = time.Minute      // for one
	fallbackGrace = 30 * time.Second // for the first answer of the API server
)

// Detect finds out an address of the site, by the same quorum as the ipcontroller, or says why it cannot.
type Detect func(ctx context.Context, f Family) (netip.Addr, error)

// ReaderConfig says what to read and how. Client, Namespace and Logger are required.
type ReaderConfig struct {
	Client    *rest.Config
	Namespace string
	Name      string // default DefaultName
	Logger    *slog.Logger
	// Changed, if set, is called after what may be believed of a family has become something else, because
	// the ConfigMap changed or because it did not for too long. Calls never overlap; it must not block.
	Changed func()
	// Fallback, if set, is asked while an address is stale or missing: one call at a time, at most one for
	// each family in five minutes. What it finds is believed for as long as what stands in the ConfigMap.
	Fallback Detect
	// FallbackFamilies are those it may be asked for; default IPv4 alone, because an address of a family
	// that the ipcontroller would not manage must not be published.
	FallbackFamilies []Family
}

// Reader follows the ConfigMap and says what may be believed. It needs the rights get, list and watch on the
// one ConfigMap, by resourceNames, and never writes. It is safe for concurrent use.
type Reader struct {
	api      *listwatch.Client
	path     string     // of the collection the ConfigMap is in
	named    url.Values // narrows it to the one, as a Role restricted by resourceNames allows
	name     string
	what     string // is followed: "dns/spokedns-wan-ip"
	log      *slog.Logger
	changed  func()
	fallback Detect
	families []Family // for the fallback

	mu     sync.Mutex
	memory memory

	announcing sync.Mutex
	announced  [2]Reading
}

// Snapshot is what is known at a moment.
type Snapshot struct {
	IPv4, IPv6 Reading
	// State is the ConfigMap as it was last read: to be shown, and for State.Former. Believe the readings.
	State State
	// Problem says what is wrong with the ConfigMap itself: missing, unreadable, edited by hand, not heard
	// of. Empty when nothing is.
	Problem string
}

// Of returns the reading of a family.
func (s Snapshot) Of(f Family) Reading {
	if f == IPv4 {
		return s.IPv4
	}
	return s.IPv6
}

// NewReader returns a Reader that knows nothing until Run is called.
func NewReader(c ReaderConfig) (*Reader, error) {
	name := cmp.Or(c.Name, DefaultName)
	api, err := listwatch.New(c.Client)
	if err != nil {
		return nil, fmt.Errorf("wanip: read %s/%s: %w", c.Namespace, name, err)
	}
	r := &Reader{
		api: api, path: "/api/v1/namespaces/" + url.PathEscape(c.Namespace) + "/configmaps",
		named: url.Values{"fieldSelector": {"metadata.name=" + name}}, name: name,
		what: c.Namespace + "/" + name, log: c.Logger, changed: c.Changed, fallback: c.Fallback, families: c.FallbackFamilies,
	}
	if len(r.families) == 0 {
		r.families = []Family{IPv4}
	}
	r.memory.problem = "ConfigMap " + r.what + " has not been read yet"
	return r, nil
}

// Snapshot returns what may be believed at a moment: time.Now(), whose monotonic clock it uses too.
func (r *Reader) Snapshot(now time.Time) Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &r.memory
	return Snapshot{
		IPv4: m.reading(IPv4, now), IPv6: m.reading(IPv6, now),
		State: m.state, Problem: and(m.problem, m.trouble),
	}
}

// Run follows the ConfigMap until the context ends, then returns nil.
func (r *Reader) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { r.follow(ctx) })
	if r.fallback != nil {
		all.Go(func() { r.fallBack(ctx) })
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			r.announce()
		case <-ctx.Done():
			return nil
		}
	}
}

// follow lists, then watches from there, for as long as the context lasts.
func (r *Reader) follow(ctx context.Context) {
	listwatch.Follow(ctx, listwatch.Following{
		List: r.list, Watch: r.watch,
		Failed: func(err error, _ bool) { r.unheard(err) }, // what was read has a time of its own to become stale
	})
}

func (r *Reader) list(ctx context.Context) (string, error) {
	var found *corev1.ConfigMap
	version, err := r.api.List(ctx, r.path, r.named, func(read listwatch.Decode) error {
		cm := &corev1.ConfigMap{}
		err := read(cm)
		if err == nil && cm.Name == r.name {
			found = cm
		}
		return err
	})
	if err != nil {
		return "", err
	}
	r.stands(found)
	return version, nil
}

func (r *Reader) watch(ctx context.Context, version string, opened func()) (string, error) {
	heard := func() {
		opened()
		r.heard()
	}
	return r.api.Watch(ctx, r.path, r.named, version, heard, func(kind string, read listwatch.Decode) {
		cm := &corev1.ConfigMap{}
		switch err := read(cm); {
		case err != nil:
			r.unheard(fmt.Errorf("read a change: %w", err))
		case cm.Name != r.name:
		case kind == "DELETED":
			r.stands(nil)
		default:
			r.stands(cm)
		}
	})
}

// stands notes the ConfigMap as it is now; nil: there is none.
func (r *Reader) stands(cm *corev1.ConfigMap) {
	r.note(func(m *memory, now time.Time) {
		m.trouble = ""
		if cm == nil {
			m.lost("there is no ConfigMap "+r.what, now)
			return
		}
		s, err := Decode(cm)
		if err != nil {
			err = fmt.Errorf("ConfigMap %s: %w", r.what, err)
		}
		m.stands(s, err, now)
	})
}

// heard: from now on every change is heard of.
func (r *Reader) heard() { r.note(func(m *memory, _ time.Time) { m.trouble = "" }) }

// unheard notes why the ConfigMap cannot be followed. What was read stays until it is stale.
func (r *Reader) unheard(err error) {
	r.note(func(m *memory, _ time.Time) {
		m.trouble = fmt.Sprintf("ConfigMap %s cannot be followed: %v", r.what, err)
		if listwatch.Refused(err, http.StatusForbidden) {
			m.trouble += " (needed: get, list and watch of it by its name)"
		}
	})
}

// note changes what is known, logs when what is wrong has changed, and announces.
func (r *Reader) note(change func(*memory, time.Time)) {
	r.mu.Lock()
	m := &r.memory
	before := and(m.problem, m.trouble)
	change(m, time.Now())
	after := and(m.problem, m.trouble)
	r.mu.Unlock()
	switch {
	case before == after:
	case after == "":
		r.log.Info("reading the WAN address", "configmap", r.what)
	default:
		r.log.Warn("reading the WAN address", "configmap", r.what, "problem", after)
	}
	r.announce()
}

// announce calls Changed if a reading is another one than at the last call.
func (r *Reader) announce() {
	r.announcing.Lock()
	defer r.announcing.Unlock()
	s := r.Snapshot(time.Now())
	now := [2]Reading{s.IPv4, s.IPv6}
	different := false
	for i, was := range r.announced {
		different = different || was.Kind != now[i].Kind || was.Addr != now[i].Addr
	}
	r.announced = now
	if !different {
		return
	}
	r.log.Info("the WAN address", "ipv4", s.IPv4.String(), "ipv6", s.IPv6.String())
	if r.changed != nil {
		r.changed()
	}
}

// fallBack detects addresses while the ConfigMap has none to be believed, one after the other.
func (r *Reader) fallBack(ctx context.Context) {
	started := time.Now()
	for ctx.Err() == nil {
		asked := false
		for _, f := range r.families {
			if r.needed(f, started) {
				asked = true
				r.detect(ctx, f)
			}
		}
		if asked {
			listwatch.Wait(ctx, fallbackEvery)
		} else {
			listwatch.Wait(ctx, lookEvery)
		}
	}
}

// needed reports whether there is nothing but a fallback to believe.
func (r *Reader) needed(f Family, started time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.memory.read && now.Sub(started) < fallbackGrace {
		return false
	}
	reading := r.memory.reading(f, now)
	return reading.Kind == Unknown || reading.Origin == FromFallback
}

func (r *Reader) detect(ctx context.Context, f Family) {
	limited, cancel := context.WithTimeout(ctx, fallbackTime)
	defer cancel()
	a, err := r.fallback(limited, f)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = Public(a)
	}
	if err == nil && FamilyOf(a) != f {
		err = fmt.Errorf("%s is no %s address", a, f.people())
	}
	if err != nil {
		r.log.Warn("detecting the WAN address here, because the ConfigMap has none to be believed", "family", f, "error", err)
	}
	r.note(func(m *memory, now time.Time) { m.detected(f, a, err, now) })
}
