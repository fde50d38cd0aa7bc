package claim

import (
	"slices"
	"strings"
	"sync"
)

// Index is a set of claims found by host and by object. It is safe for concurrent use; reading happens
// on snapshots, which cost next to nothing and never change.
type Index struct {
	mu        sync.Mutex
	byRef     *table[Ref, *Claim]
	byHost    *table[string, []*Claim] // exact names
	wildcards *table[string, []*Claim] // "*.example.org" at "example.org"
	wild      int                      // how many hosts of claims are wildcards
	watched   map[string]watching      // replaced, never changed
	last      *snapshot                // nil after a write
}

// watching is what Facts.Watched answers for a kind.
type watching struct {
	complete bool
	reason   string
}

// NewIndex returns an empty index of which no kind is watched.
func NewIndex() *Index {
	return &Index{
		byRef:     newTable[Ref, *Claim](),
		byHost:    newTable[string, []*Claim](),
		wildcards: newTable[string, []*Claim](),
	}
}

// Put adds the claim, in place of the one that object had. The claim is not to be changed any more.
func (x *Index) Put(c *Claim) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last = nil
	if old := x.byRef.get(c.Ref); old != nil {
		x.unlink(old)
	}
	x.byRef.set(c.Ref, c)
	for _, host := range c.Hosts {
		names, key := x.byHost, host
		if parent, ok := strings.CutPrefix(host, "*."); ok {
			names, key = x.wildcards, parent
			x.wild++
		}
		names.set(key, with(names.get(key), c))
	}
}

// Delete removes the claim of that object, if it has one.
func (x *Index) Delete(r Ref) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.byRef.get(r)
	if old == nil {
		return
	}
	x.last = nil
	x.unlink(old)
	x.byRef.remove(r)
}

// Get returns the claim of that object, or nil.
func (x *Index) Get(r Ref) *Claim {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byRef.get(r)
}

// Kind returns the objects of that kind that have a claim, in no order.
func (x *Index) Kind(kind string) []Ref {
	x.mu.Lock()
	defer x.mu.Unlock()
	var refs []Ref
	for i := range x.byRef.shards {
		for r := range x.byRef.shards[i].entries {
			if r.Kind == kind {
				refs = append(refs, r)
			}
		}
	}
	return refs
}

// Watch records whether the claims of a kind are complete, and if not why; see Facts.Watched.
func (x *Index) Watch(kind string, complete bool, reason string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last = nil
	watched := make(map[string]watching, len(x.watched)+1)
	for k, w := range x.watched {
		watched[k] = w
	}
	watched[kind] = watching{complete, reason}
	x.watched = watched
}

// Snapshot returns the claims of this moment.
func (x *Index) Snapshot() Facts {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last == nil {
		x.last = &snapshot{x.byRef.copy(), x.byHost.copy(), x.wildcards.copy(), x.wild > 0, x.watched}
	}
	return x.last
}

// unlink takes a claim's hosts out.
func (x *Index) unlink(c *Claim) {
	for _, host := range c.Hosts {
		names, key := x.byHost, host
		if parent, ok := strings.CutPrefix(host, "*."); ok {
			names, key = x.wildcards, parent
			x.wild--
		}
		if rest := without(names.get(key), c.Ref); len(rest) > 0 {
			names.set(key, rest)
		} else {
			names.remove(key)
		}
	}
}

// with returns a new slice, sorted by Ref, with c in it; a snapshot may be reading the old one.
func with(claims []*Claim, c *Claim) []*Claim {
	at, found := slices.BinarySearchFunc(claims, c.Ref, byRef)
	if found {
		claims = slices.Clone(claims)
		claims[at] = c
		return claims
	}
	grown := make([]*Claim, 0, len(claims)+1)
	return append(append(append(grown, claims[:at]...), c), claims[at:]...)
}

func without(claims []*Claim, r Ref) []*Claim {
	at, found := slices.BinarySearchFunc(claims, r, byRef)
	if !found {
		return claims
	}
	return append(slices.Clone(claims[:at]), claims[at+1:]...)
}

func byRef(c *Claim, r Ref) int { return c.Compare(r) }

// snapshot implements Facts.
type snapshot struct {
	refs      *table[Ref, *Claim]
	hosts     *table[string, []*Claim]
	wildcards *table[string, []*Claim]
	anyWild   bool
	watched   map[string]watching
}

func (s *snapshot) ByRef(r Ref) *Claim { return s.refs.get(r) }

func (s *snapshot) Watched(kind string) (bool, string) {
	w := s.watched[kind]
	return w.complete, w.reason
}

// ByHost finds wildcards at every depth: DNS answers a.b.example.org from *.example.org (RFC 4592 §2.2).
func (s *snapshot) ByHost(host string) []*Claim {
	name, isWildcard := strings.CutPrefix(host, "*.")
	claims := s.hosts.get(host)
	if !s.anyWild {
		return claims
	}
	if isWildcard {
		claims = s.wildcards.get(name)
	}
	merged := false
	for {
		dot := strings.IndexByte(name, '.')
		if dot < 0 {
			return claims
		}
		name = name[dot+1:]
		for _, c := range s.wildcards.get(name) {
			if !merged {
				claims, merged = slices.Clone(claims), true
			}
			if at, found := slices.BinarySearchFunc(claims, c.Ref, byRef); !found {
				claims = slices.Insert(claims, at, c)
			}
		}
	}
}
