package route53

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/spokedns/spokedns/webhook/backend"
)

// unit is what stands or falls together, and what writing it takes.
type unit struct {
	changes []backend.Change // in their form

	deletes, creates []write
	size             size
	checks           int  // how often it was judged by what the service says, after a refusal
	confirmed        bool // what stands is what these writes are for, and the service refuses them all the same
}

// write is one change of a batch.
type write struct {
	key backend.Key
	raw *types.ResourceRecordSet
	set *backend.RRset // of a create
}

// size is how much of a request something takes.
type size struct{ records, characters int }

func (s size) plus(o size) size { return size{s.records + o.records, s.characters + o.characters} }

func (s size) fits() bool { return s.records <= batchRecords && s.characters <= batchCharacters }

// share is the part of a request that is used up, by whatever is scarcer.
func (s size) share() float64 {
	return max(float64(s.records)/batchRecords, float64(s.characters)/batchCharacters)
}

// common is how much two sizes are in each other's way: the scalar product of their shares.
func (s size) common(o size) float64 {
	return float64(s.records)*float64(o.records)/(batchRecords*batchRecords) + float64(s.characters)*float64(o.characters)/(batchCharacters*batchCharacters)
}

// sizeOf counts what counts (Developer Guide, Quotas, Maximums on ChangeResourceRecordSets requests).
// Aliases have neither elements nor values; they are counted all the same, as one, for nobody says how
// many of them the service takes.
func sizeOf(raw *types.ResourceRecordSet) size {
	if raw.AliasTarget != nil {
		return size{1, len(aws.ToString(raw.AliasTarget.DNSName))}
	}
	s := size{records: len(raw.ResourceRecords)}
	for _, r := range raw.ResourceRecords {
		s.characters += utf8.RuneCountInString(aws.ToString(r.Value))
	}
	return s
}

// names are the names the unit is about, in the service's form.
func (u *unit) names() []string {
	var out []string
	for _, c := range u.changes {
		if name := wireName(c.Key().Name); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// mentionable are the names by which the service may refer to the unit: its own, and targets of aliases.
func (u *unit) mentionable() []string {
	out := u.names()
	for _, c := range u.creates {
		if c.set.Alias() {
			out = append(out, wireName(c.set.Values[0]))
		}
	}
	return out
}

// judge decides what the unit means for what stands, and what is to be written. It returns one error for
// each change when one of them cannot be made, and otherwise makes the changes in v.
func (u *unit) judge(zone hostedZone, v *view) []*backend.Error {
	u.deletes, u.creates, u.size = nil, nil, size{}
	draft := over(v)
	var refused []*backend.Error
	conflict := func(c backend.Change, err error) {
		refused = append(refused, &backend.Error{Kind: backend.Conflict, Key: c.Key(), Err: err})
	}
	for _, c := range u.changes {
		stands := draft.find(c.Key())
		var current *backend.RRset
		if stands != nil {
			if current = stands.set; current == nil {
				conflict(c, errForeign)
				continue
			}
		}
		needed, err := backend.Decide(current, c)
		if err != nil {
			conflict(c, err)
			continue
		}
		if needed {
			u.write(zone, draft, c, stands)
		}
	}
	for _, c := range u.changes {
		if len(refused) == 0 && c.New != nil && !draft.coherent(wireName(c.New.Name)) {
			conflict(c, errIncoherent)
		}
	}
	if len(refused) > 0 {
		return u.withCompanions(refused)
	}
	for name, all := range draft.names {
		v.names[name] = all
	}
	return nil
}

// write adds what a change takes.
func (u *unit) write(zone hostedZone, draft *view, c backend.Change, stands *stored) {
	if stands != nil {
		u.deletes = append(u.deletes, write{key: c.Key(), raw: stands.raw})
		u.size = u.size.plus(sizeOf(stands.raw))
	}
	if c.New == nil {
		draft.set(c.Key(), nil)
		return
	}
	raw := toService(zone, c.New)
	u.creates = append(u.creates, write{key: c.Key(), raw: raw, set: c.New})
	u.size = u.size.plus(sizeOf(raw))
	draft.set(c.Key(), &stored{raw, c.New})
}

// withCompanions adds an error for each change of the unit that has none.
func (u *unit) withCompanions(refused []*backend.Error) []*backend.Error {
	guilty := refused[0]
	for _, c := range u.changes {
		if !slices.ContainsFunc(refused, func(e *backend.Error) bool { return e.Key == c.Key() }) {
			refused = append(refused, &backend.Error{Kind: guilty.Kind, Key: c.Key(), Err: fmt.Errorf("not changed, because %s is refused", guilty.Key)})
		}
	}
	return refused
}

// all gives each change of the unit the same error.
func (u *unit) all(kind backend.Kind, err error) []*backend.Error {
	out := make([]*backend.Error, len(u.changes))
	for i, c := range u.changes {
		out[i] = &backend.Error{Kind: kind, Key: c.Key(), Err: err}
	}
	return out
}
