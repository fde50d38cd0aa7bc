package clouddns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
)

// content is what a zone held when it was listed. Nobody modifies it.
type content struct {
	sets  []backend.RRset       // what List returns
	names map[string][]standing // everything, by the name without its dot
	count int                   // of what is in names
}

// standing is one RRset of the service.
type standing struct {
	raw *dns.ResourceRecordSet // as the service has it: a deletion has to say exactly this
	set *backend.RRset         // what it means; nil for what is not ours to read or write
}

// at returns what stands at a name.
func (c *content) at(name string) []standing { return c.names[name] }

// list reads all pages of a zone. What did not change since last is the same again; when nothing did, it
// returns last itself.
func (b *Backend) list(ctx context.Context, zone string, m managedZone, last *content) (*content, error) {
	c := &content{names: map[string][]standing{}}
	if last != nil {
		c.names = make(map[string][]standing, len(last.names))
		c.sets = make([]backend.RRset, 0, len(last.sets))
	}
	same, complete := last != nil, false
	err := b.client.records(ctx, m, "", func(page []*dns.ResourceRecordSet) {
		for _, raw := range page {
			complete = complete || raw.Type == "SOA" && nameOf(raw) == zone
			s, known := last.same(raw)
			if !known {
				same, s = false, read(zone, raw)
			}
			c.add(s)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case !complete: // every managed zone has one, so this is not all of it, whatever answered
		return nil, fmt.Errorf("the listing of %s holds no SOA record, so it is not the whole zone", m)
	case same && c.count == last.count:
		return last, nil
	}
	return c, nil
}

func (c *content) add(s standing) {
	name := nameOf(s.raw)
	c.names[name] = append(c.names[name], s)
	c.count++
	if s.set != nil {
		c.sets = append(c.sets, *s.set)
	}
}

// same finds what was listed last under raw's name and type, if it is still so.
func (c *content) same(raw *dns.ResourceRecordSet) (standing, bool) {
	if c == nil {
		return standing{}, false
	}
	for _, s := range c.names[nameOf(raw)] {
		if s.raw.Type == raw.Type {
			return s, s.raw.Ttl == raw.Ttl && slices.Equal(s.raw.Rrdatas, raw.Rrdatas) && (s.raw.RoutingPolicy == nil) == (raw.RoutingPolicy == nil)
		}
	}
	return standing{}, false
}

// nameOf is the canonical name of an RRset, or what comes near it when it has none.
func nameOf(raw *dns.ResourceRecordSet) string {
	if name, err := backend.Name(raw.Name); err == nil {
		return name
	}
	return strings.TrimSuffix(raw.Name, ".")
}

// read says what an RRset of the service means.
func read(zone string, raw *dns.ResourceRecordSet) standing {
	set, err := decode(zone, raw)
	if err != nil {
		return standing{raw: raw}
	}
	return standing{raw: raw, set: &set}
}

var errForeign = errors.New("something stands there that is not ours to write: a routing policy, or values in a form we do not know; left untouched")

// decode is the opposite of encode. It refuses what is not ours: other types, routing policies, the zone's
// own NS, and values that mean nothing.
func decode(zone string, raw *dns.ResourceRecordSet) (backend.RRset, error) {
	set := backend.RRset{Key: backend.Key{Name: raw.Name, Type: raw.Type}, TTL: time.Duration(raw.Ttl) * time.Second}
	switch {
	case raw.RoutingPolicy != nil || len(raw.Rrdatas) == 0:
		return set, errForeign
	case !slices.Contains(types(), raw.Type) || raw.Type == "NS" && nameOf(raw) == zone:
		return set, errForeign
	}
	set.Values = raw.Rrdatas
	if raw.Type == "TXT" {
		set.Values = make([]string, len(raw.Rrdatas))
		for i, v := range raw.Rrdatas {
			text, err := unquote(v)
			if err != nil {
				return set, err
			}
			set.Values[i] = text
		}
	}
	return backend.Canonical(set)
}
