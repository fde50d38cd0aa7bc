package azurednstest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// faults are what the next requests meet.
type faults struct {
	throttle   int
	retryAfter time.Duration
	fail       int
	failStatus int
	loseReply  int
	delay      time.Duration
	refuse     string
	refuseWith int
}

// fault is what one request meets.
type fault struct {
	refusal   error
	loseReply bool
}

// Throttle answers the next n requests with 429 and Retry-After, in whole seconds
// (request-limits-and-throttling, "Error code").
func (s *Server) Throttle(n int, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.throttle, s.faults.retryAfter = n, retryAfter
}

// Fail answers the next n requests with a status of the service's own fault, 500 or 503 for example.
func (s *Server) Fail(n, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.fail, s.faults.failStatus = n, status
}

// LoseReplies does what the next n writes ask for and closes their connections instead of answering.
func (s *Server) LoseReplies(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.loseReply = n
}

// Refuse answers every write of one record set, "CNAME/www", with a status, until another is named.
func (s *Server) Refuse(recordSet string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.refuse, s.faults.refuseWith = recordSet, status
}

// Delay makes every answer wait.
func (s *Server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.delay = d
}

// meet counts a request and returns what it meets.
func (s *Server) meet(ctx context.Context, operation, recordSet string, write bool) fault {
	s.mu.Lock()
	s.counts[operation]++
	f, wait := s.next(recordSet, write), s.faults.delay
	s.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return f
}

func (s *Server) next(recordSet string, write bool) fault {
	switch {
	case write && s.faults.refuse != "" && s.faults.refuse == recordSet:
		return fault{refusal: refused(s.faults.refuseWith, strings.ReplaceAll(http.StatusText(s.faults.refuseWith), " ", ""), "refused by the test")}
	case s.faults.throttle > 0:
		s.faults.throttle--
		return fault{refusal: throttled(s.faults.retryAfter)}
	case s.faults.fail > 0:
		s.faults.fail--
		return fault{refusal: &refusal{status: s.faults.failStatus, code: "InternalServerError", message: "The service was unable to process the request."}}
	case s.faults.loseReply > 0 && write:
		s.faults.loseReply--
		return fault{loseReply: true}
	}
	return fault{}
}

func throttled(retryAfter time.Duration) error {
	return &refusal{status: http.StatusTooManyRequests, code: "TooManyRequests", message: "The request was throttled.", retryAfter: retryAfter}
}

// level is how full a token bucket is.
type level struct {
	tokens float64
	at     time.Time
}

// bucket takes a token for a request of a subscription and tells how many are left, as Resource Manager
// does (request-limits-and-throttling, "Regional throttling and token bucket algorithm"); mu is held.
func (s *Server) bucket(method string, c call, header http.Header) error {
	size, rate := float64(s.options.Bucket.Size), float64(s.options.Bucket.PerSecond)
	if size == 0 {
		return nil
	}
	class := map[string]string{http.MethodPut: "writes", http.MethodDelete: "deletes"}[method]
	if class == "" {
		class = "reads"
	}
	l := s.limits[c.sub+" "+class]
	if l == nil {
		l = &level{tokens: size, at: time.Now()}
		s.limits[c.sub+" "+class] = l
	}
	now := time.Now()
	l.tokens, l.at = min(size, l.tokens+now.Sub(l.at).Seconds()*rate), now
	if l.tokens < 1 {
		return throttled(time.Second)
	}
	l.tokens--
	header.Set("x-ms-ratelimit-remaining-subscription-"+class, strconv.Itoa(int(l.tokens)))
	return nil
}
