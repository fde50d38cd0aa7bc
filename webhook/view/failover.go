package view

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/policy"
)

// Move is where a site's address of one family has gone to. The zero Move says that it is not known, and
// nothing is moved.
type Move struct {
	To   netip.Addr   // the address now
	From []netip.Addr // those it had before, which records may still carry
}

// Moves are those of both families of a site.
type Moves struct{ V4, V6 Move }

// of is the Move of a record type's family.
func (m Moves) of(typ string) Move {
	switch typ {
	case endpoint.RecordTypeA:
		return m.V4
	case endpoint.RecordTypeAAAA:
		return m.V6
	}
	return Move{}
}

// from reports whether an RRset carries nothing but an address the site had before.
func (m Move) from(values []string) bool {
	if !m.To.IsValid() || len(values) != 1 {
		return false
	}
	addr, err := netip.ParseAddr(values[0])
	return err == nil && addr != m.To && slices.Contains(m.From, addr)
}

// Moved says what a FailOver did.
type Moved struct {
	Records int  // moved, or tried to be
	Left    int  // left to external-dns, because they are not known to be its own
	Put     bool // off to external-dns's next loop, because the address changes too often
}

// sited are the names that have a site's address by a rule, as the last Adjust decided: name → target.
type sited map[published]string

// siteNames are the names that were decided to have a site's address; nil when there is none. Their texts
// are copies, because decisions share the memory of a request.
func siteNames(decisions []policy.Decision, last sited) sited {
	n, same := 0, 0
	for i := range decisions {
		d := &decisions[i]
		if d.Site == "" {
			continue
		}
		n++
		if last[published{d.View, d.Host}] == d.Site {
			same++
		}
	}
	if n == same && n == len(last) {
		return last
	}
	names := make(sited, n)
	for i := range decisions {
		if d := &decisions[i]; d.Site != "" {
			names[published{d.View, strings.Clone(d.Host)}] = d.Site
		}
	}
	return names
}

// remember keeps which names have a site's address.
func (p *Provider) remember(decisions []policy.Decision) {
	var last sited
	if l := p.sited.Load(); l != nil {
		last = *l
	}
	names := siteNames(decisions, last)
	p.sited.Store(&names)
}

// FailOver moves at once what carries a former address of a site by a rule to the address it has now, without
// waiting for external-dns, whose next loop then finds nothing to do. It changes RRsets that stand and are
// known to be external-dns's own; whatever else there is to do waits for the loop. It knows the names that have
// a site's address from the last Adjust, and everything else from the zones, so a restart forgets nothing that
// the next loop does not bring back.
//
// allow is asked before something is changed; when it refuses, nothing is.
func (p *Provider) FailOver(ctx context.Context, allow func() bool) (Moved, error) {
	start := time.Now()
	moved, err := p.failOver(ctx, allow)
	p.config.Metrics.failedOver(moved, time.Since(start), err)
	if err != nil {
		err = fmt.Errorf("failover: %w", err)
	}
	return moved, err
}

func (p *Provider) failOver(ctx context.Context, allow func() bool) (Moved, error) {
	names := p.sited.Load()
	if names == nil || len(*names) == 0 || p.config.Moves == nil {
		return Moved{}, nil
	}
	moves := map[string]Moves{}
	for target := range maps.Values(*names) {
		if _, ok := moves[target]; !ok {
			moves[target] = p.config.Moves(target)
		}
	}
	now, unheard := p.listed(ctx)
	if now == nil {
		return Moved{}, unheard
	}
	mine, left := p.carriers(now, *names, moves)
	moved := Moved{Records: len(mine), Left: left}
	switch {
	case len(mine) == 0:
		return moved, unheard
	case !allow():
		moved.Put = true
		return moved, nil
	}
	err := p.carryOut(ctx, mine, now)
	if p.config.DryRun {
		moved.Records = 0
	}
	return moved, errors.Join(err, unheard)
}

// listed is current in half of the time: a service that hangs, perhaps because the line broke with the address,
// must leave the others time to be changed.
func (p *Provider) listed(ctx context.Context) (*snapshot, error) {
	if end, ok := ctx.Deadline(); ok {
		half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
		ctx = half
	}
	return p.current(ctx)
}

// carriers are the changes of what is to be moved, and how many records are left because they are not known to
// be external-dns's own.
func (p *Provider) carriers(now *snapshot, names sited, moves map[string]Moves) (mine []*entry, left int) {
	var found []*entry
	for i := range now.listings {
		l := &now.listings[i]
		for j := range l.rrsets {
			r := &l.rrsets[j]
			move := moves[names[published{l.view.Name, r.Name}]].of(r.Type)
			if !move.from(r.Values) {
				continue
			}
			if zone, _ := now.zoning.zoneOf(l.view, r.Name); zone != l.zone {
				continue // a backend without zone cuts lists it with the parent's too
			}
			moved := *r
			moved.Values = []string{move.To.String()}
			found = append(found, &entry{view: l.view, zone: l.zone, key: r.Key, old: r, new: &moved, unit: r.Name})
		}
	}
	if len(found) == 0 {
		return nil, 0
	}
	texts := now.ownershipTexts()
	for _, x := range found {
		owns := p.config.Registry.Owns(x.key.Name, x.key.Type, func(name string) []string {
			return texts[viewKey{x.view, backend.Key{Name: name, Type: endpoint.RecordTypeTXT, SetID: x.key.SetID}}]
		})
		if owns {
			mine = append(mine, x)
		} else {
			left++
		}
	}
	return mine, left
}

// ownershipTexts are the values of the TXT records that note an owner.
func (s *snapshot) ownershipTexts() map[viewKey][]string {
	texts := map[viewKey][]string{}
	for i := range s.listings {
		l := &s.listings[i]
		for j := range l.rrsets {
			if r := &l.rrsets[j]; ownerOf(r) != "" {
				texts[viewKey{l.view, r.Key}] = r.Values
			}
		}
	}
	return texts
}
