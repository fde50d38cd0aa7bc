package apicall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"
)

// Options say how requests are sent.
type Options struct {
	Base      http.RoundTripper             // nil: http.DefaultTransport
	Limiter   *rate.Limiter                 // paces all attempts; nil: no pace
	Attempts  int                           // of one request, the first included; 0: 5
	Operation func(*http.Request) string    // names the operation, for Observe
	Result    func(r *http.Response) Result // reads an answer; nil: ResultOf its status. It may read the body, which it then puts back
	Observe   Observer
	Log       *slog.Logger
}

const (
	defaultAttempts = 5
	firstWait       = 500 * time.Millisecond
	longestWait     = 30 * time.Second
)

// ErrNoTime says that a request was not sent, because its turn would have come after the end of its
// context.
var ErrNoTime = errors.New("no time is left for this request")

// Client returns an HTTP client that paces, counts and repeats. What failed on the way, was throttled or
// met a fault of the service (5xx, but 501) is repeated after a jittered, growing wait, or after what
// Retry-After asks for (RFC 9110 §10.2.3). It is not repeated when the context would end before: the
// caller then gets the answer, which says more than "deadline exceeded".
//
// Every request may thus reach the service twice; backends only send what can be sent twice.
func Client(o Options) *http.Client {
	if o.Base == nil {
		o.Base = http.DefaultTransport
	}
	if o.Attempts == 0 {
		o.Attempts = defaultAttempts
	}
	if o.Result == nil {
		o.Result = func(r *http.Response) Result { return ResultOf(r.StatusCode, nil) }
	}
	r := retryablehttp.NewClient()
	r.Logger = nil
	r.HTTPClient = &http.Client{Transport: &attempt{o}}
	r.RetryMax = o.Attempts - 1
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	r.RequestLogHook = func(_ retryablehttp.Logger, req *http.Request, repeats int) {
		if n, ok := req.Context().Value(repeatsKey{}).(*int); ok {
			*n = repeats
		}
		if repeats > 0 && o.Log != nil {
			o.Log.Debug("repeat a request", "operation", o.operation(req), "repeats", repeats)
		}
	}
	r.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if errors.Is(err, ErrNoTime) {
			return false, nil
		}
		if err != nil {
			again, _ := retryablehttp.DefaultRetryPolicy(ctx, resp, err)
			return again, nil // without a reason of its own, what the transport said stays
		}
		switch o.Result(resp) {
		case Throttled, Failed:
			return resp.StatusCode != http.StatusNotImplemented && inTime(ctx, longest(resp, repeats(ctx))), nil
		}
		return false, nil
	}
	r.Backoff = func(_, _ time.Duration, repeats int, resp *http.Response) time.Duration {
		most := longest(resp, repeats)
		least := most / 2
		if asked := retryAfter(resp); asked > 0 {
			least = asked
		}
		return least + rand.N(most-least)
	}
	return &http.Client{Transport: counting{&retryablehttp.RoundTripper{Client: r}, &http.Client{Transport: o.Base}}}
}

// longest is the longest wait before a request is repeated, after so many repeats: what the service asks
// for and a little, or else more each time.
func longest(resp *http.Response, repeats int) time.Duration {
	if asked := retryAfter(resp); asked > 0 {
		return asked + asked/10 + 100*time.Millisecond
	}
	return min(firstWait<<min(repeats, 10), longestWait)
}

// inTime reports whether a wait ends before ctx does.
func inTime(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > wait
}

// counting makes the context of each request count its repeats.
type counting struct {
	http.RoundTripper
	base *http.Client // for its idle connections, which are out of reach behind retryablehttp
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (c counting) CloseIdleConnections() { c.base.CloseIdleConnections() }

type repeatsKey struct{}

// RoundTrip implements http.RoundTripper.
func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.RoundTripper.RoundTrip(req.WithContext(context.WithValue(req.Context(), repeatsKey{}, new(int))))
}

// retryAfter is the wait an answer asks for, 0 when it asks for none: seconds or a date.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	v := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(0, min(seconds, 3600))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// repeats is how often the request of this context was repeated so far.
func repeats(ctx context.Context) int {
	if n, ok := ctx.Value(repeatsKey{}).(*int); ok {
		return *n
	}
	return 0
}

// attempt sends one request once.
type attempt struct{ Options }

// RoundTrip implements http.RoundTripper.
func (a *attempt) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.Limiter != nil {
		if err := a.Limiter.Wait(req.Context()); err != nil {
			if req.Body != nil {
				_ = req.Body.Close() // as every RoundTripper does
			}
			return nil, fmt.Errorf("%w: at %v requests a second: %w", ErrNoTime, a.Limiter.Limit(), err)
		}
	}
	began := time.Now()
	resp, err := a.Base.RoundTrip(req)
	result := NoAnswer
	if err == nil {
		result = a.Result(resp)
	}
	a.Observe.Saw(a.operation(req), result, time.Since(began))
	return resp, err
}

func (o Options) operation(req *http.Request) string {
	if o.Operation == nil {
		return req.Method
	}
	return o.Operation(req)
}
