package detect

import (
	"errors"
	"math/rand/v2"
	"time"
)

// The breaker of a source: how long one that says we ask too often is left alone.
const (
	firstBreak   = time.Minute // when it does not say how long; doubled each time
	longestBreak = time.Hour   // nobody is left alone for longer, whatever he says
)

// breaker keeps a source that throttles us from being asked. Only throttling opens it: a source that is
// merely silent may be so because the whole site is cut off, and must be asked when it is back. When its time
// is over the next query is the trial.
type breaker struct {
	until   time.Time
	strikes int // throttled in a row
}

// open says how long the source is not to be asked; 0: it may be.
func (b *breaker) open(now time.Time) time.Duration { return max(b.until.Sub(now), 0) }

// note takes in what came of a query.
func (b *breaker) note(err error, now time.Time) {
	if err == nil {
		*b = breaker{}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != Throttled {
		return
	}
	wait := e.RetryAfter
	if wait <= 0 {
		wait = firstBreak << min(b.strikes, 6)
	}
	b.strikes++
	b.until = now.Add(min(max(wait, time.Second), longestBreak))
}

// jitter spreads d by a twentieth to either side, so that sites that started together do not ask together.
func jitter(d time.Duration) time.Duration {
	if d < 20 {
		return d
	}
	return d - d/20 + rand.N(d/10) //nolint:gosec // no secret
}

// backoff is the wait before the next round without a quorum, after one of last.
func backoff(last time.Duration) time.Duration {
	const first, longest = 5 * time.Second, 300 * time.Second
	return min(max(2*last, first), longest)
}
