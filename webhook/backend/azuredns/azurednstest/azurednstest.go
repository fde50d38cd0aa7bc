// Package azurednstest owns a stand-in for Azure's DNS services: the server halves that ship with the SDK
// (armdns/fake, armprivatedns/fake), given zones, record sets, ETags and the refusals of the real service,
// behind HTTPS, with the token endpoints that credentials ask.
//
// What it refuses is what the real service is documented, or was seen, to refuse; refuse.go names the
// source of each refusal.
package azurednstest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Kind is which of the two services holds a zone.
type Kind string

// The kinds of zones.
const (
	Public  Kind = "public"
	Private Kind = "private"
)

// Options change what the services do. The zero value is the documented behaviour of Azure's public cloud.
type Options struct {
	// PageSize is how many entries a page has when $top asks for none, and the most it has. 0: 100, and
	// 1,000 when asked for.
	PageSize int
	// LargestPage is the highest $top. 0: 1,000.
	LargestPage int
	// MaxRecords is how many records a record set takes. 0: 20.
	MaxRecords int
	// MaxRecordSets is how many record sets a zone takes. 0: 10,000 in public zones, 25,000 in private
	// ones; below 0: any number, as for a customer who asked for more.
	MaxRecordSets int
	// MaxText is how many bytes the texts of a record set have together. 0: 4,096; national clouds have 1,024.
	MaxText int
	// Bucket throttles each of reads, writes and deletes of a subscription. The zero value does not.
	Bucket Bucket
	// TokenLife is how long an access token is good for. 0: an hour.
	TokenLife time.Duration
}

// Bucket is a token bucket: Size requests at once, refilled by PerSecond.
type Bucket struct{ Size, PerSecond int }

// The identities that the token endpoints know.
const (
	Tenant       = "11111111-1111-1111-1111-111111111111"
	ClientID     = "22222222-2222-2222-2222-222222222222"
	ClientSecret = "s3cret~of~the~service~principal"
	// FederatedToken is what a workload's projected token file has to hold.
	FederatedToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6ZG5zOnNwb2tlZG5zIn0.c2ln"
)

// Server holds zones and answers for them. It is an http.Handler for Azure Resource Manager, for the
// authority (Microsoft Entra ID) and for the managed identity endpoints at once.
type Server struct {
	options Options

	mu     sync.Mutex
	zones  map[string]*zone // by lower-case resource id
	serial int              // of ETags
	counts map[string]int
	limits map[string]*level
	tokens map[string]time.Time // until when each is good
	denied []string             // lower-case scopes nobody has rights on
	faults faults

	listening *listening
}

// New returns a server without zones. Start, instead, also listens.
func New(o Options) *Server {
	if o.MaxRecords == 0 {
		o.MaxRecords = 20
	}
	if o.LargestPage == 0 {
		o.LargestPage = 1000
	}
	if o.MaxText == 0 {
		o.MaxText = 4096
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	return &Server{
		options: o,
		zones:   map[string]*zone{},
		counts:  map[string]int{},
		limits:  map[string]*level{},
		tokens:  map[string]time.Time{},
	}
}

// AddZone creates a zone and returns its resource id.
func (s *Server) AddZone(subscription, resourceGroup, name string, kind Kind) string {
	z := newZone(subscription, resourceGroup, name, kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	z.add(apexSOA(kind), s.etag())
	if kind == Public {
		z.add(apexNS(), s.etag())
	}
	s.zones[strings.ToLower(z.id())] = z
	return z.id()
}

// RemoveZone deletes a zone and all in it.
func (s *Server) RemoveZone(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.zones, strings.ToLower(id))
}

// Put makes r the record set of its key, as another writer would; metadata of one that stands is lost.
// It panics when the service would refuse it.
func (s *Server) Put(id string, r backend.RRset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.mustZone(id)
	set := fromRRset(z, r)
	if err := s.refuse(z, set); err != nil {
		panic(fmt.Sprintf("azurednstest: put %s: %v", r.Key, err))
	}
	z.add(set, s.etag())
}

// PutRaw makes a record set whose properties are those of the REST API in JSON, for what an RRset cannot
// say: metadata, an alias, an automatic registration, a CAA record, spellings.
func (s *Server) PutRaw(id, relativeName, typ, properties string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.mustZone(id)
	z.add(parseRaw(relativeName, typ, properties), s.etag())
}

// Raw returns the properties of a record set as JSON, "" when there is none.
func (s *Server) Raw(id, relativeName, typ string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.mustZone(id).sets[setKey{relativeName, typ}]
	if set == nil {
		return ""
	}
	return set.raw()
}

// Remove takes a record set away, as another writer would.
func (s *Server) Remove(id string, key backend.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.mustZone(id)
	z.remove(setKey{z.relative(key.Name), key.Type})
}

// Records returns what the zone holds apart from its SOA and its own NS, in canonical form.
func (s *Server) Records(id string) []backend.RRset {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.mustZone(id)
	var out []backend.RRset
	for _, key := range z.keys() {
		if set := z.sets[key]; !set.ofZone() {
			out = append(out, set.rrset(z))
		}
	}
	return out
}

// Counts returns how many requests were answered since the last Forget, by operation:
// "RecordSets_CreateOrUpdate", "Zones_ListByResourceGroup", "Token".
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.counts))
	for op, n := range s.counts {
		out[op] = n
	}
	return out
}

// Forget sets the counts to zero.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// Deny takes all rights on a resource and what is below it: a zone, a resource group, a subscription, or
// the lists of one service ("/subscriptions/…/providers/Microsoft.Network/privateDnsZones").
func (s *Server) Deny(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = append(s.denied, strings.ToLower(scope))
}

// Allow gives all rights back.
func (s *Server) Allow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = nil
}

func (s *Server) mustZone(id string) *zone {
	z := s.zones[strings.ToLower(id)]
	if z == nil {
		panic("azurednstest: no zone " + id)
	}
	return z
}

// etag returns a new one; mu is held. Each write gets its own (dns-zones-records, "Etags").
func (s *Server) etag() string {
	s.serial++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", s.serial, s.serial)
}

var _ http.Handler = (*Server)(nil)
