package rfc2136

import (
	"errors"
	"slices"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// copied is a zone as one server held it at one version, as far as the scope goes.
type copied struct {
	zone    string
	scope   *scope
	version wire.Version
	sets    []backend.RRset // handed out: never modified, only replaced
	at      map[key]int32   // where each RRset stands in sets
	// unusual holds the data of RRsets whose values do not tell it, as TXT that somebody cut into strings in
	// another way than we do: a prerequisite must repeat it byte for byte.
	unusual map[key][][]byte

	several []int32 // places in sets with more than one value, while loading
	text    []byte  // scratch
}

type key struct {
	name string
	typ  wire.Type
}

func newCopied(zone string, sc *scope, size int) *copied {
	return &copied{
		zone: zone, scope: sc, sets: make([]backend.RRset, 0, size),
		at: make(map[key]int32, size), unusual: map[key][][]byte{},
	}
}

// find returns the RRset of a name and type, nil when there is none.
func (c *copied) find(name string, t wire.Type) *backend.RRset {
	if i, ok := c.at[key{name, t}]; ok {
		return &c.sets[i]
	}
	return nil
}

// load adds a record of a full transfer; finish ends it.
func (c *copied) load(r *wire.Record) error {
	if !c.scope.wants(c.zone, r) {
		return nil
	}
	value, err := c.value(r)
	if err != nil {
		return err
	}
	k := key{r.Name, r.Type}
	if data := r.Unusual(); data != nil || c.unusual[k] != nil {
		c.unusual[k] = append(c.unusual[k], data)
	}
	i, ok := c.at[k]
	if !ok {
		if len(c.sets) == cap(c.sets) {
			c.sets = slices.Grow(c.sets, len(c.sets)) // double: a large zone is copied less often
		}
		c.at[k] = int32(len(c.sets))
		c.sets = append(c.sets, backend.RRset{
			Key: backend.Key{Name: r.Name, Type: r.Type.String()}, TTL: seconds(r.TTL), Values: []string{value},
		})
		return nil
	}
	set := &c.sets[i]
	if len(set.Values) == 1 {
		c.several = append(c.several, i)
	}
	set.Values = append(set.Values, value)
	return nil
}

// finish makes a loaded copy ready to be handed out, with the SOA record unless that is the zero RRset.
func (c *copied) finish(v wire.Version, soa backend.RRset) *copied {
	for _, i := range c.several {
		set := &c.sets[i]
		slices.Sort(set.Values)
		set.Values = slices.Compact(set.Values)
	}
	if soa.Values != nil {
		c.at[key{soa.Name, wire.SOA}] = int32(len(c.sets))
		c.sets = append(c.sets, soa)
	}
	c.version, c.several = v, nil
	return c
}

func (c *copied) value(r *wire.Record) (string, error) {
	text, err := r.AppendValue(c.text[:0])
	if err != nil {
		return "", err
	}
	c.text = text
	return string(text), nil
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }

// patch is the difference between a copy and a later version of the zone. The copy stays as it is until
// commit.
type patch struct {
	base  *copied
	edits map[key]*backend.RRset
	sets  chan []backend.RRset // receives a copy of the base's, to be edited
}

// errDiverged ends a patch that does not fit its base; a full transfer helps.
var errDiverged = errors.New("the difference does not fit the copy of the zone")

// newPatch returns an empty patch. It copies the base's RRsets while the server is still looking for the
// difference: for a large zone both take about as long.
func newPatch(base *copied) *patch {
	p := &patch{base: base, edits: map[key]*backend.RRset{}, sets: make(chan []backend.RRset, 1)}
	go func() {
		p.sets <- append(make([]backend.RRset, 0, len(base.sets)+len(base.sets)/32+64), base.sets...)
	}()
	return p
}

func (p *patch) edit(r *wire.Record) (*backend.RRset, string, error) {
	value, err := p.base.value(r)
	if err != nil {
		return nil, "", err
	}
	k := key{r.Name, r.Type}
	if p.base.unusual[k] != nil || r.Unusual() != nil {
		return nil, "", errDiverged
	}
	e := p.edits[k]
	if e == nil {
		e = &backend.RRset{Key: backend.Key{Name: r.Name, Type: r.Type.String()}}
		if old := p.base.find(r.Name, r.Type); old != nil {
			e.TTL, e.Values = old.TTL, slices.Clone(old.Values)
		}
		p.edits[k] = e
	}
	return e, value, nil
}

// remove takes away one record.
func (p *patch) remove(r *wire.Record) error {
	if !p.base.scope.wants(p.base.zone, r) {
		return nil
	}
	e, value, err := p.edit(r)
	if err != nil {
		return err
	}
	i := slices.Index(e.Values, value)
	if i < 0 {
		return errDiverged
	}
	e.Values = slices.Delete(e.Values, i, i+1)
	return nil
}

// add adds one record.
func (p *patch) add(r *wire.Record) error {
	if !p.base.scope.wants(p.base.zone, r) {
		return nil
	}
	e, value, err := p.edit(r)
	if err != nil {
		return err
	}
	if slices.Contains(e.Values, value) {
		return errDiverged
	}
	e.TTL, e.Values = seconds(r.TTL), append(e.Values, value)
	return nil
}

// put replaces a whole RRset; the zero one is none.
func (p *patch) put(set backend.RRset) {
	if t, ok := wire.TypeOf(set.Type); ok {
		p.edits[key{set.Name, t}] = &set
	}
}

// commit turns the base into the later version. What was handed out of it stays as it is; the base is
// of no use any more.
func (p *patch) commit(v wire.Version) *copied {
	c, sets := p.base, <-p.sets
	for k, e := range p.edits {
		i, stands := c.at[k]
		switch {
		case len(e.Values) > 0:
			slices.Sort(e.Values)
			if stands {
				sets[i] = *e
				continue
			}
			c.at[k] = int32(len(sets))
			sets = append(sets, *e)
		case stands: // the last one takes its place
			last := len(sets) - 1
			sets[i] = sets[last]
			if moved := sets[i].Key; int(i) != last {
				t, _ := wire.TypeOf(moved.Type)
				c.at[key{moved.Name, t}] = i
			}
			delete(c.at, k)
			sets = sets[:last]
		}
	}
	return &copied{zone: c.zone, scope: c.scope, version: v, sets: sets, at: c.at, unusual: c.unusual}
}
