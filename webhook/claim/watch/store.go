package watch

import (
	"reflect"
	"slices"
	"sync"

	"github.com/spokedns/spokedns/webhook/claim"
)

// object is what is kept of one API object: what its claim, and those of others, are derived from.
type object interface {
	// claim derives the object's claim with the help of the others in the store; nil when it has none.
	claim(s *store) *claim.Claim
}

// fixed is an object whose claim depends on nothing else; the index alone holds it.
type fixed struct{ of *claim.Claim }

func (f fixed) claim(*store) *claim.Claim { return f.of }

// store keeps the objects of all resources and the index of their claims in step.
type store struct {
	index *claim.Index
	byID  map[string]*resource

	mu       sync.Mutex
	kept     map[string]map[key]object // by resource id; fixed objects are in the index only
	state    map[string]Status         // by resource id
	awaiting map[lookup]int            // live lookups under way, by how many
	nowhere  map[lookup]bool           // Gateways and ListenerSets that Routes name and that do not exist
}

// lookup is one object that is being asked for by name.
type lookup struct {
	id string
	key
}

func newStore(all []*resource) *store {
	s := &store{
		index: claim.NewIndex(), byID: map[string]*resource{}, kept: map[string]map[key]object{},
		state: map[string]Status{}, awaiting: map[lookup]int{},
		nowhere: map[lookup]bool{},
	}
	for _, r := range all {
		s.byID[r.id()] = r
		s.kept[r.id()] = map[key]object{}
	}
	return s
}

// replace makes the resource have exactly the given objects.
func (s *store) replace(r *resource, objects map[key]object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for k := range s.kept[r.id()] {
		if _, still := objects[k]; !still {
			changed = s.remove(r, k) || changed
		}
	}
	if r.kind != "" {
		for _, ref := range s.index.Kind(r.kind) {
			k := key{ref.Namespace, ref.Name}
			if _, still := objects[k]; !still {
				changed = s.remove(r, k) || changed
			}
		}
	}
	for k, o := range objects {
		changed = s.set(r, k, o) || changed
	}
	for l := range s.awaiting {
		if l.id == r.id() {
			delete(s.awaiting, l)
		}
	}
	if changed {
		s.deriveAffected(r)
	}
}

func (s *store) put(r *resource, k key, o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.awaiting, lookup{r.id(), k})
	if s.set(r, k, o) {
		s.deriveAffected(r)
	}
}

func (s *store) delete(r *resource, k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.awaiting, lookup{r.id(), k})
	if s.remove(r, k) {
		s.deriveAffected(r)
	}
}

// await announces a live lookup; fulfil ends it. What the watch says of the object in between is newer
// than the answer and wins.
func (s *store) await(r *resource, k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaiting[lookup{r.id(), k}]++
}

// fulfil puts what a live lookup found; a nil object is none.
func (s *store) fulfil(r *resource, k key, o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := lookup{r.id(), k}
	n, waiting := s.awaiting[l]
	if n > 1 {
		s.awaiting[l]--
	} else {
		delete(s.awaiting, l)
	}
	if waiting && o != nil && s.set(r, k, o) {
		s.deriveAffected(r)
	}
}

// confirmMissing records that an object others refer to does not exist, as a live lookup found.
func (s *store) confirmMissing(r *resource, k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.affects) > 0 && s.kept[r.id()][k] == nil {
		s.nowhere[lookup{r.id(), k}] = true
		s.deriveAffected(r)
	}
}

// set reports whether what others derive from the object has changed.
func (s *store) set(r *resource, k key, o object) bool {
	delete(s.nowhere, lookup{r.id(), k})
	before, kept := s.kept[r.id()][k]
	if _, isFixed := o.(fixed); !isFixed {
		s.kept[r.id()][k] = o
	} else if kept {
		delete(s.kept[r.id()], k)
	}
	var was *claim.Claim
	if r.kind != "" {
		was = s.index.Get(r.ref(k))
	}
	is := s.derive(r, o)
	if len(r.affects) == 0 {
		return false
	}
	if was != nil && is != nil {
		return !slices.Equal(was.Targets, is.Targets) || !reflect.DeepEqual(before, s.kept[r.id()][k])
	}
	return !kept || !reflect.DeepEqual(before, o)
}

func (s *store) remove(r *resource, k key) bool {
	delete(s.kept[r.id()], k)
	if r.kind != "" {
		s.index.Delete(r.ref(k))
	}
	return len(r.affects) > 0
}

// derive brings one object's claim in the index up to date.
func (s *store) derive(r *resource, o object) *claim.Claim {
	c := o.claim(s)
	if c == nil || r.kind == "" {
		return nil
	}
	if old := s.index.Get(c.Ref); old == nil || !equal(old, c) {
		s.index.Put(c)
	}
	return c
}

func (s *store) deriveAffected(r *resource) {
	for _, id := range r.affects {
		for _, o := range s.kept[id] {
			s.derive(s.byID[id], o)
		}
	}
}

func equal(a, b *claim.Claim) bool { return a == b || reflect.DeepEqual(a, b) }
