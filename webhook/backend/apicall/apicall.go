// Package apicall owns how the requests to a DNS service's API are counted, and, for services whose SDK
// does not do it, how they are paced and repeated.
package apicall

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Observer is told of every request to a service's API, the repeated ones included: the operation under
// its name in the service's documentation, what came of it, and how long the answer took. Nil is told
// nothing.
type Observer func(operation string, result Result, took time.Duration)

// Result is what came of a request, as a label of a metric.
type Result string

// The results. A request that was refused because of what stands in the zone is a Conflict: an ETag that
// no longer matches, a record that exists already.
const (
	OK        Result = "ok"
	Throttled Result = "throttled"
	Denied    Result = "denied"
	NotFound  Result = "not_found"
	Conflict  Result = "conflict"
	Rejected  Result = "rejected"
	Failed    Result = "failed" // the service's own fault
	NoAnswer  Result = "no_answer"
)

// Saw tells the observer, if there is one.
func (o Observer) Saw(operation string, result Result, took time.Duration) {
	if o != nil {
		o(operation, result, took)
	}
}

// ResultOf reads an HTTP status; err is that of the round trip. Services that say "throttled" in another
// way need a look of their own.
func ResultOf(status int, err error) Result {
	switch {
	case err != nil || status == 0:
		return NoAnswer
	case status < 300 || status == http.StatusNotModified:
		return OK
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Denied
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusConflict || status == http.StatusPreconditionFailed:
		return Conflict
	case status >= 500:
		return Failed
	}
	return Rejected
}

// Ended reports whether err is the end of a context rather than an answer of the service.
func Ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
