package route53test

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// zone is one hosted zone.
type zone struct {
	id, name string // name canonical, with its dot
	spec     Zone
	sets     []*entry // in the order of the service
	busy     bool     // a change is under way
}

// entry is a record set and its place in the order. It is never changed once it is in a zone.
type entry struct {
	RecordSet
	order string
}

// Zone says what a hosted zone is like.
type Zone struct {
	Name    string
	ID      string // empty: the server makes one up
	Private bool
	Comment string
	VPCs    []VPC
	Tags    map[string]string
}

// VPC is a network that a private zone is associated with.
type VPC struct{ Region, ID string }

// AddZone makes a hosted zone with its SOA and NS records and returns its id. It panics when the name is
// none: that is a mistake in the test.
func (s *Server) AddZone(z Zone) string {
	name, err := canonicalName(z.Name)
	if err != nil {
		panic(fmt.Sprintf("zone %q: %v", z.Name, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	if z.ID == "" {
		z.ID = fmt.Sprintf("Z%013dTEST", s.ids)
	}
	n := &zone{id: z.ID, name: name, spec: z}
	for _, r := range []RecordSet{
		{Name: name, Type: "NS", TTL: ptr[int64](172800), Values: []string{"ns-1.awsdns-01.org.", "ns-2.awsdns-02.net."}},
		{Name: name, Type: "SOA", TTL: ptr[int64](900), Values: []string{"ns-1.awsdns-01.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"}},
	} {
		n.put(r)
	}
	s.zones[z.ID] = n
	return z.ID
}

// RemoveZone takes a hosted zone away.
func (s *Server) RemoveZone(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.zones, id)
}

// Put makes r a record set of the zone, whatever the service would say to it, as another writer would.
func (s *Server) Put(id string, r RecordSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := canonicalName(r.Name)
	if err != nil {
		panic(fmt.Sprintf("record %q: %v", r.Name, err))
	}
	r.Name = name
	s.zones[id].put(r)
}

// Remove takes a record set out of the zone, as another writer would.
func (s *Server) Remove(id, name, typ, setID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := canonicalName(name)
	if err != nil {
		panic(fmt.Sprintf("record %q: %v", name, err))
	}
	s.zones[id].remove(name, typ, setID)
}

// Records returns all record sets of the zone, its SOA and NS included, in the service's order.
func (s *Server) Records(id string) []RecordSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]RecordSet, len(s.zones[id].sets))
	for i, e := range s.zones[id].sets {
		out[i] = e.RecordSet
	}
	return out
}

// at is where a record set of this key is, or would be.
func (z *zone) at(key string) (int, bool) {
	return slices.BinarySearchFunc(z.sets, key, func(e *entry, key string) int { return strings.Compare(e.order, key) })
}

func (z *zone) get(name, typ, setID string) *RecordSet {
	if i, ok := z.at(order(name, typ, setID)); ok {
		return &z.sets[i].RecordSet
	}
	return nil
}

func (z *zone) put(r RecordSet) {
	e := &entry{r, order(r.Name, r.Type, r.SetIdentifier)}
	i, ok := z.at(e.order)
	if ok {
		z.sets[i] = e
		return
	}
	z.sets = slices.Insert(z.sets, i, e)
}

func (z *zone) remove(name, typ, setID string) {
	if i, ok := z.at(order(name, typ, setID)); ok {
		z.sets = slices.Delete(z.sets, i, i+1)
	}
}

// named are the record sets of a name.
func (z *zone) named(name string) []RecordSet {
	var out []RecordSet
	for i, _ := z.at(order(name, "", "")); i < len(z.sets) && z.sets[i].Name == name; i++ {
		out = append(out, z.sets[i].RecordSet)
	}
	return out
}

// draft is a copy to try changes on.
func (z *zone) draft() *zone {
	d := *z
	d.sets = slices.Clone(z.sets)
	return &d
}

func (s *Server) info(id string) changeInfo {
	at := s.changes[id]
	status := "INSYNC"
	if time.Since(at) < s.options.SyncAfter {
		status = "PENDING"
	}
	return changeInfo{ID: "/change/" + id, Status: status, SubmittedAt: at.UTC().Format(time.RFC3339)}
}

func ptr[T any](v T) *T { return &v }
