// Package ganditest owns a stand-in for Gandi's API that holds state and refuses what LiveDNS refuses.
//
// Sources, as they are quoted beside each refusal:
//
//   - "reference": https://api.gandi.net/docs/reference/ (rate limit, sharing id)
//   - "authentication": https://api.gandi.net/docs/authentication/
//   - "livedns": https://api.gandi.net/docs/livedns/ (paths, bodies, the 401 and 403 answers)
//   - "octodns": error bodies as recorded by octodns-gandi's tests and issues
//
// What no source says is marked as a guess; the backend must not depend on it.
package ganditest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The credentials that are accepted unless Options name others.
const (
	Token  = "pat-of-the-organization"
	APIKey = "key-of-the-user"
)

// Options say what the service holds. The zero value has no domain.
type Options struct {
	Domains     []string      // that use LiveDNS
	Token       string        // personal access token with all rights; empty: Token
	APIKey      string        // empty: APIKey
	ReadToken   string        // personal access token that may only read; empty: none
	SharingID   string        // organization that owns the domains; only lists of domains are filtered by it
	PerPage     int           // records in a page when none are asked for; 0: 100
	MaxPerPage  int           // more asked for are not given; 0: 500, the largest value known to be in use
	PerMinute   int           // requests in a minute, more are throttled (reference: 1000); 0: no limit
	Latency     time.Duration // of every answer
	MissingName bool          // a name without records answers 404 instead of an empty list: which one is a guess
}

// Server is the service. Its methods may be called at any time; as an http.Handler it answers for
// api.gandi.net behind a proxy.
type Server struct {
	options Options
	http    *http.Server
	url     string

	mu       sync.Mutex
	domains  map[string]*domain
	requests map[string]int
	sharing  string // of the last request
	faults   faults
	minute   time.Time
	used     int
}

// New starts a service on loopback. Close ends it.
func New(o Options) (*Server, error) {
	if o.Token == "" {
		o.Token = Token
	}
	if o.APIKey == "" {
		o.APIKey = APIKey
	}
	if o.PerPage == 0 {
		o.PerPage = 100
	}
	if o.MaxPerPage == 0 {
		o.MaxPerPage = 500
	}
	s := &Server{options: o, domains: map[string]*domain{}, requests: map[string]int{}}
	for _, name := range o.Domains {
		s.domains[name] = &domain{name: name, names: map[string]map[string]Record{}}
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("the stand-in for Gandi ended", "error", err)
		}
	}()
	return s, nil
}

// URL is where the API is, in place of https://api.gandi.net.
func (s *Server) URL() string { return s.url }

// Close ends the service and its connections.
func (s *Server) Close() error { return s.http.Close() }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, handle := s.route(r)
	if s.options.Latency > 0 {
		time.Sleep(s.options.Latency)
	}
	s.mu.Lock()
	s.requests[operation]++
	s.sharing = r.URL.Query().Get("sharing_id")
	writes := r.Method != http.MethodGet
	fault := s.faults.next(writes)
	a := s.answer(r, fault, writes, handle)
	s.mu.Unlock()
	switch {
	case fault.hang > 0:
		select {
		case <-r.Context().Done():
		case <-time.After(fault.hang):
		}
	case fault.lose:
		panic(http.ErrAbortHandler) // the connection breaks before the answer
	}
	a.write(w)
}

// answer is what the service says to a request; mu is held.
func (s *Server) answer(r *http.Request, fault fault, writes bool, handle handler) answer {
	switch {
	case fault.status == http.StatusTooManyRequests || s.overLimit():
		a := failure(http.StatusTooManyRequests, "HTTPTooManyRequests", "Too Many Requests", "Rate limit exceeded.")
		if fault.after > 0 {
			a.header.Set("Retry-After", strconv.Itoa(int(fault.after/time.Second)))
		}
		return a
	case fault.html:
		return answer{status: fault.status, header: http.Header{"Content-Type": {"text/html"}}, body: []byte("<html><h1>Bad Gateway</h1></html>")}
	case fault.status != 0:
		return failure(fault.status, "HTTPInternalServerError", "Internal Server Error", "Something went wrong.")
	}
	if refused := s.authorize(r, writes); refused != nil {
		return *refused
	}
	if writes && r.Method != http.MethodDelete && r.Header.Get("Content-Type") != "application/json" {
		// reference: "POST, PUT and PATCH requests you perform must contain … Content-Type: application/json".
		return failure(http.StatusUnsupportedMediaType, "HTTPUnsupportedMediaType", "Unsupported Media Type", "Content-Type must be application/json.")
	}
	return handle(r)
}

// overLimit counts a request against the limit; mu is held. reference: "a maximum of 1000 requests per
// minute from the same IP address".
func (s *Server) overLimit() bool {
	if s.options.PerMinute == 0 {
		return false
	}
	if now := time.Now(); now.Sub(s.minute) >= time.Minute {
		s.minute, s.used = now, 0
	}
	s.used++
	return s.used > s.options.PerMinute
}

// authorize checks the credentials. authentication: "Authorization: Bearer abc" for personal access
// tokens, "Authorization: Apikey 0123456" for API keys. livedns: 401 is a "bad authentication attempt
// because of a wrong API Key", 403 a bearer token that has expired or lacks a permission.
func (s *Server) authorize(r *http.Request, writes bool) *answer {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	denied := failure(http.StatusForbidden, "HTTPForbidden", "Forbidden", "Access was denied to this resource.")
	switch {
	case s.faults.expired && scheme == "Bearer":
		return &denied
	case scheme == "Bearer" && secret == s.options.Token, scheme == "Apikey" && secret == s.options.APIKey:
		return nil
	case scheme == "Bearer" && s.options.ReadToken != "" && secret == s.options.ReadToken:
		if writes {
			return &denied
		}
		return nil
	}
	// octodns: the text of a 401.
	a := failure(http.StatusUnauthorized, "HTTPUnauthorized", "Unauthorized", "The server could not verify that you authorized to access "+
		"the document you requested. Either you supplied the wrong credentials (e.g., bad api key), or your access token has expired")
	return &a
}

// answer is a response to be written.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) write(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// reply is an answer with a JSON body.
func reply(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // what is replied are values of this package
	}
	return answer{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// failure is an error about the request as a whole. octodns: {"code":403,"message":"Access was denied to
// this resource.","object":"HTTPForbidden","cause":"Forbidden"}.
func failure(status int, object, cause, message string) answer {
	return reply(status, map[string]any{"code": status, "message": message, "object": object, "cause": cause})
}

// notFound is octodns's {"code": 404, "message": "The resource could not be found.", …}.
func notFound() answer {
	return failure(http.StatusNotFound, "HTTPNotFound", "Not Found", "The resource could not be found.")
}

// invalid is an error about what a body says. octodns: {"status": "error", "errors": [{"location": "body",
// "name": "rrset_ttl", "description": "60 is less than minimum value 300"}]}.
func invalid(field, description string) answer {
	return reply(http.StatusBadRequest, map[string]any{"status": "error", "errors": []map[string]string{
		{"location": "body", "name": field, "description": description},
	}})
}
