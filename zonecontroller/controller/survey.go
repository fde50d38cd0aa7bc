package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// errResting keeps a control channel that does not answer from holding up every zone.
var errResting = errors.New("its control channel did not answer, and is tried again in a moment")

// survey finds out what the primaries have.
func (t *tour) survey(ctx context.Context) {
	for _, s := range t.secondaries {
		s.err = s.link.reached()
	}
	t.each(t.primaries, func(s *stop) {
		if s.err = s.link.reached(); s.err == nil {
			t.read(ctx, s)
		}
	})
	for _, s := range t.primaries {
		t.k.seen = higher(t.k.seen, s.serial)
		t.noteLoss(s)
	}
	t.overtake()
}

// chases is how often a secondary is overtaken that is ahead again. One that signs for itself has serials of its own.
const chases = 3

// overtake makes primaries go beyond a secondary that is ahead of all of them: it would never hear of them.
func (t *tour) overtake() {
	ahead := false
	for _, s := range t.secondaries {
		if s.serial != 0 && rfc2136.Newer(s.serial, t.k.seen) && t.k.chases < chases {
			t.k.seen, ahead = after(s.serial), true
		}
	}
	if ahead {
		t.k.chases++
	}
}

// read transfers what a primary has, or finds that it has nothing.
func (t *tour) read(ctx context.Context, s *stop) {
	ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
	defer cancel()
	live, soa, err := transfer(ctx, s.link.server.DNS, t.k.name)
	switch is := classify(err); {
	case is == notServed:
		s.fill, s.answer = true, is
		return
	case err != nil:
		t.fail(s, err)
		return
	}
	s.live, s.read, s.answer, s.fill = live, true, served, false
	s.back = s.serial != 0 && rfc2136.Newer(s.serial, soa.Serial)
	if !s.back {
		s.serial = soa.Serial
	}
}

// noteLoss says at once that a server that served the zone does not, and leaves it so until it is right again.
func (t *tour) noteLoss(s *stop) {
	lost := s.back || s.fill && s.serial != 0 // it had one
	if !lost {
		return
	}
	what := "the server does not have the zone any more; it gets it again"
	if s.back {
		what = fmt.Sprintf("the server went back to a serial before %d; it gets what it lost", s.serial)
	}
	if !s.lost {
		s.lost = true
		t.c.opts.Events.zone(t.z, EventLost, "%s: %s", s.server, what)
	}
	s.turn(v1alpha1.Failed, what, t.now)
	t.k.status.Servers = t.k.servers()
	t.c.statuses.set(zoneKind, t.k.key, t.k.uid, t.k.status.DeepCopy())
}

// transfer reads a zone. A server that does not have it gives many reasons for not handing it out, so it is asked for its
// authority then.
func transfer(ctx context.Context, server DNS, zone string) ([]backend.RRset, rfc2136.SOA, error) {
	live, soa, err := server.Transfer(ctx, zone)
	if err == nil {
		return live, soa, nil
	}
	gone := (*rfc2136.NotServed)(nil)
	if _, asked := server.SOA(ctx, zone); errors.As(asked, &gone) {
		return nil, soa, asked
	} else if asked == nil && classify(err) == unreachable {
		err = &failure{err}
	}
	return nil, soa, err
}

// failure is an error of a server that answers other questions.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// fail notes why a server is not as it should be. One that cannot be reached is left alone until it is again.
func (t *tour) fail(s *stop, err error) {
	if s.err == nil {
		s.err = err
	}
	if s.answer = classify(err); s.answer == unreachable && s.link.fell(err) {
		t.c.opts.Log.Warn("server cannot be reached", "server", s.server, "error", err)
	}
}

// classify says what an error of a server's DNS means for its zones.
func classify(err error) answer {
	var (
		gone    *rfc2136.NotServed
		refused *nameserver.Denied
		other   *failure
	)
	switch {
	case err == nil:
		return served
	case errors.As(err, &gone):
		return notServed
	case errors.As(err, &refused), errors.As(err, &other), backend.KindOf(err) != backend.Temporary:
		return denied
	}
	return unreachable
}

// healthy are the primaries that have what others wrote.
func (t *tour) healthy() []*stop {
	return slices.DeleteFunc(slices.Clone(t.primaries), func(s *stop) bool { return !s.read || s.back || s.filled || s.bare })
}

// refill gives the zone to primaries that do not have it.
func (t *tour) refill(ctx context.Context) error {
	var empty []*stop
	for _, s := range t.primaries {
		if (s.fill || s.back) && s.err == nil {
			empty = append(empty, s)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	defer t.c.filling(t.k.name)()
	t.conflicts()
	if err := t.write(ctx); err != nil {
		return err
	}
	others := t.othersContent(ctx)
	sets := make([]backend.RRset, 0, len(t.w.sets)+len(others)+1)
	for i := range t.w.sets {
		if _, withheld := t.withheld[t.w.sets[i].Key]; !withheld {
			sets = append(sets, t.w.sets[i])
		}
	}
	for _, r := range others {
		sets = append(sets, *r)
	}
	floor := uint32(0)
	if t.k.seen != 0 {
		floor = after(t.k.seen)
	}
	soa := t.w.soa
	serial, err := content.SOA(t.w.soa.Values[0], "", floor)
	if err != nil {
		return err
	}
	soa.Values = []string{serial}
	sets = append(sets, soa)
	t.each(empty, func(s *stop) {
		err := t.ensure(ctx, s, sets)
		if err != nil && s.fill {
			s.err = err
			return
		}
		was := s.fill
		t.read(ctx, s)
		switch {
		case s.err != nil || s.back: // a zone that is not ours to make is put right by updates
		case s.fill:
			s.err = errors.New("the server took the zone and does not answer for it yet")
		default:
			s.filled = true
			s.bare = was && others == nil && t.k.seen != 0
		}
	})
	for _, s := range empty {
		t.k.seen = higher(t.k.seen, s.serial)
	}
	return nil
}

// filling has zones of one name filled one after the other: a server that fetches its content tells its key and the name,
// and two DNSZones of one name hold different things.
func (c *Controller) filling(zone string) (done func()) {
	lock, _ := c.fills.LoadOrStore(zone, &sync.Mutex{})
	lock.(*sync.Mutex).Lock()
	return lock.(*sync.Mutex).Unlock
}

// given says whether a server has the zone with the settings, as far as was found out not long ago and before any of the
// zone's servers came back: host names get other addresses, and people change zones.
func (t *tour) given(s *stop, digest string) bool {
	moved := func(o *stop) bool { return o.link.cameBack(s.given) }
	return s.settings == digest && s.answer == served && !s.back && t.now.Sub(s.given) < resync &&
		!slices.ContainsFunc(t.primaries, moved) && !slices.ContainsFunc(t.secondaries, moved)
}

// keyless says whether the key of a primary that had the zone cannot be read: secondaries would be told to follow the others
// alone.
func (t *tour) keyless() bool {
	return slices.ContainsFunc(t.primaries, func(p *stop) bool { return p.link.err != nil && p.serial != 0 })
}

// ensure has a server hold the zone with today's settings; sets are its content, should it have none. It does nothing when
// the server has the settings and nothing is known to be missing.
func (t *tour) ensure(ctx context.Context, s *stop, sets []backend.RRset) error {
	settings := t.settings()
	digest := settingsDigest(settings)
	if t.given(s, digest) || s.role == v1alpha1.Secondary && s.state == v1alpha1.Serving && t.keyless() {
		return nil
	}
	again := s.settings == digest && s.answer == served && !s.back // only to be sure
	if !s.link.rested(t.now) {
		if again {
			return nil
		}
		return errResting
	}
	ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
	defer cancel()
	settings.Floor = s.serial
	changed, err := s.link.server.Ensure(ctx, settings, func(context.Context) ([]backend.RRset, error) {
		if sets == nil {
			return nil, errors.New("there is nothing to fill it with")
		}
		return sets, nil
	})
	unsupported := (*nameserver.Unsupported)(nil)
	switch {
	case errors.As(err, &unsupported):
		s.settings, s.given = digest, t.now
		if s.answer != served {
			return err
		}
	case err != nil:
		if classify(err) == unreachable {
			s.link.rest(t.now)
			if again {
				return nil
			}
		}
		return err
	default:
		s.link.worked()
		s.settings, s.given = digest, t.now
		if changed {
			t.c.opts.Log.Info("zone provisioned", "zone", t.k.name, "server", s.server)
		}
	}
	return nil
}

// othersContent is what others wrote, from a server that has it: a primary, or else a secondary, which keeps what its
// primary lost until it hears of it. nil: nobody has it.
func (t *tour) othersContent(ctx context.Context) map[backend.Key]*backend.RRset {
	for _, s := range t.healthy() {
		return others(s.live, t.mine)
	}
	if t.k.seen == 0 {
		return nil // the zone is new
	}
	for _, s := range t.secondaries {
		if s.err != nil || s.state != v1alpha1.Serving {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
		live, soa, err := transfer(ctx, s.link.server.DNS, t.k.name)
		cancel()
		if err == nil && !rfc2136.Newer(s.serial, soa.Serial) {
			t.k.seen = higher(t.k.seen, soa.Serial)
			return others(live, t.mine)
		}
	}
	return nil
}
