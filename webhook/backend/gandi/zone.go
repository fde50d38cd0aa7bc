package gandi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/spokedns/spokedns/webhook/backend"
)

// content is what a zone held when it was read. Nobody modifies it.
type content struct {
	shown []record           // everything in the domain, in order of name and type
	names map[string][]entry // by canonical name, those at or below the zone
	sets  []backend.RRset    // what List returns
	pages int                // requests it took
}

// domainOf finds the domain that holds a zone: the zone itself, or the nearest name above it that the
// account has in LiveDNS.
func (b *Backend) domainOf(ctx context.Context, zone string) (string, error) {
	return b.domains.Get(ctx, zone, func(ctx context.Context, _ string) (string, error) {
		var denied error
		for name := zone; strings.Contains(name, "."); _, name, _ = strings.Cut(name, ".") {
			err := b.client.domain(ctx, name)
			switch status(err) {
			case http.StatusNotFound:
			case http.StatusForbidden:
				// A token may be limited to the domain above.
				denied = cmp.Or(denied, err)
			default:
				return name, err
			}
		}
		if denied != nil {
			return "", denied
		}
		return "", noDomainError(zone)
	})
}

// noDomainError is about a zone that no domain of the account holds.
type noDomainError string

func (e noDomainError) Error() string {
	return fmt.Sprintf("the account has neither %s nor a domain above it in LiveDNS", string(e))
}

// traffic is what this backend does in a domain at the moment.
type traffic struct {
	turn   *semaphore.Weighted // one Apply at a time: what one has read the next may overwrite
	gate   *semaphore.Weighted // shared by writes; a reader that must not be disturbed takes all of it
	writes atomic.Int64        // begun or ended so far
}

const wholeGate = 1 << 20

// traffics are those of all domains.
type traffics struct {
	mu  sync.Mutex
	all map[string]*traffic
}

func (t *traffics) in(domain string) *traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[domain] == nil {
		t.all[domain] = &traffic{turn: semaphore.NewWeighted(1), gate: semaphore.NewWeighted(wholeGate)}
	}
	return t.all[domain]
}

// write counts a write and keeps it out of a reading that must not be disturbed.
func (t *traffic) write(ctx context.Context, do func() error) error {
	if err := t.gate.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("waited for a listing: %w", context.Cause(ctx))
	}
	defer t.gate.Release(1)
	t.writes.Add(1)
	defer t.writes.Add(1)
	return do()
}

// readings is how often a zone is read that changes while its pages come.
const readings = 4

// errTorn says that the pages of one reading do not belong together.
var errTorn = errors.New("the domain changed while its pages were read")

// errSamePage says that there is no end to the pages.
var errSamePage = errors.New("the service shows the same page again and does not say how many records there are; something in between may drop the query of the request and the header Total-Count of the answer")

// readZone reads a zone. Pages are counted by position, so a record that comes or goes meanwhile moves
// others from a page not yet read to one that was: a reading in which the numbers do not agree, a record
// comes twice, or during which we wrote ourselves, is thrown away. The last try keeps our own writes out.
func (b *Backend) readZone(ctx context.Context, domain, zone string, last *content) (*content, error) {
	t := b.traffic.in(domain)
	for try := 1; ; try++ {
		if try == readings {
			if err := t.gate.Acquire(ctx, wholeGate); err != nil {
				return nil, fmt.Errorf("waited for writes: %w", context.Cause(ctx))
			}
			defer t.gate.Release(wholeGate)
		}
		before := t.writes.Load()
		shown, pages, err := b.readPages(ctx, domain)
		if err == nil && pages > 1 && t.writes.Load() != before {
			err = errTorn
		}
		switch {
		case err == nil:
			return b.understand(shown, pages, domain, zone, last), nil
		case !errors.Is(err, errTorn) || try == readings:
			return nil, err
		}
	}
}

// readPages reads every record of a domain, in order of name and type. The service says on each page how
// many there are; if it ever did not, only an empty page would be the end.
func (b *Backend) readPages(ctx context.Context, domain string) (all []record, pages int, err error) {
	announced := -1
	var before []record
	for more := true; more; {
		pages++
		page, total, err := b.client.page(ctx, domain, pages)
		if err != nil {
			return nil, 0, err
		}
		if total < 0 && len(page) > 0 && slices.EqualFunc(page, before, func(a, b record) bool { return byNameAndType(a, b) == 0 }) {
			return nil, 0, errSamePage
		}
		before = page
		all = append(all, page...)
		if pages > 1 && total != announced || total >= 0 && (len(all) > total || len(page) == 0 && len(all) < total) {
			return nil, 0, errTorn
		}
		announced = total
		more = len(all) < total || total < 0 && len(page) > 0
	}
	slices.SortFunc(all, byNameAndType)
	for i := range all[:max(0, len(all)-1)] {
		if byNameAndType(all[i], all[i+1]) == 0 {
			return nil, 0, errTorn
		}
	}
	return all, pages, nil
}

func byNameAndType(a, b record) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type))
}

// understand turns the records of a domain into the content of a zone: the last one when nothing changed.
func (b *Backend) understand(shown []record, pages int, domain, zone string, last *content) *content {
	same := func(a, b record) bool {
		return a.Name == b.Name && a.Type == b.Type && a.TTL == b.TTL && slices.Equal(a.Values, b.Values)
	}
	if last != nil && last.pages == pages && slices.EqualFunc(shown, last.shown, same) {
		return last
	}
	c := &content{shown: shown, pages: pages, names: make(map[string][]entry, len(shown)), sets: make([]backend.RRset, 0, len(shown))}
	for _, r := range shown {
		name, e, ok := read(r, domain)
		if !ok || !backend.InZone(name, zone) {
			continue
		}
		c.names[name] = append(c.names[name], e)
		if e.set != nil && b.limits.Check(zone, *e.set) == nil {
			c.sets = append(c.sets, *e.set)
		}
	}
	return c
}
