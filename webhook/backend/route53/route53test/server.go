// Package route53test owns a stand-in for Amazon Route 53 and the part of AWS STS that hands out its
// credentials: an HTTP server on loopback that speaks their APIs of 2013-04-01 and 2011-06-15, holds
// hosted zones in memory, and refuses what the services refuse.
//
// What it accepts and answers follows the service model inside the module
// github.com/aws/aws-sdk-go-v2/service/route53, which carries the API reference, and the Developer Guide.
// Each refusal names where it is written down.
package route53test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// The credentials of the account's administrator, which every Server knows.
const (
	AccessKeyID     = "AKIDADMINISTRATOR"
	SecretAccessKey = "not/a+real+secret"
	Account         = "111122223333"
)

// Options change how a Server answers. The zero value is the service as it is documented.
type Options struct {
	// PageSize is the most that one page of any list holds; 0: the service's own, 300 record sets and 100
	// zones.
	PageSize int
	// PerSecond is how many requests are answered in a second before the rest is throttled; 0: all of them.
	PerSecond int
	// Terse leaves out of InvalidChangeBatch which records it is about.
	Terse bool
	// SyncAfter is how long a change stays PENDING.
	SyncAfter time.Duration
	// CredentialLife is how long the credentials are good that STS hands out; 0: an hour.
	CredentialLife time.Duration
}

// Server is the service. Its methods may be called while it serves.
type Server struct {
	URL string // of both APIs: AWS_ENDPOINT_URL

	options Options
	http    *httptest.Server

	mu      sync.Mutex
	zones   map[string]*zone // by id
	ids     int              // handed out so far
	checks  map[string]bool  // ids of health checks
	changes map[string]time.Time
	counts  map[string]int
	faults  []*Fault
	denied  map[string]bool // operations, and names of records
	keys    map[string]*key
	roles   map[string]role
	tokens  map[string]string // web identity token → role it may assume
	window  time.Time
	inUse   int // requests in the window
}

// New starts a Server without zones. Close ends it.
func New(o Options) *Server {
	s := &Server{
		options: o,
		zones:   map[string]*zone{}, checks: map[string]bool{}, changes: map[string]time.Time{},
		counts: map[string]int{}, denied: map[string]bool{},
		keys:  map[string]*key{AccessKeyID: {secret: SecretAccessKey, principal: "arn:aws:iam::" + Account + ":user/administrator"}},
		roles: map[string]role{}, tokens: map[string]string{},
	}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// Close ends the server and its connections.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Counts returns how many requests were received since the last Reset, by operation.
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.counts))
	for op, n := range s.counts {
		out[op] = n
	}
	return out
}

// Reset sets the counts to nothing.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// Deny answers AccessDenied to an operation, for example "ChangeResourceRecordSets", or to every change
// that touches a record of this name, as a condition on ChangeResourceRecordSetsNormalizedRecordNames
// does. Allow ends it.
func (s *Server) Deny(what string) { s.deny(what, true) }

// Allow ends a Deny.
func (s *Server) Allow(what string) { s.deny(what, false) }

func (s *Server) deny(what string, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[what] = yes
}

// AddHealthCheck makes the id of a health check known.
func (s *Server) AddHealthCheck(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks[id] = true
}

// Fault makes requests go wrong.
type Fault struct {
	Operation string // "ListResourceRecordSets"; empty: any
	After     int    // requests that go well first
	Times     int    // requests that go wrong; 0: one

	Delay  time.Duration // before anything else
	Status int           // of the answer; 0 with no Code and no Cut: only the delay
	Code   string        // in the answer's body
	Done   bool          // the request is carried out all the same
	Cut    bool          // the connection is closed instead of an answer
}

// Throttled is the answer to more requests than an account has (API reference, Common Errors, Throttling).
func Throttled(operation string, times int) Fault {
	return Fault{Operation: operation, Times: times, Status: http.StatusBadRequest, Code: "Throttling"}
}

// Busy is the answer to a change while another one of the same zone is under way (API reference,
// ChangeResourceRecordSets, PriorRequestNotComplete).
func Busy(times int) Fault {
	return Fault{Operation: "ChangeResourceRecordSets", Times: times, Status: http.StatusBadRequest, Code: "PriorRequestNotComplete"}
}

// Lost is a request that is carried out while its answer is lost.
func Lost(operation string) Fault {
	return Fault{Operation: operation, Done: true, Cut: true}
}

// Inject adds a fault. Faults are used up in the order in which they were added.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = max(f.Times, 1)
	s.faults = append(s.faults, &f)
}

// fault returns the fault that meets this request, and uses it up; mu is held.
func (s *Server) fault(op string) *Fault {
	for i, f := range s.faults {
		if f.Operation != "" && f.Operation != op {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		f.Times--
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f
	}
	return nil
}

// tooMany counts a request and reports whether it is one too many in this second; mu is held.
func (s *Server) tooMany() bool {
	if s.options.PerSecond == 0 {
		return false
	}
	if now := time.Now(); now.Sub(s.window) >= time.Second {
		s.window, s.inUse = now, 0
	}
	s.inUse++
	return s.inUse > s.options.PerSecond
}
