package ganditest

import (
	"maps"
	"net/http"
	"time"
)

// fault is what happens to one request. A lost or hanging one is done all the same.
type fault struct {
	status int
	after  time.Duration
	html   bool
	lose   bool
	hang   time.Duration
}

// faults are those to come. Each list is used up in order: all for every request, writes for writes only.
type faults struct {
	all     []fault
	writes  []fault
	expired bool
}

// next is the fault of the request at hand.
func (f *faults) next(writes bool) fault {
	if len(f.all) > 0 {
		first := f.all[0]
		f.all = f.all[1:]
		return first
	}
	if writes && len(f.writes) > 0 {
		first := f.writes[0]
		f.writes = f.writes[1:]
		return first
	}
	return fault{}
}

func (s *Server) soon(list func(*faults) *[]fault, n int, f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := list(&s.faults)
	for range n {
		*l = append(*l, f)
	}
}

func every(f *faults) *[]fault { return &f.all }
func write(f *faults) *[]fault { return &f.writes }

// Throttle refuses the next n requests with 429, and asks to wait for after unless it is 0.
func (s *Server) Throttle(n int, after time.Duration) {
	s.soon(every, n, fault{status: http.StatusTooManyRequests, after: after})
}

// Fail answers the next n requests with a status, without doing them.
func (s *Server) Fail(n, status int) { s.soon(every, n, fault{status: status}) }

// FailWrites lets so many writes pass and answers the next n ones with a status, without doing them.
func (s *Server) FailWrites(after, n, status int) {
	s.soon(write, after, fault{})
	s.soon(write, n, fault{status: status})
}

// Break answers the next n requests with 502 and a page of HTML, as a gateway in front of the API does.
func (s *Server) Break(n int) { s.soon(every, n, fault{status: http.StatusBadGateway, html: true}) }

// LoseReply does the next n writes and breaks the connection instead of answering.
func (s *Server) LoseReply(n int) { s.soon(write, n, fault{lose: true}) }

// Hang does the next n requests and lets the caller wait for so long.
func (s *Server) Hang(n int, wait time.Duration) { s.soon(every, n, fault{hang: wait}) }

// Expire makes personal access tokens expired, or valid again.
func (s *Server) Expire(expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.expired = expired
}

// Requests counts the requests by operation, throttled and failed ones included: "GET records",
// "POST records", "GET name", "PUT name", "DELETE name", "PUT rrset", "DELETE rrset", "GET domain", ….
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// Total is the number of all requests.
func (s *Server) Total() int {
	n := 0
	for _, count := range s.Requests() {
		n += count
	}
	return n
}

// Reset sets the counts to nothing.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.requests)
}

// Sharing is the sharing_id of the last request.
func (s *Server) Sharing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sharing
}
