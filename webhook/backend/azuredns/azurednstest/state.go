package azurednstest

import (
	"net/http"
	"slices"
	"strings"
)

// page is one page of record sets or zones, each already in the JSON of its API.
type page struct {
	entries []string
	next    string
}

// put makes a record set and says whether it is new.
func (s *Server) put(c call, raw, ifMatch, ifNoneMatch string) (entry string, created bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.parent(c)
	if err != nil {
		return "", false, err
	}
	set := parseRaw(c.key.name, c.key.typ, raw)
	set.props.IsAutoRegistered, set.props.FQDN = false, "" // read-only
	standing := z.sets[c.key]
	if err := refusePrecondition(standing, c.key.name, ifMatch, ifNoneMatch); err != nil {
		return "", false, err
	}
	if standing != nil && standing.ofZone() {
		return "", false, badRequest("The record set of type '%s' at the zone apex is not changed by this fake.", c.key.typ)
	}
	if err := s.refuse(z, set); err != nil {
		return "", false, err
	}
	z.add(set, s.etag())
	return entryOf(z, set), standing == nil, nil
}

// drop deletes a record set and says whether there was one.
func (s *Server) drop(c call, ifMatch string) (found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.parent(c)
	if err != nil {
		return false, err
	}
	standing := z.sets[c.key]
	if standing == nil {
		return false, nil // "If you specify a record set that doesn't exist": 204 (RecordSets_Delete)
	}
	if err := refuseDelete(c.key); err != nil {
		return false, err
	}
	if err := refusePrecondition(standing, c.key.name, ifMatch, ""); err != nil {
		return false, err
	}
	z.remove(c.key)
	return true, nil
}

// get returns one record set.
func (s *Server) get(c call) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.parent(c)
	if err != nil {
		return "", err
	}
	set := z.sets[c.key]
	if set == nil {
		return "", refused(http.StatusNotFound, "NotFound", "The resource record '%s' does not exist in resource group '%s' of subscription '%s'.", c.key.name, c.group, c.sub)
	}
	return entryOf(z, set), nil
}

// list returns a page of the record sets of a zone.
func (s *Server) list(c call, asked *int32) (page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.top(asked)
	if err != nil {
		return page{}, err
	}
	z := s.lookup(c)
	if z == nil {
		return page{}, notFound(c)
	}
	keys, skip := after(z.keys(), c.skip, n)
	p := page{}
	for _, key := range keys {
		p.entries = append(p.entries, entryOf(z, z.sets[key]))
	}
	if skip != "" {
		p.next = c.link(skip)
	}
	return p, nil
}

// listZones returns a page of the zones of a kind in a subscription or resource group.
func (s *Server) listZones(c call, asked *int32) (page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.top(asked)
	if err != nil {
		return page{}, err
	}
	if !s.knows(c) {
		if c.group == "" {
			return page{}, &refusal{status: http.StatusNotFound, code: "SubscriptionNotFound", message: "The subscription '" + c.sub + "' could not be found."}
		}
		return page{}, &refusal{status: http.StatusNotFound, code: "ResourceGroupNotFound", message: "Resource group '" + c.group + "' could not be found."}
	}
	var keys []setKey
	for id, z := range s.zones {
		if z.kind == c.kind && strings.EqualFold(z.subscription, c.sub) && (c.group == "" || strings.EqualFold(z.group, c.group)) {
			keys = append(keys, setKey{name: id})
		}
	}
	slices.SortFunc(keys, setKey.compare)
	keys, skip := after(keys, c.skip, n)
	p := page{}
	for _, key := range keys {
		p.entries = append(p.entries, zoneEntry(s.zones[key.name]))
	}
	if skip != "" {
		p.next = c.link(skip)
	}
	return p, nil
}

// getZone returns one zone.
func (s *Server) getZone(c call) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.lookup(c)
	if z == nil {
		return "", notFound(c)
	}
	return zoneEntry(z), nil
}

// knows says whether the subscription, and the resource group if one is named, exist: any zone makes them.
func (s *Server) knows(c call) bool {
	for _, z := range s.zones {
		if strings.EqualFold(z.subscription, c.sub) && (c.group == "" || strings.EqualFold(z.group, c.group)) {
			return true
		}
	}
	return false
}

func (s *Server) lookup(c call) *zone { return s.zones[c.scope()] }

// parent is the zone of a record set. The error codes are those of Azure Resource Manager for what is not
// there: "Common deployment errors", ParentResourceNotFound and ResourceNotFound.
func (s *Server) parent(c call) (*zone, error) {
	if z := s.lookup(c); z != nil {
		return z, nil
	}
	return nil, &refusal{status: http.StatusNotFound, code: "ParentResourceNotFound", message: "Failed to perform '" + c.operation +
		"' on resource(s) of type '" + c.kind.provider() + "/" + c.key.typ + "', because the parent resource '" + c.scope() + "' could not be found."}
}

func notFound(c call) error {
	return &refusal{status: http.StatusNotFound, code: "ResourceNotFound", message: "The Resource '" + c.kind.provider() + "/" + c.zone +
		"' under resource group '" + c.group + "' was not found."}
}
