// Package clouddnstest owns a stand-in for Google Cloud DNS: an HTTP server on the loopback interface that
// holds zones and refuses what the service refuses. Paths, parameters and fields are those of the discovery
// document dns:v1 (revision 20260219, in the SDK's dns/v1/dns-api.json); refusals name their source.
//
// It also hands out the access tokens that it asks for, for key files, workload identity and the metadata
// server, so that the real code for credentials runs against it.
package clouddnstest

import (
	"bytes"
	"context"
	"crypto/rsa"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits are the quotas of a project, as projects.get names them, and the size of pages. The defaults are
// the documented ones (https://cloud.google.com/dns/quotas).
type Limits struct {
	Additions      int // rrsetAdditionsPerChange: 1,000
	Deletions      int // rrsetDeletionsPerChange: 1,000
	Bytes          int // totalRrdataSizePerChange: 100,000, counted in the text of rrdatas
	RecordsPerSet  int // resourceRecordsPerRrset: 100
	Delegation     int // nameserversPerDelegation: 8
	SetsPerZone    int // rrsetsPerManagedZone; 0: as many as there come, as for projects that asked for more
	Page           int // RRsets in a page, at most; public reports say 1,000
	ZonesPage      int // managed zones in a page
	TokenLifetime  time.Duration
	IndexedMessage bool // messages name entity.change.additions[3] as in earlier years, not [name][type]
	VagueMessage   bool // messages name nothing
}

// Server is the service.
type Server struct {
	listener net.Listener
	server   http.Server
	served   sync.WaitGroup
	key      *rsa.PrivateKey

	mu       sync.Mutex
	limits   Limits
	zones    []*zone
	nextID   uint64
	calls    map[string]int
	faults   []*Fault
	tokens   map[string]time.Time // access token → when it expires
	subjects map[string]bool      // subject tokens that the security token service takes
	project  string               // what the metadata server says
	denied   bool
	slow     time.Duration // before a token is handed out
}

// New starts a server without zones. Close ends it.
func New() (*Server, error) {
	key, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("clouddnstest: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("clouddnstest: %w", err)
	}
	s := &Server{
		listener: listener,
		key:      key,
		limits: Limits{
			Additions: 1000, Deletions: 1000, Bytes: 100_000, RecordsPerSet: 100, Delegation: 8, Page: 1000, ZonesPage: 100,
			TokenLifetime: time.Hour,
		},
		nextID:   1_000_000_000_000_000_000,
		calls:    map[string]int{},
		tokens:   map[string]time.Time{},
		subjects: map[string]bool{},
	}
	s.server = http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute}
	s.served.Go(func() { _ = s.server.Serve(listener) })
	return s, nil
}

// Close ends the server and all its connections.
func (s *Server) Close() error {
	err := s.server.Close()
	s.served.Wait()
	return err
}

// Host is "127.0.0.1:port", as GCE_METADATA_HOST wants it.
func (s *Server) Host() string { return s.listener.Addr().String() }

// URL is the base of everything, without a slash at its end: the endpoint of the API.
func (s *Server) URL() string { return "http://" + s.Host() }

// Transport sends every request here, whatever host it is for: for clients whose endpoint is fixed, as
// that of external-dns's own provider.
func (s *Server) Transport() http.RoundTripper { return &redirect{host: s.Host()} }

type redirect struct{ host string }

// RoundTrip implements http.RoundTripper.
func (r *redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = "http", r.host
	return http.DefaultTransport.RoundTrip(req)
}

// Limit changes the limits.
func (s *Server) Limit(change func(*Limits)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.limits)
}

// Calls counts the requests to the API since the start or ResetCalls, by operation: "changes.create",
// "managedZones.list", "resourceRecordSets.list". Refused ones count; those for tokens do not.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// ResetCalls begins to count anew.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
}

// handler routes: the paths are those of the discovery document.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	const base = "/dns/v1/projects/{project}/managedZones"
	mux.Handle("GET "+base, s.operation("managedZones.list", s.listZones))
	mux.Handle("GET "+base+"/{zone}", s.operation("managedZones.get", s.getZone))
	mux.Handle("GET "+base+"/{zone}/rrsets", s.operation("resourceRecordSets.list", s.listSets))
	mux.Handle("POST "+base+"/{zone}/changes", s.operation("changes.create", s.createChange))
	mux.HandleFunc("POST /token", s.tokenForKey)
	mux.HandleFunc("POST /v1/token", s.tokenForSubject)
	mux.HandleFunc("GET /computeMetadata/v1/", s.metadata)
	return mux
}

// operation counts, meets faults, asks for a token, and answers in JSON.
func (s *Server) operation(name string, do func(r *http.Request) (any, *refusal)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := s.count(name)
		if fault.wait(r.Context()) != nil {
			return
		}
		if fault.Status != 0 {
			fault.answer(w)
			return
		}
		if why := s.authorize(r); why != nil {
			why.write(w)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		answer, why := do(r)
		s.mu.Unlock()
		switch {
		case fault.LoseReply:
			panic(http.ErrAbortHandler) // closes the connection
		case why != nil:
			why.write(w)
		default:
			writeJSON(w, http.StatusOK, answer)
		}
	})
}
