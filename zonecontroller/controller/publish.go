package controller

import (
	"context"
	"fmt"
	"slices"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// conflicts finds what has to change on each primary, and what is not published anywhere because somebody else's stands
// there on one of them.
func (t *tour) conflicts() {
	t.withheld = map[backend.Key]error{}
	ours := func(key backend.Key) bool { return t.c.opts.Ledger.Has(t.z.UID, key) }
	for _, s := range t.primaries {
		if s.err != nil || !s.read {
			continue
		}
		var conflicts map[backend.Key]error
		s.changes, conflicts = content.Changes(t.w.sets, ours, s.live)
		for key, err := range conflicts {
			if _, wished := t.w.keys[key]; wished {
				t.withheld[key] = err
			} else {
				t.foreign = append(t.foreign, key)
			}
		}
	}
}

// write puts into the ledger what is published for the first time, before it is.
func (t *tour) write(ctx context.Context) error {
	var fresh []backend.Key
	for i := range t.w.sets {
		key := t.w.sets[i].Key
		if _, withheld := t.withheld[key]; !withheld && !t.c.opts.Ledger.Has(t.z.UID, key) {
			fresh = append(fresh, key)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := t.c.opts.Ledger.Add(ctx, t.z.UID, fresh); err != nil {
		t.complain(ReasonLedger, fmt.Sprintf("what is published cannot be written down, so nothing new is: %v", err))
		t.report()
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// plan decides what is done on each primary.
func (t *tour) plan(ctx context.Context) error {
	if !slices.ContainsFunc(t.primaries, func(s *stop) bool { return s.err == nil && s.read }) {
		return nil // nothing can be published, so nothing is ours yet
	}
	t.conflicts()
	if err := t.write(ctx); err != nil {
		return err
	}
	healthy, all := t.healthy(), true
	for _, s := range t.primaries {
		s.changes = slices.DeleteFunc(s.changes, func(c backend.Change) bool {
			_, withheld := t.withheld[c.Key()]
			return withheld
		})
		all = all && s.read
		if s.read && (s.back || s.bare) && len(healthy) > 0 {
			s.changes = append(s.changes, restoration(others(s.live, t.mine), others(healthy[0].live, t.mine), s.back)...)
			s.bare = false
		}
	}
	if all { // there is nobody left from whom more could come
		for _, s := range t.primaries {
			s.bare = false
		}
	}
	if len(healthy) > 1 {
		var all []map[backend.Key]*backend.RRset
		for _, s := range healthy {
			all = append(all, others(s.live, t.mine))
		}
		t.differ = differences(all)
	}
	return nil
}

// publish brings one primary to what is planned, and asks it.
func (t *tour) publish(ctx context.Context, s *stop) {
	if s.err != nil || !s.read {
		return
	}
	s.warning = t.ensure(ctx, s, nil)
	ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
	defer cancel()
	changes := s.changes
	if soa := t.soa(s); soa != nil {
		t.apply(ctx, s, []backend.Change{*soa})
		if err := s.failed[soa.New.Key]; err != nil && s.back { // secondaries would not follow what comes
			s.err = err
		}
		changes = append(slices.Clone(changes), *soa)
	}
	if s.err == nil && len(s.changes) > 0 {
		t.apply(ctx, s, s.changes)
	}
	if len(changes) > 0 {
		t.c.opts.Metrics.changed(changes, s.failed, s.err)
		if soa, err := s.link.server.DNS.SOA(ctx, t.k.name); err == nil {
			s.serial = soa.Serial
		}
	}
	if answer := s.answer; answer == served {
		t.ask(ctx, s)
	}
}

// soa is the change that the SOA needs: another field, or a serial that does not fall behind. No primary stays behind
// another one, or behind a secondary, which would not hear of what it has.
func (t *tour) soa(s *stop) *backend.Change {
	i := slices.IndexFunc(s.live, func(r backend.RRset) bool { return r.Type == "SOA" })
	if i < 0 || len(s.live[i].Values) != 1 {
		return nil
	}
	live, floor := s.live[i], t.k.seen
	if s.back {
		floor = after(floor)
	}
	value, err := content.SOA(t.w.soa.Values[0], live.Values[0], floor)
	if err != nil {
		s.failed[t.w.soa.Key] = err
		return nil
	}
	wish := t.w.soa
	wish.Values = []string{value}
	if value == live.Values[0] && live.TTL == wish.TTL {
		return nil
	}
	return &backend.Change{Old: &live, New: &wish}
}

// apply makes changes on one primary. What is refused concerns its RRset alone.
func (t *tour) apply(ctx context.Context, s *stop, changes []backend.Change) {
	for _, c := range changes {
		if c.New != nil && c.New.Type != "SOA" {
			if _, wished := t.w.keys[c.New.Key]; wished {
				s.pending[c.New.Key] = struct{}{}
			}
		}
	}
	err := s.link.server.DNS.Apply(ctx, t.k.name, changes)
	for _, e := range backend.Errors(err) {
		if e.Key == (backend.Key{}) {
			s.err = e
			return
		}
		s.failed[e.Key] = e
		if e.Kind == backend.Temporary {
			s.err = e
		}
	}
}

// ask has a primary answer what it was given. What it hands out by referral only is looked up in the zone.
func (t *tour) ask(ctx context.Context, s *stop) {
	var questions, referred []backend.RRset
	for key := range s.pending {
		set := t.w.sets[t.w.keys[key]]
		_, withheld := t.withheld[key]
		switch {
		case withheld || s.failed[key] != nil:
		case t.w.refers[key]:
			referred = append(referred, set)
		default:
			questions = append(questions, set)
		}
	}
	if len(questions) > 0 {
		for i, err := range s.link.server.DNS.Answers(ctx, t.k.name, questions) {
			if err == nil {
				delete(s.pending, questions[i].Key)
			} else if s.silent == nil {
				s.silent = err
			}
		}
	}
	if len(referred) == 0 {
		return
	}
	live, _, err := s.link.server.DNS.Transfer(ctx, t.k.name)
	if err != nil {
		s.silent = err
		return
	}
	has := make(map[backend.Key]*backend.RRset, len(live))
	for i := range live {
		has[live[i].Key] = &live[i]
	}
	for i := range referred {
		if r := has[referred[i].Key]; r != nil && same(r, &referred[i]) {
			delete(s.pending, referred[i].Key)
		} else if s.silent == nil {
			s.silent = fmt.Errorf("%s is not in the zone as it is wished", referred[i].Key)
		}
	}
}

// settle says what state the primaries are in now.
func (t *tour) settle() {
	for _, s := range t.primaries {
		t.k.seen = higher(t.k.seen, s.serial)
		for key, err := range s.failed {
			if t.w.own[key] || key == t.w.soa.Key {
				t.complain(ReasonZoneRefused, fmt.Sprintf("%s: %v", s.server, err))
			}
		}
		switch {
		case s.err != nil:
			t.turnFailed(s)
		case !s.read:
			s.turn(v1alpha1.Failed, "its content could not be read", t.now)
		default:
			t.turnServing(s)
		}
	}
	for key, err := range t.withheld {
		if t.w.own[key] {
			t.complain(ReasonZoneRefused, err.Error())
		}
	}
	if len(t.differ) > 0 {
		t.complain(ReasonPrimariesDiffer, fmt.Sprintf("of what others wrote the primaries do not have the same: %s; want it made alike by who wrote it", fewKeys(t.differ)))
		t.c.opts.Events.zone(t.z, EventDiffer, "%s", t.trouble[len(t.trouble)-1])
	}
}

func (t *tour) turnFailed(s *stop) {
	if s.state == v1alpha1.Serving || s.state == v1alpha1.Pending {
		t.c.opts.Events.zone(t.z, EventLost, "%s: %v", s.server, s.err)
	}
	s.turn(v1alpha1.Failed, s.err.Error(), t.now)
}

func (t *tour) turnServing(s *stop) {
	switch {
	case s.lost:
		t.c.opts.Events.zone(t.z, EventHealed, "%s serves the zone again, with serial %d", s.server, s.serial)
		t.c.opts.Metrics.healed()
	case s.filled || s.state != v1alpha1.Serving:
		t.c.opts.Events.zone(t.z, EventProvisioned, "%s serves the zone", s.server)
	}
	s.lost = false
	message := ""
	if s.warning != nil {
		message = s.warning.Error()
		t.complain(ReasonServersFailing, fmt.Sprintf("%s: %v", s.server, s.warning))
	}
	s.turn(v1alpha1.Serving, message, t.now)
}

// follow brings a secondary to the zone, and lets it transfer. One that serves it is looked after by who polls it.
func (t *tour) follow(ctx context.Context, s *stop) {
	if s.err != nil {
		t.turnFailed(s)
		return
	}
	if s.state == v1alpha1.Serving && t.given(s, settingsDigest(t.settings())) {
		return
	}
	if control := s.object.Spec.Control; control != nil && control.Catalog == nil {
		s.warning = t.ensure(ctx, s, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
	defer cancel()
	soa, err := s.link.server.DNS.SOA(ctx, t.k.name)
	switch s.answer = classify(err); {
	case err == nil:
		s.serial = soa.Serial
		t.turnServing(s)
	case s.answer == notServed:
		if s.warning != nil {
			s.turn(v1alpha1.Failed, s.warning.Error(), t.now)
			return
		}
		s.turn(v1alpha1.Provisioned, fmt.Sprintf("it waits for a transfer from a primary (%v)", err), t.now)
	default:
		t.fail(s, err)
		t.turnFailed(s)
	}
}

// strike takes out of the ledger what is on no server any more, also on none that has still to let go, and what is
// somebody else's by now.
func (t *tour) strike(ctx context.Context) {
	for _, s := range t.primaries {
		if s.err != nil || !s.read || len(s.failed) > 0 {
			return // it may have it still
		}
	}
	if len(t.primaries) == 0 || t.k.leaves(v1alpha1.Primary) {
		return
	}
	stale := t.foreign
	if t.k.stale {
		for _, key := range t.c.opts.Ledger.Keys(t.z.UID) {
			if _, wished := t.w.keys[key]; !wished {
				stale = append(stale, key)
			}
		}
	}
	if len(stale) == 0 {
		t.k.stale = false
		return
	}
	if err := t.c.opts.Ledger.Strike(ctx, t.z.UID, stale); err != nil {
		t.c.opts.Log.Warn("the ledger keeps what is not published any more", "zone", t.k.key, "error", err)
		return
	}
	t.k.stale = false
}

// sign reads the DS records of a signed zone.
func (t *tour) sign(ctx context.Context) {
	if t.z.Spec.DNSSECPolicy == "" {
		t.k.ds = nil
		return
	}
	if len(t.k.ds) > 0 && t.now.Sub(t.k.dsAt) < resync {
		return
	}
	for _, s := range t.primaries {
		if s.err != nil || !s.read {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
		ds, err := s.link.server.DNS.DS(ctx, t.k.name)
		cancel()
		if err == nil {
			t.k.ds, t.k.dsAt = ds, t.now
			return
		}
	}
}
