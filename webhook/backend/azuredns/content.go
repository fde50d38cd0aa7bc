package azuredns

import (
	"slices"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
)

// content is what a zone held when it was listed, with what we wrote to it since.
type content struct {
	zone zoneID
	sets []backend.RRset // as listed

	mu      sync.Mutex
	records map[backend.Key]record // as far as we know now
}

// newContent makes a content of a listing; what is ours to list is taken over from the last one when
// nothing of it changed.
func newContent(z zoneID, records []record, limits backend.Limits, last *content) *content {
	c := &content{zone: z, sets: make([]backend.RRset, 0, len(records)), records: make(map[backend.Key]record, len(records))}
	for _, r := range records {
		c.records[r.set.Key] = r
		if r.foreign == "" && len(r.set.Values) > 0 && slices.Contains(limits.Types, r.set.Type) {
			c.sets = append(c.sets, r.set)
		}
	}
	if last != nil && slices.EqualFunc(c.sets, last.sets, func(a, b backend.RRset) bool { return a.TTL == b.TTL && a.Same(&b) }) {
		c.sets = last.sets
	}
	return c
}

// get returns what we know of a record set, nil when it is not there.
func (c *content) get(key backend.Key) *record {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.records[key]
	if !ok {
		return nil
	}
	return &r
}

// learn remembers what stands at a key now; nil when nothing does.
func (c *content) learn(key backend.Key, r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r == nil {
		delete(c.records, key)
		return
	}
	c.records[key] = *r
}
