package clouddnstest

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Zone is a managed zone.
type Zone struct {
	Project    string
	Name       string // of the managed zone
	DNSName    string // with or without its trailing dot
	Visibility string // "public" or "private"; "": public
	Config     string // the configuration that makes it another kind of zone: "forwardingConfig", "peeringConfig", …
}

// Record is an RRset as the service holds it.
type Record struct {
	Name          string         `json:"name"`
	Type          string         `json:"type"`
	TTL           int64          `json:"ttl"`
	Rrdatas       []string       `json:"rrdatas,omitempty"`
	RoutingPolicy map[string]any `json:"routingPolicy,omitempty"`
}

type key struct{ name, typ string }

func (r Record) key() key { return key{name: r.Name, typ: r.Type} }

type zone struct {
	Zone
	id    uint64
	sets  map[key]Record
	order []key // sorted keys; nil after a change of them
}

// AddZone creates a zone with its SOA and NS records and returns its id.
func (s *Server) AddZone(z Zone) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	z.DNSName = strings.TrimSuffix(z.DNSName, ".") + "."
	z.Visibility = cmp.Or(z.Visibility, "public")
	s.nextID += 7
	added := &zone{Zone: z, id: s.nextID, sets: map[key]Record{}}
	for _, r := range []Record{
		{Name: z.DNSName, Type: "NS", TTL: 21600, Rrdatas: []string{"ns-cloud-a1.googledomains.com.", "ns-cloud-a2.googledomains.com."}},
		{Name: z.DNSName, Type: "SOA", TTL: 21600, Rrdatas: []string{"ns-cloud-a1.googledomains.com. cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"}},
	} {
		added.sets[r.key()] = r
	}
	s.zones = append(s.zones, added)
	return added.id
}

// DeleteZone deletes a managed zone with all it holds.
func (s *Server) DeleteZone(project, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones = slices.DeleteFunc(s.zones, func(z *zone) bool { return z.Project == project && z.Name == name })
}

// Put makes r the zone's RRset of its name and type, as another writer would. It panics when there is no
// such zone.
func (s *Server) Put(project, name string, r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(project, name).set(normal(r))
}

// Remove takes an RRset out of the zone, as another writer would.
func (s *Server) Remove(project, name, owner, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(project, name).remove(key{name: owner, typ: typ})
}

// Records is everything in the zone, sorted by name and type.
func (s *Server) Records(project, name string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.find(project, name)
	var all []Record
	for _, k := range z.sorted() {
		all = append(all, z.sets[k])
	}
	return all
}

// find returns a managed zone by its name or id, nil when there is none; mu is held.
func (s *Server) find(project, nameOrID string) *zone {
	for _, z := range s.zones {
		if z.Project == project && (z.Name == nameOrID || strconv.FormatUint(z.id, 10) == nameOrID) {
			return z
		}
	}
	return nil
}

func (z *zone) set(r Record) {
	if _, there := z.sets[r.key()]; !there {
		z.order = nil
	}
	z.sets[r.key()] = r
}

func (z *zone) remove(k key) {
	delete(z.sets, k)
	z.order = nil
}

// types are those that stand at a name.
func (z *zone) types(name string) map[string]bool {
	found := map[string]bool{}
	for _, typ := range supported() {
		if _, ok := z.sets[key{name: name, typ: typ}]; ok {
			found[typ] = true
		}
	}
	return found
}

func (z *zone) sorted() []key {
	if z.order == nil {
		z.order = slices.SortedFunc(maps.Keys(z.sets), compareKeys)
	}
	return z.order
}

func compareKeys(a, b key) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.typ, b.typ))
}

func (z *zone) resource() map[string]any {
	r := map[string]any{
		"kind": "dns#managedZone", "id": strconv.FormatUint(z.id, 10), "name": z.Name, "dnsName": z.DNSName, "visibility": z.Visibility,
	}
	if z.Config != "" {
		r[z.Config] = map[string]any{"kind": "dns#" + z.Config}
	}
	return r
}

// listZones is managedZones.list: "dnsName restricts the list to return only zones with this domain name".
func (s *Server) listZones(r *http.Request) (any, *refusal) {
	var found []map[string]any
	for _, z := range s.zones {
		if dnsName := r.FormValue("dnsName"); z.Project == r.PathValue("project") && (dnsName == "" || dnsName == z.DNSName) {
			found = append(found, z.resource())
		}
	}
	slices.SortFunc(found, func(a, b map[string]any) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	from, to, next, why := page(r, s.limits.ZonesPage, found, func(z map[string]any) string { return z["name"].(string) })
	if why != nil {
		return nil, why
	}
	return map[string]any{"kind": "dns#managedZonesListResponse", "managedZones": found[from:to], "nextPageToken": next}, nil
}

func (s *Server) getZone(r *http.Request) (any, *refusal) {
	z, why := s.zoneOf(r)
	if why != nil {
		return nil, why
	}
	return z.resource(), nil
}

// zoneOf is the zone of a path: "the managed zone name or ID".
func (s *Server) zoneOf(r *http.Request) (*zone, *refusal) {
	name := r.PathValue("zone")
	z := s.find(r.PathValue("project"), name)
	if z == nil {
		return nil, refuse(http.StatusNotFound, "notFound", "The 'parameters.managedZone' resource named '%s' does not exist.", name)
	}
	return z, nil
}

// listSets is resourceRecordSets.list: "you must also specify the name parameter" with type.
func (s *Server) listSets(r *http.Request) (any, *refusal) {
	z, why := s.zoneOf(r)
	if why != nil {
		return nil, why
	}
	name, typ := r.FormValue("name"), r.FormValue("type")
	if typ != "" && name == "" {
		return nil, refuse(http.StatusBadRequest, "required", "Required parameter is missing: 'parameters.name'")
	}
	keys := z.sorted()
	if name != "" {
		first, _ := slices.BinarySearchFunc(keys, key{name: name}, compareKeys)
		var some []key
		for _, k := range keys[first:] {
			if k.name != name {
				break
			}
			if typ == "" || k.typ == typ {
				some = append(some, k)
			}
		}
		keys = some
	}
	from, to, next, why := page(r, s.limits.Page, keys, func(k key) string { return k.name + " " + k.typ })
	if why != nil {
		return nil, why
	}
	sets := make([]Record, 0, to-from)
	for _, k := range keys[from:to] {
		sets = append(sets, z.sets[k])
	}
	return map[string]any{"kind": "dns#resourceRecordSetsListResponse", "rrsets": sets, "nextPageToken": next}, nil
}

// page cuts a list by maxResults and pageToken. Tokens are opaque to clients, so they are no plain text.
// They name the last entry of a page, not its position: what comes and goes before it shifts nothing.
func page[T any](r *http.Request, most int, all []T, name func(T) string) (from, to int, next string, why *refusal) {
	size := most
	if v := r.FormValue("maxResults"); v != "" {
		asked, err := strconv.Atoi(v)
		if err != nil || asked < 1 {
			return 0, 0, "", refuse(http.StatusBadRequest, "invalid", "Invalid value for 'parameters.maxResults': '%s'", v)
		}
		size = min(size, asked)
	}
	if token := r.FormValue("pageToken"); token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || !strings.HasPrefix(string(last), "after ") {
			return 0, 0, "", refuse(http.StatusBadRequest, "invalid", "Invalid value for 'parameters.pageToken': '%s'", token)
		}
		for from < len(all) && name(all[from]) <= string(last[len("after "):]) {
			from++
		}
	}
	if to = min(from+size, len(all)); to < len(all) {
		next = base64.RawURLEncoding.EncodeToString([]byte("after " + name(all[to-1])))
	}
	return from, to, next, nil
}
