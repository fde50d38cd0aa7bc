// Package policy owns what is published: for every host name, in every view, whether its records are
// kept, rewritten or dropped, and why.
//
// It is pure. Adjust takes the endpoints external-dns found and the facts about the objects behind
// them, and returns the endpoints to publish and one Decision per view and host. It reads no clock,
// does no I/O and starts nothing, so every dangerous decision can be tested at a desk.
//
// A missing fact never shortens the answer: what cannot be decided is held, which means that what is
// published now stays published, and everything else flows.
package policy

import (
	"fmt"
	"slices"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
)

// Policy is a compiled Config. It is immutable and safe for concurrent use.
type Policy struct {
	views     []view
	names     []string // of the views, in order
	targets   map[string]*answer
	overrides switches
}

// New validates and compiles the configuration. Its errors are setting.Error values, joined, with paths
// such as "views[0].rules[1].match.targetCIDRs[0]".
func New(c Config) (*Policy, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return compile(c), nil
}

// Views lists the names of the views in the order of the configuration.
func (p *Policy) Views() []string { return p.names }

// ReadsLabel reports whether a rule looks at the objects' label of that key, so that whoever keeps the
// objects need not keep the others.
func (p *Policy) ReadsLabel(key string) bool {
	return p.reads(key, func(r *rule) []pair { return r.labels })
}

// ReadsAnnotation reports whether a rule looks at the objects' annotation of that key. The annotations of
// external-dns and of the hub-and-spoke operator are read besides.
func (p *Policy) ReadsAnnotation(key string) bool {
	return p.reads(key, func(r *rule) []pair { return r.annotations })
}

func (p *Policy) reads(key string, of func(*rule) []pair) bool {
	for i := range p.views {
		for j := range p.views[i].rules {
			if slices.ContainsFunc(of(&p.views[i].rules[j]), func(p pair) bool { return p.key == key }) {
				return true
			}
		}
	}
	return false
}

// view returns the view of that name, which exists.
func (p *Policy) view(name string) *view { return &p.views[slices.Index(p.names, name)] }

// Facts is what a decision rests on besides the endpoints, all of one moment.
type Facts struct {
	// Claims knows the objects that ask for host names. nil: nobody watches objects, and each endpoint
	// is judged by its resource label and its targets alone.
	Claims claim.Facts
	// Site returns what is known of the site's public addresses for a target of kind wanIP, by the
	// target's name. nil: nothing is known of any.
	Site func(target string) Site
	// Published returns the endpoints the view's backend holds now for the canonical name, as GET
	// /records answers them. It is asked only for what must be held. nil: what is published is not
	// known, and holding is impossible (UnpublishedError).
	Published func(view, name string) []*endpoint.Endpoint
	// Covers reports whether the canonical name lies in a zone of the view, where a view has zones beside those
	// of its configuration. nil: those are all.
	Covers func(view, name string) bool
}

// Result is the answer to one Adjust.
type Result struct {
	// Endpoints is what to publish, sorted by name, type and set identifier. They are new, but their
	// slices and maps may be those of the input, which nobody modifies.
	Endpoints []*endpoint.Endpoint
	// Decisions holds one Decision per view and host, sorted by host and then in the order of views,
	// after those about names that DNS cannot hold, which belong to no view. Hosts outside the zones of
	// every view have none.
	Decisions []Decision
}

// UnpublishedError says that a host has to be held while it is not known what is published for it. The
// caller answers "try again" and nothing changes.
type UnpublishedError struct {
	View, Host string
	Reason     string // why the host has to be held
}

// Error names the view and the host and says why it has to be held.
func (e *UnpublishedError) Error() string {
	return fmt.Sprintf("policy: view %s: %s has to be held, but what it publishes now is not known: %s", e.View, e.Host, e.Reason)
}

// Adjust decides. The input is not modified, its order does not matter, and neither does which of
// several claims an endpoint's labels and properties come from. The one error is *UnpublishedError.
func (p *Policy) Adjust(in []*endpoint.Endpoint, f Facts) (Result, error) {
	r := newRun(p, f, len(in))
	entries := r.sort(in)
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].name == entries[0].name {
			n++
		}
		if err := r.host(entries[0].name, entries[:n]); err != nil {
			return Result{}, err
		}
		entries = entries[n:]
	}
	return r.out, nil
}
