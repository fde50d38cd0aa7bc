package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// fakeServer is a DNS server in memory.
type fakeServer struct {
	name      string
	role      v1alpha1.Role
	mu        sync.Mutex
	up        bool
	control   bool // zones can be made on it
	channel   error
	denied    bool
	refuses   func(backend.Change) error // an RRset that it does not take
	zones     map[string]*fakeZone
	follows   []*fakeServer // primaries of a catalog zone
	catalog   string
	asked     int
	given     map[string]nameserver.ZoneConfig // settings of zones, as they were given last
	ensured   map[string]int                   // how often
	forgotten []string                         // zones of which no copy is kept
	fails     map[string]error                 // zones that cannot be made on it
}

// errIgnored has a fakeServer say that it took what it did not take.
var errIgnored = errors.New("ignored")

type fakeZone struct {
	sets  map[backend.Key]backend.RRset // without the SOA
	soa   backend.RRset
	made  bool
	of    []*fakeServer // a secondary's primaries
	empty bool
}

func (z *fakeZone) serial() uint32 {
	soa, err := rfc2136.ParseSOA(z.soa.Values[0])
	if err != nil {
		panic(err)
	}
	return soa.Serial
}

func (z *fakeZone) setSerial(serial uint32) {
	f := strings.Fields(z.soa.Values[0])
	f[2] = fmt.Sprint(serial)
	z.soa.Values = []string{strings.Join(f, " ")}
}

// put makes a zone by hand.
func (s *fakeServer) put(zone string, serial uint32, sets ...backend.RRset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := &fakeZone{sets: map[backend.Key]backend.RRset{}}
	z.soa = backend.RRset{Key: backend.Key{Name: zone, Type: "SOA"}, TTL: 5 * time.Minute, Values: []string{"a. b. 1 1 1 1 1"}}
	z.setSerial(serial)
	for _, set := range sets {
		z.sets[set.Key] = set
	}
	s.zones[zone] = z
}

// write changes a zone by hand, as nsupdate does; without values it deletes.
func (s *fakeServer) write(zone, name, typ string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	set := rrset(name, typ, values...)
	if len(values) == 0 {
		delete(z.sets, set.Key)
	} else {
		z.sets[set.Key] = set
	}
	z.setSerial(z.serial() + 1)
}

func rrset(name, typ string, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: 5 * time.Minute, Values: values}
}

// holds is what a server has of a zone beside its NS and SOA: "www A=192.0.2.1 …"; "-": it does not have the zone.
func (s *fakeServer) holds(zone string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	if z == nil || z.empty {
		return "-"
	}
	var texts []string
	for key, set := range z.sets {
		if key.Type != "NS" {
			name := strings.TrimSuffix(key.Name, "."+zone)
			texts = append(texts, name+" "+key.Type+"="+strings.Join(set.Values, ","))
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

func (s *fakeServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// handle is a server in the hands of a process.
type handle struct {
	p *process
	s *fakeServer
	c nameserver.Config
}

func (h *handle) reach() error {
	if h.p.dead() {
		return errKilled
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.asked++
	switch {
	case !h.s.up:
		return &backend.Error{Kind: backend.Temporary, Op: "fake: ask", Err: errors.New("connection refused")}
	case h.s.denied:
		return &backend.Error{Kind: backend.Denied, Op: "fake: ask", Err: errors.New("BADKEY")}
	}
	return nil
}

func (p *process) dead() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.killed
}

// sync is a secondary's transfer.
func (s *fakeServer) sync(zone string) {
	s.mu.Lock()
	z := s.zones[zone]
	follows, catalog := s.follows, s.catalog
	s.mu.Unlock()
	if catalog != "" {
		listed := false
		for _, p := range follows {
			p.mu.Lock()
			if c := p.zones[catalog]; c != nil {
				_, in := c.sets[nameserver.CatalogMember(catalog, zone).Key]
				listed = listed || in
			}
			p.mu.Unlock()
		}
		s.mu.Lock()
		switch {
		case listed && z == nil:
			z = &fakeZone{empty: true, of: follows, made: true}
			s.zones[zone] = z
		case !listed && z != nil:
			delete(s.zones, zone)
			z = nil
		}
		s.mu.Unlock()
	}
	if z == nil {
		return
	}
	for _, p := range z.of {
		p.mu.Lock()
		src := p.zones[zone]
		if !p.up || src == nil || src.empty || !z.empty && !rfc2136.Newer(src.serial(), z.serial()) {
			p.mu.Unlock()
			continue
		}
		sets, soa := maps.Clone(src.sets), src.soa
		p.mu.Unlock()
		s.mu.Lock()
		z.sets, z.soa, z.empty = sets, soa, false
		s.mu.Unlock()
	}
}

func (h *handle) find(zone string) (*fakeZone, error) {
	if err := h.reach(); err != nil {
		return nil, err
	}
	if h.s.role == v1alpha1.Secondary {
		h.s.sync(zone)
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	z := h.s.zones[zone]
	if z == nil || z.empty {
		return nil, &rfc2136.NotServed{Zone: zone, Rcode: "REFUSED"}
	}
	return z, nil
}

// SOA is of DNS.
func (h *handle) SOA(_ context.Context, zone string) (rfc2136.SOA, error) {
	z, err := h.find(zone)
	if err != nil {
		return rfc2136.SOA{}, err
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return rfc2136.SOA{Serial: z.serial()}, nil
}

// Transfer is of DNS.
func (h *handle) Transfer(_ context.Context, zone string) ([]backend.RRset, rfc2136.SOA, error) {
	z, err := h.find(zone)
	if err != nil {
		return nil, rfc2136.SOA{}, err
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return append(slices.Collect(maps.Values(z.sets)), z.soa), rfc2136.SOA{Serial: z.serial()}, nil
}

// Apply is of DNS.
func (h *handle) Apply(_ context.Context, zone string, changes []backend.Change) error {
	z, err := h.find(zone)
	if err != nil {
		return err
	}
	var failed []error
	err = h.p.step("apply "+h.s.name, func() error {
		h.s.mu.Lock()
		defer h.s.mu.Unlock()
		before := z.serial()
		for _, c := range changes {
			if c.Key().Type == "SOA" {
				z.soa = *c.New
				continue
			}
			if h.s.refuses != nil {
				if err := h.s.refuses(c); errors.Is(err, errIgnored) {
					continue
				} else if err != nil {
					failed = append(failed, &backend.Error{Kind: backend.Rejected, Op: "fake: update", Zone: zone, Key: c.Key(), Err: err})
					continue
				}
			}
			if live, there := z.sets[c.Key()]; there && (c.Old == nil || !live.Same(c.Old)) && (c.New == nil || !live.Same(c.New)) {
				failed = append(failed, &backend.Error{Kind: backend.Conflict, Op: "fake: update", Zone: zone, Key: c.Key(), Err: backend.ErrConflict})
				continue
			}
			if c.New == nil {
				delete(z.sets, c.Key())
			} else {
				z.sets[c.Key()] = *c.New
			}
		}
		if z.serial() == before {
			z.setSerial(before + 1)
		}
		return nil
	})
	return errors.Join(append(failed, err)...)
}

// Answers is of DNS.
func (h *handle) Answers(_ context.Context, zone string, want []backend.RRset) []error {
	errs := make([]error, len(want))
	z, err := h.find(zone)
	for i := range want {
		if errs[i] = err; err != nil {
			continue
		}
		h.s.mu.Lock()
		if has, there := z.sets[want[i].Key]; !there || !has.Same(&want[i]) {
			errs[i] = fmt.Errorf("it answers %v", has.Values)
		}
		h.s.mu.Unlock()
	}
	return errs
}

// DS is of DNS.
func (h *handle) DS(context.Context, string) ([]string, error) {
	return []string{"1 13 2 AB"}, h.reach()
}

// Forget is of DNS.
func (h *handle) Forget(zone string) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.forgotten = append(h.s.forgotten, zone)
}

// Close is of DNS.
func (h *handle) Close() error { return nil }

// Probe is of Nameserver.
func (h *handle) Probe(context.Context) (nameserver.Health, error) {
	if err := h.reach(); err != nil {
		return nameserver.Health{}, err
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return nameserver.Health{Version: "fake 1", Controlled: h.s.control && h.s.channel == nil, Control: h.s.channel}, nil
}

// Ensure is of Nameserver.
func (h *handle) Ensure(ctx context.Context, c nameserver.ZoneConfig, fill nameserver.Content) (bool, error) {
	if err := h.reach(); err != nil {
		return false, &nameserver.Unreachable{Server: h.s.name, Err: err}
	}
	h.s.mu.Lock()
	z, control, channel := h.s.zones[c.Zone], h.s.control, h.s.channel
	h.s.given[c.Zone] = c
	h.s.ensured[c.Zone]++
	if channel == nil {
		channel = h.s.fails[c.Zone]
	}
	h.s.mu.Unlock()
	has := z != nil && !z.empty
	switch {
	case !control && has:
		return false, nil
	case !control:
		return false, &nameserver.Unsupported{Server: h.s.name, Zone: c.Zone, Reason: "it does not have it", Remedy: "make it"}
	case channel != nil:
		return false, channel
	}
	if h.s.role == v1alpha1.Secondary {
		if z != nil {
			return false, nil
		}
		return true, h.p.step("add "+h.s.name, func() error {
			var of []*fakeServer
			h.p.w.mu.Lock()
			for _, s := range h.p.w.servers {
				if s.role == v1alpha1.Primary {
					of = append(of, s)
				}
			}
			h.p.w.mu.Unlock()
			h.s.mu.Lock()
			defer h.s.mu.Unlock()
			h.s.zones[c.Zone] = &fakeZone{made: true, empty: true, of: of}
			return nil
		})
	}
	if has && (!z.made || !rfc2136.Newer(c.Floor, z.serial())) {
		return false, nil
	}
	sets, err := fill(ctx)
	if err != nil {
		return false, err
	}
	err = h.p.step("add "+h.s.name, func() error {
		h.s.mu.Lock()
		defer h.s.mu.Unlock()
		h.s.zones[c.Zone] = &fakeZone{made: true, empty: true}
		return nil
	})
	if err != nil {
		return true, err
	}
	return true, h.p.step("fill "+h.s.name, func() error {
		h.s.mu.Lock()
		defer h.s.mu.Unlock()
		z := &fakeZone{made: true, sets: map[backend.Key]backend.RRset{}}
		for _, set := range sets {
			if set.Type == "SOA" {
				z.soa = set
			} else {
				z.sets[set.Key] = set
			}
		}
		h.s.zones[c.Zone] = z
		return nil
	})
}

// Remove is of Nameserver.
func (h *handle) Remove(_ context.Context, zone string) error {
	if err := h.reach(); err != nil {
		return &nameserver.Unreachable{Server: h.s.name, Err: err}
	}
	if h.s.catalog != "" {
		h.s.sync(zone)
		h.s.mu.Lock()
		defer h.s.mu.Unlock()
		if h.s.zones[zone] != nil {
			return errors.New("it is still there")
		}
		return nil
	}
	if !h.s.control {
		return nil
	}
	h.s.mu.Lock()
	channel := h.s.channel
	h.s.mu.Unlock()
	if channel != nil {
		return channel
	}
	return h.p.step("remove "+h.s.name, func() error {
		h.s.mu.Lock()
		defer h.s.mu.Unlock()
		if z := h.s.zones[zone]; z != nil && z.made {
			delete(h.s.zones, zone)
		}
		return nil
	})
}
