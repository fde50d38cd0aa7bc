// Package view owns the portable half between external-dns's endpoints and the backends: which view and
// zone a record belongs to, how an endpoint becomes an RRset and back, what a view can hold, and the
// rails that keep a mistake from emptying a zone.
package view

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// View is one audience of the DNS and where its records live.
type View struct {
	Name        string
	Zones       []string // canonical names
	Backend     backend.Backend
	BackendName string        // the kind of backend, "rfc2136": for metrics and messages
	TTL         time.Duration // for records that ask for none; 0: the backend's default
}

// Claims is the index of what claims host names; claim/watch fills one.
type Claims interface {
	// Snapshot returns the present state; it stays as it is while the index moves on.
	Snapshot() claim.Facts
	// Resolve looks up objects that the index does not hold yet, because external-dns saw them first.
	Resolve(ctx context.Context, refs []claim.Ref) error
	// Synced says why the index is not complete yet, or nil.
	Synced() error
}

// Config is what New needs.
type Config struct {
	Views []View // at least one; names are unique
	// Found returns the zones that views have beside their own, by the view's name, or why they are not known. nil:
	// there are none. It is asked in every call but Filter's.
	Found  func() (map[string][]zonesource.Zone, error)
	Policy *policy.Policy
	Claims Claims // nil when no rule needs to know claims
	// Site returns what is known of the site's addresses for a target of kind wanIP; nil: nothing.
	Site func(target string) policy.Site
	// Moves returns where the site's addresses have gone to, for FailOver. It is asked for targets that Site
	// was asked for.
	Moves func(target string) Moves
	// Registry tells FailOver what is external-dns's own.
	Registry ownership.Registry
	// DryRun logs what Apply would do and does nothing. external-dns does not pass its own flag on.
	DryRun bool
	// MaxDeleteShare refuses the deletions of an Apply that would remove more than this share of what the
	// same owner has in a zone. 0: one half. 1 or more: no limit.
	MaxDeleteShare float64
	// MinDeletes is how many deletions MaxDeleteShare lets pass in any case. 0: 20.
	MinDeletes int
	Log        *slog.Logger
	Metrics    *Metrics // shared by the Providers that follow each other; see NewMetrics
}

// Provider publishes what external-dns wants through the views. It implements extdns.Provider.
type Provider struct {
	config Config
	filter []string         // all zones, sorted; empty when zones come and go
	names  []string         // of the views, in order
	views  map[string]*View // by name
	all    []*View          // in order
	log    *slog.Logger

	zoning  atomic.Pointer[zoning]   // as of the last Records
	listing chan struct{}            // holds one element while a list is under way, and guards the next
	taken   bool                     // zones have been found and taken up
	last    atomic.Pointer[snapshot] // what was listed last
	sited   atomic.Pointer[sited]    // as the last Adjust decided
	applies atomic.Uint64            // how many Apply have begun and ended: what was listed before is old

	journal journal
	repeats repeats
}

const (
	defaultDeleteShare = 0.5
	defaultMinDeletes  = 20
)

// New returns a Provider. It does no network I/O.
func New(c Config) (*Provider, error) {
	if len(c.Views) == 0 {
		return nil, errors.New("view: at least one view is needed")
	}
	if c.Log == nil || c.Metrics == nil || c.Policy == nil {
		return nil, errors.New("view: Log, Metrics and Policy are needed")
	}
	if c.MaxDeleteShare == 0 {
		c.MaxDeleteShare = defaultDeleteShare
	}
	if c.MinDeletes == 0 {
		c.MinDeletes = defaultMinDeletes
	}
	p := &Provider{config: c, views: make(map[string]*View), log: c.Log, listing: make(chan struct{}, 1)}
	p.journal.seed, p.repeats.seed = maphash.MakeSeed(), maphash.MakeSeed()
	for i := range c.Views {
		v := &c.Views[i]
		if v.Backend == nil || len(v.Zones) == 0 && c.Found == nil {
			return nil, fmt.Errorf("view %q: a backend and at least one zone are needed", v.Name)
		}
		if p.views[v.Name] != nil {
			return nil, fmt.Errorf("view %q exists twice", v.Name)
		}
		p.views[v.Name] = v
		p.names = append(p.names, v.Name)
		p.all = append(p.all, v)
		p.filter = append(p.filter, v.Zones...)
	}
	slices.Sort(p.filter)
	p.filter = slices.Compact(p.filter)
	if c.Found != nil {
		p.filter = nil
	}
	p.zoning.Store(static(p.all))
	return p, nil
}

// Filter names the zones of all views, or none, which lets every name pass, when zones come and go: external-dns asks
// once in its life, and Adjust and Records leave out what is in no zone. It never fails.
func (p *Provider) Filter() (*endpoint.DomainFilter, error) {
	return endpoint.NewDomainFilter(p.filter), nil
}

// Ready says why the zones of the views are not known, or nil.
func (p *Provider) Ready() error {
	if p.config.Found == nil {
		return nil
	}
	_, err := p.config.Found()
	return err
}

// clamp returns the TTL that the view stores when asked for ttl.
func (v *View) clamp(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		ttl = v.TTL
	}
	return v.Backend.Limits().Clamp(ttl)
}

// String is the view's name and zones, for messages.
func (v *View) String() string {
	return fmt.Sprintf("%s (%s)", v.Name, strings.Join(v.Zones, ", "))
}
