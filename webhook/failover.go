package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

const (
	// A site whose address changes more often than this flaps: external-dns's loop is fast enough for it.
	failoverEvery = time.Minute
	failoverBurst = 3
	// Where an address changes, connections break: of the APIs of DNS services too.
	failoverTries = 5
	failoverTime  = 15 * time.Second // for one try
	failoverRetry = time.Second      // before the second try, then twice as long each time
)

// failOver moves names to a site's new address as soon as it is known, until ctx ends.
func (w *webhook) failOver(ctx context.Context) {
	limit := rate.NewLimiter(rate.Every(failoverEvery), failoverBurst)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.sites.moved:
			w.move(ctx, limit)
		}
	}
}

// move tries until everything is moved, the address has changed again, or it is better left to external-dns.
func (w *webhook) move(ctx context.Context, limit *rate.Limiter) {
	allowed := false
	allow := func() bool {
		allowed = allowed || limit.Allow() // once for all tries
		return allowed
	}
	for try := range failoverTries {
		if !w.moveOnce(ctx, allow) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-w.sites.moved:
			w.sites.signal()
			return
		case <-time.After(failoverRetry << try):
		}
	}
}

// moveOnce reports whether it is worth another try.
func (w *webhook) moveOnce(ctx context.Context, allow func() bool) (again bool) {
	ctx, cancel := context.WithTimeout(ctx, failoverTime)
	defer cancel()
	start := time.Now()
	moved, err := w.current.FailOver(ctx, allow)
	if moved.Left > 0 {
		w.log.WarnContext(ctx, "records carry a former address of the site and are not known to be external-dns's own; they wait for its next loop", "records", moved.Left)
	}
	switch {
	case err != nil:
		w.log.ErrorContext(ctx, "failover", "records", moved.Records, "error", err)
		w.event(ctx, eventWarning, "FailoverFailed", fmt.Sprintf("Not every name that carries a former address of the site could be moved at once; external-dns's next loop will do what is left: %v", err))
	case moved.Put:
		w.log.WarnContext(ctx, "the site's address changes too often; records wait for external-dns's next loop", "records", moved.Records)
		w.event(ctx, eventWarning, "FailoverPutOff", fmt.Sprintf("The site's address changes too often; %d records wait for external-dns's next loop", moved.Records))
	case moved.Records > 0:
		w.log.InfoContext(ctx, "failover", "records", moved.Records, "took", time.Since(start))
		w.event(ctx, eventNormal, "FailedOver", fmt.Sprintf("%d records were moved to the site's new address", moved.Records))
	}
	return err != nil
}
