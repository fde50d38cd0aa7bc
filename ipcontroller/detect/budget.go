package detect

import (
	"slices"
	"time"
)

// budget counts queries that left the site, by operator, over the last hour. No operator ever gets more than its
// share. Watching (canaries and audits) leaves a reserve of it alone, so that doubt (rounds because something looks
// different, or nothing is agreed) need not wait.
type budget struct {
	share   int // queries per operator and hour
	reserve int // of them, for rounds in doubt
	spent   []query
}

type query struct {
	at       time.Time
	operator string
	doubt    bool
}

// spend notes a query.
func (b *budget) spend(now time.Time, operator string, doubt bool) {
	b.forget(now)
	b.spent = append(b.spent, query{now, operator, doubt})
}

// refund takes back the queries of a moment: nobody answered, so they did not get out of the site.
func (b *budget) refund(at time.Time) {
	b.spent = slices.DeleteFunc(b.spent, func(q query) bool { return q.at.Equal(at) })
}

// forget drops what is older than an hour.
func (b *budget) forget(now time.Time) {
	b.spent = slices.DeleteFunc(b.spent, func(q query) bool { return now.Sub(q.at) >= time.Hour })
}

// watch says when an operator may be asked n times more, as a canary or in an audit.
func (b *budget) watch(now time.Time, operator string, n int) time.Time {
	own := b.fits(now, n, b.share-b.reserve, func(q query) bool { return q.operator == operator && !q.doubt })
	if all := b.round(now, operator, n); all.After(own) {
		return all
	}
	return own
}

// round says when an operator may be asked n times more, in doubt.
func (b *budget) round(now time.Time, operator string, n int) time.Time {
	b.forget(now)
	return b.fits(now, n, b.share, func(q query) bool { return q.operator == operator })
}

// fits says when n more queries of a kind are within a limit.
func (b *budget) fits(now time.Time, n, limit int, kind func(query) bool) time.Time {
	var times []time.Time
	for _, q := range b.spent {
		if kind(q) {
			times = append(times, q.at)
		}
	}
	over := len(times) + n - limit
	if over <= 0 || len(times) == 0 {
		return now
	}
	return times[min(over, len(times))-1].Add(time.Hour)
}
