// Package chaintest owns an external-dns webhook provider that does, on demand, what no decent one does:
// it answers with garbage, hangs, refuses single records, stops halfway, or lists each value by itself.
package chaintest

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// MediaType is what the protocol's negotiation is about.
const MediaType = "application/external.dns.webhook+json;version=1"

// Endpoint is a record on the wire.
type Endpoint struct {
	DNSName          string            `json:"dnsName,omitempty"`
	Targets          []string          `json:"targets,omitempty"`
	RecordType       string            `json:"recordType,omitempty"`
	SetIdentifier    string            `json:"setIdentifier,omitempty"`
	RecordTTL        int64             `json:"recordTTL,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	ProviderSpecific []Property        `json:"providerSpecific,omitempty"`
}

// Property is an attribute of an Endpoint.
type Property struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// Changes is what an apply asks for.
type Changes struct {
	Create    []Endpoint `json:"create,omitempty"`
	UpdateOld []Endpoint `json:"updateOld,omitempty"`
	UpdateNew []Endpoint `json:"updateNew,omitempty"`
	Delete    []Endpoint `json:"delete,omitempty"`
}

// Peer is the provider, an http.Handler. Its fields may change between requests, under Do.
type Peer struct {
	Filter  string                                            // the answer to the negotiation; empty: {}
	Replace func(w http.ResponseWriter, r *http.Request) bool // answers instead of the peer when it returns true
	Refuse  func(e Endpoint) (status int)                     // of a record that is created, changed or deleted; 0: fine
	Adjust  func(e Endpoint) []Endpoint                       // what it makes of a wanted record; nil: itself

	AllOrNothing  bool // a refused record refuses the request before anything is made; else it stops there
	EachValue     bool // lists an endpoint for each value
	CreatesFirst  bool // makes creates before deletes, and loses a CNAME beside others without a word, as BIND does
	DeletesFirst  bool // deletes what is replaced before it creates anything, and may stop in between
	ForgetsReply  bool // answers 500 to the next apply after making it
	UnstableOrder bool // lists in another order each time

	mu       sync.Mutex
	held     map[key]Endpoint
	requests map[string]int
	applied  []Changes
	turn     int
}

type key struct{ name, typ, setID string }

func keyOf(e Endpoint) key { return key{e.DNSName, e.RecordType, e.SetIdentifier} }

// New returns a peer that holds nothing and serves every zone.
func New() *Peer { return &Peer{held: map[key]Endpoint{}, requests: map[string]int{}} }

// Do runs f while no request is served.
func (p *Peer) Do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Put makes e the record of its name, type and set identifier; without targets there is none.
func (p *Peer) Put(e Endpoint) {
	p.Do(func() {
		if len(e.Targets) == 0 {
			delete(p.held, keyOf(e))
			return
		}
		p.held[keyOf(e)] = e
	})
}

// Held returns every record, sorted.
func (p *Peer) Held() []Endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sorted()
}

// Requests counts what was asked since the last call, by "GET /records" and so on.
func (p *Peer) Requests() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counted := p.requests
	p.requests = map[string]int{}
	return counted
}

// Applied returns the changes that were asked for since the last call, made or not.
func (p *Peer) Applied() []Changes {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.applied
	p.applied = nil
	return seen
}

func (p *Peer) sorted() []Endpoint {
	return slices.SortedFunc(maps.Values(p.held), func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.DNSName, b.DNSName), cmp.Compare(a.RecordType, b.RecordType), cmp.Compare(a.SetIdentifier, b.SetIdentifier))
	})
}

// ServeHTTP implements http.Handler.
func (p *Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.Method + " " + r.URL.Path
	var replace func(http.ResponseWriter, *http.Request) bool
	p.Do(func() { p.requests[asked]++; replace = p.Replace })
	if replace != nil && replace(w, r) {
		return // it may hang, so it does not keep others waiting
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever asked is gone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch asked {
	case "GET /":
		w.Header().Set("Content-Type", MediaType)
		_, _ = io.WriteString(w, cmp.Or(p.Filter, "{}"))
	case "GET /records":
		p.reply(w, p.list())
	case "POST /adjustendpoints":
		p.adjust(w, body)
	case "POST /records":
		var c Changes
		if json.Unmarshal(body, &c) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		p.applied = append(p.applied, c)
		status := p.apply(c)
		if p.ForgetsReply {
			p.ForgetsReply, status = false, http.StatusInternalServerError
		}
		w.WriteHeader(status)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *Peer) reply(w http.ResponseWriter, eps []Endpoint) {
	w.Header().Set("Content-Type", MediaType)
	_ = json.NewEncoder(w).Encode(eps) // fails when whoever asked is gone
}

func (p *Peer) list() []Endpoint {
	all := p.sorted()
	if p.EachValue {
		var each []Endpoint
		for _, e := range all {
			for _, t := range e.Targets {
				e.Targets = []string{t}
				each = append(each, e)
			}
		}
		all = each
	}
	if p.UnstableOrder && len(all) > 0 {
		p.turn++
		at := p.turn % len(all)
		all = slices.Concat(all[at:], all[:at])
	}
	return all
}

func (p *Peer) adjust(w http.ResponseWriter, body []byte) {
	var asked []Endpoint
	if json.Unmarshal(body, &asked) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var out []Endpoint
	for _, e := range asked {
		if status := p.refuses(e); status != 0 {
			w.WriteHeader(status)
			return
		}
		if p.Adjust == nil {
			out = append(out, e)
		} else {
			out = append(out, p.Adjust(e)...)
		}
	}
	p.reply(w, out)
}

func (p *Peer) refuses(e Endpoint) int {
	if p.Refuse == nil {
		return 0
	}
	return p.Refuse(e)
}

// apply makes changes and returns the status that says so.
func (p *Peer) apply(c Changes) int {
	if len(c.UpdateOld) != len(c.UpdateNew) {
		return http.StatusBadRequest
	}
	made := maps.Clone(p.held)
	remove := func(e Endpoint) { delete(made, keyOf(e)) }
	lists := []struct {
		eps []Endpoint
		do  func(Endpoint)
	}{{c.Delete, remove}, {c.UpdateNew, func(e Endpoint) { made[keyOf(e)] = e }}, {c.Create, func(e Endpoint) { p.create(made, e) }}}
	if p.CreatesFirst {
		slices.Reverse(lists)
	}
	if p.DeletesFirst {
		for _, e := range c.UpdateOld {
			remove(e)
		}
	}
	for _, list := range lists {
		for _, e := range list.eps {
			if status := p.refuses(e); status != 0 {
				if !p.AllOrNothing {
					p.held = made
				}
				return status
			}
			list.do(e)
		}
	}
	p.held = made
	return http.StatusNoContent
}

func (p *Peer) create(made map[key]Endpoint, e Endpoint) {
	e.Labels = nil
	for k := range made {
		if p.CreatesFirst && k.name == e.DNSName && (k.typ == "CNAME") != (e.RecordType == "CNAME") {
			return
		}
	}
	made[keyOf(e)] = e
}
