package apicall_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

// service answers with a status after the other; the last one stays.
type service struct {
	statuses []int
	header   http.Header
	bodies   []string // of the requests
	at       []time.Time
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		s.bodies = append(s.bodies, string(b))
	}
	status := s.statuses[min(len(s.at), len(s.statuses)-1)]
	s.at = append(s.at, time.Now())
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: status, Header: s.header.Clone(), Body: io.NopCloser(strings.NewReader("answer")), Request: r}, nil
}

// send returns the status of the last answer.
func send(ctx context.Context, t *testing.T, o apicall.Options) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://service.invalid/", strings.NewReader("question"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := apicall.Client(o).Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestRepeatsWhatCanHeal(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses []int
		requests int
		results  []apicall.Result
	}{
		{"success", []int{200}, 1, []apicall.Result{apicall.OK}},
		{"fault, then success", []int{503, 500, 200}, 3, []apicall.Result{apicall.Failed, apicall.Failed, apicall.OK}},
		{"throttled, then success", []int{429, 201}, 2, []apicall.Result{apicall.Throttled, apicall.OK}},
		{"no answer, then success", []int{0, 200}, 2, []apicall.Result{apicall.NoAnswer, apicall.OK}},
		{"refusals are final", []int{400}, 1, []apicall.Result{apicall.Rejected}},
		{"denials are final", []int{403}, 1, []apicall.Result{apicall.Denied}},
		{"not implemented is final", []int{501}, 1, []apicall.Result{apicall.Failed}},
		{"it gives up", []int{503}, 5, slices.Repeat([]apicall.Result{apicall.Failed}, 5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{statuses: c.statuses}
				var results []apicall.Result
				status, err := send(t.Context(), t, apicall.Options{Base: s, Observe: func(_ string, r apicall.Result, _ time.Duration) { results = append(results, r) }})
				if err != nil {
					t.Fatal(err)
				}
				if len(s.at) != c.requests || !slices.Equal(results, c.results) {
					t.Errorf("%d requests %v, want %d %v", len(s.at), results, c.requests, c.results)
				}
				if want := c.statuses[len(c.statuses)-1]; status != want {
					t.Errorf("got %d, want the last answer %d", status, want)
				}
				for _, b := range s.bodies {
					if b != "question" {
						t.Errorf("a repeated request has the body %q", b)
					}
				}
			})
		})
	}
}

func TestWaitsAsLongAsAskedAndNoLongerThanThereIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{statuses: []int{429, 200}, header: http.Header{"Retry-After": {"20"}}}
		if _, err := send(t.Context(), t, apicall.Options{Base: s}); err != nil {
			t.Fatal(err)
		}
		if waited := s.at[1].Sub(s.at[0]); waited < 20*time.Second || waited > 23*time.Second {
			t.Errorf("waited %s, want 20 s and a little", waited)
		}

		s = &service{statuses: []int{429, 200}, header: http.Header{"Retry-After": {"20"}}}
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		began := time.Now()
		status, err := send(ctx, t, apicall.Options{Base: s})
		if err != nil || status != http.StatusTooManyRequests || time.Since(began) > time.Second {
			t.Errorf("got %d, %v after %s; want the 429 at once", status, err, time.Since(began))
		}
	})
}

// Without Retry-After it is our own growing wait that may be longer than there is time: the answer says more
// than that the time is over. An asked wait is prolonged a little, which counts too.
func TestNoWaitBeyondTheEndOfTheContext(t *testing.T) {
	for _, header := range []http.Header{nil, {"Retry-After": {"60"}}} {
		for left := time.Second; left < 70*time.Second; left += 250 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), left)
				defer cancel()
				status, err := send(ctx, t, apicall.Options{Base: &service{statuses: []int{429}, header: header}})
				if err != nil || status != http.StatusTooManyRequests {
					t.Errorf("with %s left, asked to wait %q: got %d, %v; want the 429", left, header, status, err)
				}
			})
		}
	}
}

func TestTheEndOfTheContextIsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := send(ctx, t, apicall.Options{Base: &service{statuses: []int{0}}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{statuses: []int{200}}
		o := apicall.Options{Base: s, Limiter: rate.NewLimiter(5, 1)}
		for range 11 {
			if _, err := send(t.Context(), t, o); err != nil {
				t.Fatal(err)
			}
		}
		if took := s.at[10].Sub(s.at[0]); took != 2*time.Second {
			t.Errorf("11 requests at 5/s took %s, want 2 s", took)
		}
	})
}

func TestWhatThePaceLeavesNoTimeForFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{statuses: []int{200}}
		o := apicall.Options{Base: s, Limiter: rate.NewLimiter(0.01, 1)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := send(ctx, t, o); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := send(ctx, t, o); !errors.Is(err, apicall.ErrNoTime) {
			t.Errorf("got %v, want that there is no time", err)
		}
		if waited := time.Since(began); waited > 0 || len(s.at) != 1 {
			t.Errorf("%d requests, the last refused after %s; want one, and the other refused at once", len(s.at), waited)
		}
	})
}

func TestIdleConnectionsAreWithinReach(t *testing.T) {
	s := &closing{}
	apicall.Client(apicall.Options{Base: s}).CloseIdleConnections()
	if s.closed != 1 {
		t.Errorf("they were closed %d times, want once", s.closed)
	}
}

type closing struct {
	service
	closed int
}

func (c *closing) CloseIdleConnections() { c.closed++ }

func TestBodyIsReadAgain(t *testing.T) {
	resp := &http.Response{Body: io.NopCloser(strings.NewReader("a long answer"))}
	if got := string(apicall.Body(resp, 6)); got != "a long" {
		t.Errorf("got %q", got)
	}
	if all, err := io.ReadAll(resp.Body); err != nil || string(all) != "a long answer" {
		t.Errorf("got %q, %v; want everything", all, err)
	}
}

func TestResultOf(t *testing.T) {
	for status, want := range map[int]apicall.Result{
		0: apicall.NoAnswer, 200: apicall.OK, 202: apicall.OK, 304: apicall.OK, 400: apicall.Rejected, 401: apicall.Denied, 403: apicall.Denied,
		404: apicall.NotFound, 409: apicall.Conflict, 412: apicall.Conflict, 429: apicall.Throttled, 500: apicall.Failed, 503: apicall.Failed,
	} {
		if got := apicall.ResultOf(status, nil); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}
