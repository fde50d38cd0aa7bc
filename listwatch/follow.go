package listwatch

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstRetry = 250 * time.Millisecond
	// LastRetry is the longest wait between two attempts, but for a jitter of half as much.
	LastRetry = 10 * time.Second
	// Patience is how long what is followed counts as known after the connection was lost: an API server that
	// restarts should not stop DNS.
	Patience = 30 * time.Second
)

// Following is what Follow keeps in step with the API server. Its functions are called one at a time.
type Following struct {
	// List reads everything and returns the resource version to watch from.
	List func(ctx context.Context) (version string, err error)
	// Watch reads the changes after the version until the connection ends, and returns the version to go on from.
	// It calls opened once the server has agreed: from then on every change is heard of.
	Watch func(ctx context.Context, version string, opened func()) (string, error)
	// Failed is told why either failed, once for every attempt. brief says that every change was heard of until less
	// than Patience ago. After a refusal of rights (401, 403) everything is listed anew.
	Failed func(err error, brief bool)
}

// Follow lists, then watches from there, over and over, until the context ends.
func Follow(ctx context.Context, f Following) {
	retry, version := firstRetry, ""
	var heard time.Time // when a watch was last known to be open
	for ctx.Err() == nil {
		var err error
		open, listing, started := false, version == "", time.Now()
		if listing {
			version, err = f.List(ctx)
		} else {
			version, err = f.Watch(ctx, version, func() { open = true })
		}
		if open {
			heard = time.Now()
		}
		if time.Since(started) > LastRetry {
			retry = firstRetry
		}
		switch {
		case ctx.Err() != nil, err == nil && (listing || time.Since(started) > time.Second):
			continue
		case err == nil: // a watch that ended as soon as it was open: not at once again
		case Refused(err, http.StatusGone):
			version = "" // the server no longer remembers so far back
		default:
			f.Failed(err, !heard.IsZero() && time.Since(heard) < Patience)
			if Refused(err, http.StatusForbidden, http.StatusUnauthorized) {
				version = "" // what may no longer be read may be long gone
			}
		}
		Wait(ctx, retry+rand.N(retry/2))
		retry = min(2*retry, LastRetry)
	}
}

// Wait sleeps, or until the context ends.
func Wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
