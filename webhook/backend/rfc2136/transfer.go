package rfc2136

import (
	"context"
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// refresh brings the session's copy up to date: one question when nothing changed, the difference when
// the server keeps it, else the whole zone. After an error the copy is what it was.
func (s *session) refresh(ctx context.Context) error {
	if s.copy == nil {
		return s.transfer(ctx, nil)
	}
	now, err := s.version(ctx)
	if err != nil {
		return err
	}
	if now == s.copy.version {
		return nil
	}
	if now.Serial != s.copy.version.Serial {
		err = s.transfer(ctx, s.copy)
		if err == nil && s.copy.version == now || err != nil && isTransport(err) {
			return err
		}
	}
	return s.transfer(ctx, nil)
}

// version asks for the zone's SOA record.
func (s *session) version(ctx context.Context) (wire.Version, error) {
	v, _, err := s.authority(ctx)
	return v, err
}

// authority asks for the zone's SOA record and its TTL.
func (s *session) authority(ctx context.Context) (wire.Version, uint32, error) {
	a, err := s.ask(ctx, s.question)
	if err != nil {
		return wire.Version{}, 0, err
	}
	if a.Header.Rcode != wire.NoError {
		return wire.Version{}, 0, s.refusal("read", a.Header.Rcode)
	}
	var r wire.Records
	if err := r.Reset(a.Message); err != nil {
		return wire.Version{}, 0, err
	}
	for r.Next() {
		if r.Type == wire.SOA && r.Name == s.zone {
			v, err := r.Version()
			return v, r.TTL, err
		}
	}
	return wire.Version{}, 0, errors.Join(r.Err(), fmt.Errorf("%s has no SOA record of the zone", s.server.addr))
}

// transfer replaces the copy by what the server holds: what changed since base, or all without one.
func (s *session) transfer(ctx context.Context, base *copied) (err error) {
	defer func() {
		if err != nil {
			s.close() // the rest of the answer would be taken for the next one
		}
	}()
	t := &transfer{zone: s.zone, scope: s.scope, base: base}
	kind, since := wire.AXFR, (*wire.Version)(nil)
	if base != nil {
		kind, since = wire.IXFR, &base.version
		t.patch = newPatch(base)
	}
	if s.copy != nil {
		t.size = len(s.copy.sets)
	}
	a, err := s.ask(ctx, func(b []byte, id uint16) ([]byte, error) { return wire.AppendQuery(b, id, s.zone, kind, since) })
	if err != nil {
		return err
	}
	var r wire.Records
	for {
		if a.Header.Rcode != wire.NoError {
			return s.refusal("transfer", a.Header.Rcode)
		}
		if err := r.Reset(a.Message); err != nil {
			return err
		}
		for r.Next() {
			if err := t.record(&r.Record); err != nil {
				return err
			}
		}
		if err := r.Err(); err != nil {
			return err
		}
		if t.complete() {
			break
		}
		if err := a.read(ctx); err != nil {
			return fmt.Errorf("the transfer was cut after %d records: %w", t.count, err)
		}
	}
	if err := a.verifier.Complete(); err != nil {
		return err
	}
	s.copy = t.result()
	return nil
}

// transfer reads the records of an AXFR (RFC 5936 §2.2) or IXFR (RFC 1995 §4) answer in their order.
type transfer struct {
	zone  string
	scope *scope
	base  *copied // nil: a full transfer was asked for
	size  int     // RRsets expected
	count int     // records read

	phase  phase
	target wire.Version  // what the server holds
	soa    backend.RRset // target as an RRset, where the scope has it
	reach  wire.Version  // what the differences read so far lead to
	fresh  *copied       // of a full answer
	patch  *patch        // of a difference
}

type phase int

const (
	opening  phase = iota // the first record is the SOA of the target
	choosing              // the second one tells a difference from a full answer
	filling               // everything up to the same SOA
	removing              // of one difference: what goes, up to the SOA it leads to
	adding                // of one difference: what comes, up to the SOA of the next one or the target
	over
)

var (
	errNoStart  = errors.New("the transfer does not start with the zone's SOA record")
	errNoChain  = errors.New("the differences of the transfer do not follow each other")
	errTrailing = errors.New("the transfer goes on after its end")
	errChanged  = errors.New("the zone changed during the transfer")
)

// complete reports whether no more messages follow. A lone SOA of a version that is not newer answers
// the question for a difference: there is none.
func (t *transfer) complete() bool {
	if t.phase == choosing {
		return int32(t.target.Serial-t.base.version.Serial) <= 0 // RFC 1982 §3.2
	}
	return t.phase == over
}

// result is the copy after a complete transfer; the base is of no use any more.
func (t *transfer) result() *copied {
	switch {
	case t.fresh != nil:
		return t.fresh.finish(t.target, t.soa)
	case t.phase == over:
		t.patch.put(t.soa)
		return t.patch.commit(t.target)
	}
	return t.base
}

func (t *transfer) record(r *wire.Record) error {
	t.count++
	if r.Type == wire.SOA && r.Name == t.zone {
		v, err := r.Version()
		if err != nil {
			return err
		}
		if t.phase == opening && t.scope.whole {
			if t.soa, err = soaRRset(r); err != nil {
				return err
			}
		}
		return t.boundary(v)
	}
	switch t.phase {
	case opening:
		return errNoStart
	case choosing:
		t.fill()
		return t.fresh.load(r)
	case filling:
		return t.fresh.load(r)
	case removing:
		return t.patch.remove(r)
	case adding:
		return t.patch.add(r)
	}
	return errTrailing
}

// boundary takes the zone's SOA, which separates the parts of a transfer.
func (t *transfer) boundary(v wire.Version) error {
	switch t.phase {
	case opening:
		t.target = v
		if t.phase = choosing; t.base == nil {
			t.fill()
		}
	case choosing:
		if v.Serial != t.base.version.Serial {
			t.fill()
			return t.boundary(v)
		}
		t.phase = removing
	case filling:
		if v != t.target {
			return errChanged
		}
		t.phase = over
	case removing:
		t.reach, t.phase = v, adding
	case adding:
		switch {
		case t.reach == t.target && v == t.target:
			t.phase = over
		case v.Serial == t.reach.Serial:
			t.phase = removing
		default:
			return errNoChain
		}
	case over:
		return errTrailing
	}
	return nil
}

func (t *transfer) fill() { t.fresh, t.phase = newCopied(t.zone, t.scope, t.size), filling }
