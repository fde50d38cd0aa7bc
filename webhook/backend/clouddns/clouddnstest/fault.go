package clouddnstest

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Fault is what happens to the next requests instead of, or besides, what they ask for.
type Fault struct {
	Operation  string // only requests of this operation; "": all
	After      int    // so many of them pass before
	Times      int    // and so many are hit; 0: one
	Status     int    // answer this instead, 0: do what is asked
	Reason     string // of the answer, for example "rateLimitExceeded"
	Message    string
	RetryAfter int           // seconds, in the header of the answer; 0: no header
	Body       string        // the whole answer, instead of one in Google's form
	LoseReply  bool          // do it, then close the connection without an answer
	Delay      time.Duration // wait before anything else
}

// Throttled is how the service says that the quota of requests is used up: 403 in the Cloud DNS API's own
// form, 429 from the gateway before it (https://cloud.google.com/dns/docs/error-messages).
func Throttled(times int) Fault {
	return Fault{Times: times, Status: http.StatusForbidden, Reason: "rateLimitExceeded", Message: "Rate Limit Exceeded"}
}

// Fail adds a fault. Several wait for their turn in the order in which they came.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = max(f.Times, 1)
	s.faults = append(s.faults, &f)
}

// Heal forgets the faults that are still waiting.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// count counts a request and returns the fault that hits it, the zero Fault when there is none.
func (s *Server) count(operation string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[operation]++
	for i, f := range s.faults {
		switch {
		case f.Operation != "" && f.Operation != operation:
			continue
		case f.After > 0:
			f.After--
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return *f
	}
	return Fault{}
}

func (f Fault) wait(ctx context.Context) error {
	if f.Delay == 0 {
		return nil
	}
	select {
	case <-time.After(f.Delay):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f Fault) answer(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	if f.Body != "" {
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body))
		return
	}
	reason, message := f.Reason, f.Message
	if reason == "" {
		reason = "backendError"
	}
	if message == "" {
		message = http.StatusText(f.Status)
	}
	refuse(f.Status, reason, "%s", message).write(w)
}
