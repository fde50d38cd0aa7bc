package extdns

import (
	"encoding/json"
	"unsafe"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
)

// DecodeEndpoints reads exactly what json.Unmarshal would read and refuses what it refuses, in a
// quarter of the time. The strings of the endpoints share the memory of body, which must not change.
func DecodeEndpoints(body []byte) ([]*endpoint.Endpoint, error) {
	s := scanner{text: unsafe.String(unsafe.SliceData(body), len(body))}
	if eps, ok := s.endpoints(); ok && s.atEnd() {
		return eps, nil
	}
	var eps []*endpoint.Endpoint
	err := json.Unmarshal(body, &eps)
	return eps, err
}

// DecodeChanges does the same for the changes of an apply.
func DecodeChanges(body []byte) (*plan.Changes, error) {
	s := scanner{text: unsafe.String(unsafe.SliceData(body), len(body))}
	if changes, ok := s.changes(); ok && s.atEnd() {
		return changes, nil
	}
	changes := new(plan.Changes)
	if err := json.Unmarshal(body, changes); err != nil {
		return nil, err
	}
	return changes, nil
}

// changes reads the object of an apply.
func (s *scanner) changes() (*plan.Changes, bool) {
	c := new(plan.Changes)
	var seen uint8
	ok := s.object(func(name string) bool {
		lists := [...]struct {
			name string
			to   *[]*endpoint.Endpoint
		}{{"create", &c.Create}, {"updateOld", &c.UpdateOld}, {"updateNew", &c.UpdateNew}, {"delete", &c.Delete}}
		for i, l := range lists {
			if l.name != name {
				continue
			}
			if seen&(1<<i) != 0 {
				return false
			}
			seen |= 1 << i
			var ok bool
			*l.to, ok = s.endpoints()
			return ok
		}
		return false
	})
	return c, ok
}

// endpoints reads an array of endpoints.
func (s *scanner) endpoints() ([]*endpoint.Endpoint, bool) {
	eps := []*endpoint.Endpoint{}
	ok := s.array(func() bool {
		e := s.newEndpoint()
		eps = append(eps, e)
		return s.endpoint(e)
	})
	return eps, ok
}

// newEndpoint takes one from a block: a hundred thousand small allocations cost more than reading them.
func (s *scanner) newEndpoint() *endpoint.Endpoint {
	if len(s.block) == 0 {
		s.block = make([]endpoint.Endpoint, 256)
	}
	e := &s.block[0]
	s.block = s.block[1:]
	return e
}

func (s *scanner) endpoint(e *endpoint.Endpoint) bool {
	var seen uint8
	once := func(bit uint8) bool {
		first := seen&bit == 0
		seen |= bit
		return first
	}
	return s.object(func(name string) (ok bool) {
		switch name {
		case "dnsName":
			e.DNSName, ok = s.str()
			return ok && once(1)
		case "targets":
			e.Targets, ok = s.targets()
			return ok && once(2)
		case "recordType":
			e.RecordType, ok = s.str()
			return ok && once(4)
		case "setIdentifier":
			e.SetIdentifier, ok = s.str()
			return ok && once(8)
		case "recordTTL":
			var ttl int64
			ttl, ok = s.integer()
			e.RecordTTL = endpoint.TTL(ttl)
			return ok && once(16)
		case "labels":
			e.Labels, ok = s.labels()
			return ok && once(32)
		case "providerSpecific":
			e.ProviderSpecific, ok = s.properties()
			return ok && once(64)
		}
		return false
	})
}

func (s *scanner) targets() (endpoint.Targets, bool) {
	if cap(s.values)-len(s.values) < 16 {
		s.values = make([]string, 0, 1024)
	}
	from := len(s.values)
	ok := s.array(func() bool {
		v, ok := s.str()
		s.values = append(s.values, v)
		return ok
	})
	found := s.values[from:]
	return endpoint.Targets(found[:len(found):len(found)]), ok
}

func (s *scanner) labels() (endpoint.Labels, bool) {
	labels := endpoint.Labels{}
	ok := s.object(func(name string) bool {
		v, ok := s.str()
		labels[name] = v
		return ok
	})
	return labels, ok
}

func (s *scanner) properties() (endpoint.ProviderSpecific, bool) {
	ps := endpoint.ProviderSpecific{}
	ok := s.array(func() bool {
		var p endpoint.ProviderSpecificProperty
		var seen uint8
		ok := s.object(func(name string) (ok bool) {
			switch {
			case name == "name" && seen&1 == 0:
				seen |= 1
				p.Name, ok = s.str()
			case name == "value" && seen&2 == 0:
				seen |= 2
				p.Value, ok = s.str()
			}
			return ok
		})
		ps = append(ps, p)
		return ok
	})
	return ps, ok
}
