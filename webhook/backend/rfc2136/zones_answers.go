package rfc2136

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// Mismatch is an answer of a server that is not the wanted one.
type Mismatch struct {
	Key    backend.Key
	Server string // host:port
	Text   string // what was answered, and what was wanted
}

func (e *Mismatch) Error() string { return fmt.Sprintf("%s: %s %s", e.Key, e.Server, e.Text) }

// Answers asks for every RRset and returns an error for each, nil where the server answers exactly it,
// with authority. It is a *Mismatch where the server answers something else; any other error means that
// nothing is known.
//
//   - Of an RRset without Values there must be no answer, or none but the one of a wildcard above it.
//   - A wildcard is asked for as a name below it (RFC 4592 §2.2).
//   - Name servers below the zone's own name and their glue are expected in a referral (RFC 1034 §4.3.2),
//     which has no authority by its nature.
//   - An SOA record may have a later serial, and the server's own TTL, as PowerDNS has it.
//   - Other TTLs are compared unless the wanted one is 0.
func (z *Zones) Answers(ctx context.Context, zone string, want []backend.RRset) []error {
	errs := make([]error, len(want))
	questions := make([]question, len(want))
	for i, r := range want {
		t, ok := wire.TypeOf(r.Type)
		if !ok {
			errs[i] = fmt.Errorf("%s: type %q is not known", r.Key, r.Type)
		}
		questions[i] = question{askedName(r.Name), t, wire.ClassIN}
	}
	replies := z.line.ask(ctx, questions)
	var doubtful []int
	for i, r := range want {
		if errs[i] != nil {
			continue
		}
		got, err := z.answered(zone, questions[i], replies[i])
		switch {
		case err != nil:
			errs[i] = fmt.Errorf("%s: %w", r.Key, err)
		case !got.is(r):
			errs[i] = &Mismatch{r.Key, z.server.addr, got.unlike(r)}
			if len(r.Values) == 0 && len(got.values) > 0 {
				doubtful = append(doubtful, i)
			}
		}
	}
	z.excuseWildcards(ctx, zone, want, questions, replies, doubtful, errs)
	return errs
}

// excuseWildcards takes back the errors about names that should not answer where the answer is that of a
// wildcard: another name beside them, which nobody has, is answered in the same way.
func (z *Zones) excuseWildcards(ctx context.Context, zone string, want []backend.RRset, asked []question, replies []reply, doubtful []int, errs []error) {
	var at []int
	var questions []question
	for _, i := range doubtful {
		if name, ok := sibling(want[i].Name, zone); ok {
			at = append(at, i)
			questions = append(questions, question{name, asked[i].typ, wire.ClassIN})
		}
	}
	for n, reply := range z.line.ask(ctx, questions) {
		i := at[n]
		got, err := z.answered(zone, asked[i], replies[i])
		beside, besideErr := z.answered(zone, questions[n], reply)
		if err == nil && besideErr == nil && got.ttl == beside.ttl && slices.Equal(got.values, beside.values) {
			errs[i] = nil
		}
	}
}

// nobody is a label that nobody uses.
const nobody = "spokedns-nobody"

// askedName is the name under which an RRset is asked for.
func askedName(name string) string {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return nobody + "." + rest
	}
	return name
}

// sibling is a name that a wildcard above the given one answers for as for that; ok is false when there can
// be none in the zone.
func sibling(name, zone string) (sibling string, ok bool) {
	name, _ = strings.CutPrefix(name, "*.")
	_, parent, _ := strings.Cut(name, ".")
	return nobody + "." + parent, name != zone && backend.InZone(parent, zone)
}

// answered reads an answer. An error says that there is none to be judged.
func (z *Zones) answered(zone string, q question, r reply) (got answered, err error) {
	if r.err != nil {
		return answered{}, z.explain(r.err)
	}
	return readAnswer(zone, q, r.message)
}

// answered is what an answer says about an RRset.
type answered struct {
	rcode     wire.Rcode
	authority bool // the server answers for the zone itself, or for one it delegates
	values    []string
	ttl       time.Duration
}

// readAnswer finds the RRset that was asked for in an answer: in the answer of a server with authority, or in
// a referral, whose name servers stand in the authority section and whose glue behind it.
func readAnswer(zone string, q question, msg []byte) (answered, error) {
	h, err := wire.ReadHeader(msg)
	if err != nil {
		return answered{}, err
	}
	got := answered{rcode: h.Rcode, authority: h.Authority}
	where := wire.Answer
	if !h.Authority && h.Rcode == wire.NoError && h.Counts[1] == 0 {
		cut, err := referral(zone, q.name, msg)
		if err != nil {
			return answered{}, err
		}
		if got.authority, where = cut != "", wire.Additional; cut == q.name && q.typ == wire.NS {
			where = wire.Authority
		}
	}
	if !got.authority {
		return got, nil
	}
	var r wire.Records
	if err := r.ResetAll(msg); err != nil {
		return answered{}, err
	}
	for r.Next() {
		if r.Section != where || r.Name != q.name || r.Type != q.typ {
			continue
		}
		value, err := r.AppendValue(nil)
		if err != nil {
			return answered{}, err
		}
		got.values, got.ttl = append(got.values, string(value)), seconds(r.TTL)
	}
	slices.Sort(got.values)
	got.values = slices.Compact(got.values)
	return got, r.Err()
}

// referral is the delegated zone that a message without authority refers to, which is the name asked for or
// one above it, below the zone; "" when the message is no such referral.
func referral(zone, name string, msg []byte) (cut string, err error) {
	var r wire.Records
	if err := r.ResetAll(msg); err != nil {
		return "", err
	}
	for r.Next() {
		if r.Section == wire.Authority && r.Type == wire.NS && r.Name != zone && backend.InZone(r.Name, zone) && backend.InZone(name, r.Name) {
			cut = r.Name
		}
	}
	return cut, r.Err()
}

// is reports whether the answer is the RRset.
func (a answered) is(want backend.RRset) bool {
	if !a.authority || a.rcode != wire.NoError && (a.rcode != wire.NXDomain || len(want.Values) > 0) {
		return false
	}
	if want.Type == "SOA" && len(want.Values) == 1 && len(a.values) == 1 {
		got, err := ParseSOA(a.values[0])
		soa, wantErr := ParseSOA(want.Values[0])
		return err == nil && wantErr == nil && got.Same(soa) && !Newer(soa.Serial, got.Serial)
	}
	return slices.Equal(a.values, want.Values) && (len(want.Values) == 0 || want.TTL == 0 || a.ttl == want.TTL)
}

// unlike says what is answered in place of the RRset.
func (a answered) unlike(want backend.RRset) string {
	wanted := "no record"
	if len(want.Values) > 0 {
		wanted = list(want.Values)
		if want.TTL != 0 {
			wanted += fmt.Sprintf(" with TTL %d", int(want.TTL.Seconds()))
		}
	}
	switch {
	case a.rcode != wire.NoError && len(a.values) == 0:
		return fmt.Sprintf("answers %s instead of %s", a.rcode, wanted)
	case !a.authority:
		return fmt.Sprintf("answers without authority instead of %s", wanted)
	case len(a.values) == 0:
		return fmt.Sprintf("answers without a record instead of %s", wanted)
	}
	return fmt.Sprintf("answers %s with TTL %d instead of %s", list(a.values), int(a.ttl.Seconds()), wanted)
}

// list is the first of the values.
func list(values []string) string {
	const most = 4
	if len(values) > most {
		return fmt.Sprintf("%q and %d more", values[:most], len(values)-most)
	}
	return fmt.Sprintf("%q", values)
}
