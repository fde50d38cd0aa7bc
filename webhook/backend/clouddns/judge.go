package clouddns

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
)

// belief is what we take to stand in a zone during one Apply: what was listed last, what was read since,
// and what we have written.
type belief struct {
	mu    sync.Mutex
	base  *content
	fresh bool                  // base was listed during this Apply
	names map[string][]standing // what is known better than by base
}

func newBelief(base *content, fresh bool) *belief {
	return &belief{base: base, fresh: fresh, names: map[string][]standing{}}
}

// at is what stands at a name, and whether that was read or written during this Apply.
func (b *belief) at(name string) (sets []standing, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if sets, ok := b.names[name]; ok {
		return sets, true
	}
	return b.base.at(name), b.fresh
}

// relist puts a new listing under everything.
func (b *belief) relist(c *content) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.base, b.fresh = c, true
	clear(b.names)
}

// learn sets what stands at a name.
func (b *belief) learn(name string, sets []standing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names[name] = sets
}

// size is how many RRsets the zone had when it was listed.
func (b *belief) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.base.count
}

var errPart = errors.New("it is too large for one change, and a part of it failed")

// job is one unit and what has to be written for it.
type job struct {
	unit      []backend.Change
	deletions []standing
	additions []standing
	data      int
}

// grows reports whether the zone has more RRsets after it.
func (j *job) grows() bool { return len(j.additions) > len(j.deletions) }

// names are those the unit is about.
func (j *job) names() []string {
	var names []string
	for _, c := range j.unit {
		names = append(names, c.Key().Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// same reports whether two jobs write the same.
func (j *job) same(o *job) bool {
	equal := func(a, b standing) bool {
		return a.raw.Name == b.raw.Name && a.raw.Type == b.raw.Type && a.raw.Ttl == b.raw.Ttl && slices.Equal(a.raw.Rrdatas, b.raw.Rrdatas)
	}
	return slices.EqualFunc(j.deletions, o.deletions, equal) && slices.EqualFunc(j.additions, o.additions, equal)
}

// unwanted is a change that is not made, and why.
type unwanted struct {
	key backend.Key
	err error
}

// judge says what has to be written for a unit, which is nothing when all of it stands already, or what is
// in the way of it. sure is false when the answer rests on an old listing and may thus be wrong: the
// service confirms what is written, but not what is left as it is. An update from and to what stands asks for
// nothing, so nobody has to confirm it: external-dns sends one for the ownership text of each updated record.
func (b *belief) judge(unit []backend.Change) (j *job, conflict *unwanted, sure bool) {
	draft := map[backend.Key]*standing{} // what the unit makes of what stands; nil: deleted
	sure = true
	left := false // something was old, and is left as it is though more was asked for
	for _, c := range unit {
		key := c.Key()
		sets, fresh := b.at(key.Name)
		sure = sure && fresh
		current, touched := draft[key]
		if !touched {
			current = of(sets, key.Type)
		}
		if current != nil && current.set == nil {
			return nil, &unwanted{key, errForeign}, sure
		}
		var standing *backend.RRset
		if current != nil {
			standing = current.set
		}
		write, err := backend.Decide(standing, c)
		switch {
		case err != nil:
			return nil, &unwanted{key, err}, sure
		case write:
			draft[key] = written(c.New)
		default:
			left = left || !fresh && !c.Old.Same(c.New)
		}
	}
	j = &job{unit: unit}
	for _, c := range unit {
		after, touched := draft[c.Key()]
		if !touched {
			continue
		}
		sets, _ := b.at(c.Key().Name)
		j.replace(of(sets, c.Key().Type), after)
		delete(draft, c.Key())
	}
	for _, a := range j.additions {
		if sets, _ := b.at(a.set.Name); !j.coherent(a.set.Name, sets) {
			return nil, &unwanted{a.set.Key, backend.ErrAlone}, sure
		}
	}
	return j, nil, !left
}

// written is what stands after r was written; nil when it was deleted.
func written(r *backend.RRset) *standing {
	if r == nil {
		return nil
	}
	return &standing{raw: encode(r), set: r}
}

func of(sets []standing, typ string) *standing {
	for i := range sets {
		if sets[i].raw.Type == typ {
			return &sets[i]
		}
	}
	return nil
}

func (j *job) replace(before, after *standing) {
	if before != nil {
		j.deletions = append(j.deletions, *before)
		j.data += data(before.raw.Rrdatas)
	}
	if after != nil {
		j.additions = append(j.additions, *after)
		j.data += data(after.raw.Rrdatas)
	}
}

// coherent reports whether a CNAME at the name, if there is one afterwards, is alone.
func (j *job) coherent(name string, sets []standing) bool {
	n, alias := 0, false
	for _, s := range j.after(name, sets) {
		n++
		alias = alias || s.raw.Type == "CNAME"
	}
	return !alias || n == 1
}

// after is what stands at a name once the job is done.
func (j *job) after(name string, sets []standing) []standing {
	left := slices.DeleteFunc(slices.Clone(sets), func(s standing) bool {
		return slices.ContainsFunc(j.deletions, func(d standing) bool { return nameOf(d.raw) == name && d.raw.Type == s.raw.Type })
	})
	for _, a := range j.additions {
		if a.set.Name == name {
			left = append(left, a)
		}
	}
	return left
}

// wrote takes over what a job has written.
func (b *belief) wrote(j *job) {
	for _, name := range j.names() {
		sets, _ := b.at(name)
		b.learn(name, j.after(name, sets))
	}
}

// request is the change that makes several jobs at once.
func request(jobs []*job) *dns.Change {
	c := &dns.Change{}
	for _, j := range jobs {
		for _, d := range j.deletions {
			c.Deletions = append(c.Deletions, &dns.ResourceRecordSet{
				Name: d.raw.Name, Type: d.raw.Type, Ttl: d.raw.Ttl, Rrdatas: d.raw.Rrdatas, ForceSendFields: []string{"Ttl"}, // a TTL of 0 too
			})
		}
		for _, a := range j.additions {
			c.Additions = append(c.Additions, a.raw)
		}
	}
	return c
}

// notChanged is why the other records of a unit are left as they are.
func notChanged(guilty backend.Key, why error) error {
	return fmt.Errorf("not changed, because %s is not: %w", guilty, why)
}
