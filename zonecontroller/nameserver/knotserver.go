package nameserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/knot"
)

// knotd makes zones by Knot's control tool. A zone with a master is a secondary there, and without one a
// primary that keeps what it has: so a first content is fetched, and the master taken away.
type knotd struct {
	s    *Server
	tool *knot.Tool
}

func (k *knotd) status(ctx context.Context) (string, error) {
	version, err := k.tool.Run(ctx, "status", "version")
	return "Knot DNS " + strings.TrimSpace(strings.TrimPrefix(version, "Version:")), err
}

// onKnot is what stands on a Knot server.
type onKnot struct {
	section map[string][]string // nil: the server does not know the zone
	state   State
	lost    bool // without data, and the server says that it cannot read them
}

func (k *knotd) look(ctx context.Context, zone string) (onKnot, error) {
	var o onKnot
	var err error
	if o.section, err = k.tool.Section(ctx, "zone["+zone+"]"); err != nil || o.section == nil {
		return o, err
	}
	o.state, err = k.s.State(ctx, zone)
	switch {
	case err != nil && !o.ours() && backend.KindOf(err) == backend.Denied:
		return o, nil // Knot does not answer who may do nothing with the zone
	case err != nil:
		return o, k.s.unanswered(err)
	}
	if o.state.Is == Serving || len(o.section["master"]) > 0 {
		return o, nil
	}
	_, err = k.tool.Run(ctx, "-b", "zone-reload", zone)
	var refused *knot.Error
	if errors.As(err, &refused) && knotGone(refused.Text) {
		o.lost, err = true, nil
	}
	return o, err
}

// knotGone reports whether a server that refuses to read a zone has lost the content for good; see gone.
func knotGone(text string) bool {
	passes := []string{
		"memory", "permitted", "denied", "timeout", "busy", "canceled", "too many", "resources", "buffers", "space", "in progress", "stopping", "connection", "descriptor",
		"system error", "general error",
	}
	return !slices.ContainsFunc(passes, func(s string) bool { return strings.Contains(text, s) })
}

func (o onKnot) ours() bool {
	return len(o.section["comment"]) == 1 && strings.HasPrefix(o.section["comment"][0], knotMark)
}

func (k *knotd) ensure(ctx context.Context, z ZoneConfig, content Content) (bool, error) {
	if err := able(k.s.cfg, z); err != nil {
		return false, err
	}
	p, err := k.s.resolve(ctx, z)
	if err != nil {
		return false, fmt.Errorf("%s: zone %s: %w", k.s.cfg.Name, z.Zone, err)
	}
	now, err := k.look(ctx, z.Zone)
	if err != nil {
		return false, err
	}
	if now.section != nil && !now.ours() {
		return false, foreign(k.s.cfg.Name, z.Zone, now.state.Is == Serving)
	}
	file := newFile(z.Zone, "")
	if f := now.section["file"]; len(f) == 1 {
		file = f[0]
	}
	wish := knotConfigured(file, z, k.s.cfg.Role, k.s.cfg.TSIG, p)
	if _, signed := now.section["dnssec-signing"]; signed && z.DNSSECPolicy == "" {
		return false, &Unsupported{k.s.cfg.Name, z.Zone, "Knot leaves the signatures of a zone that is not signed any more until they expire, and the zone fails to validate then",
			"take the DS records out of the parent zone, wait for their TTL, and then remove the zone and make it again"}
	}
	if k.s.cfg.Role == v1alpha1.Primary && k.empty(now, z) {
		return true, k.fill(ctx, z, now, wish, content)
	}
	if wish.same(now.section) && now.state.Is == Serving {
		return false, nil
	}
	if !wish.same(now.section) {
		if err := k.change(ctx, now, wish); err != nil {
			return true, err
		}
	}
	if k.s.cfg.Role == v1alpha1.Secondary && now.state.Is != Serving {
		if _, err := k.tool.Run(ctx, "zone-retransfer", z.Zone); err != nil {
			return true, err
		}
	}
	if err := k.s.await(ctx, z.Zone, k.s.cfg.Timeout); err != nil {
		return true, &Unfetched{k.s.cfg.Name, z.Zone, addresses(z.Primaries), err}
	}
	return true, nil
}

// empty reports whether a primary has to be filled: it is not there, has no data and cannot read them, has
// older ones than it had, or was on its way.
func (k *knotd) empty(now onKnot, z ZoneConfig) bool {
	if now.section == nil || now.lost {
		return true
	}
	if now.state.Is != Serving {
		return slices.Contains(now.section["master"], knotSeed(knotID(z.Zone)))
	}
	return older(now.state.SOA.Serial, z.Floor)
}

// fill lets the zone fetch its content from the seed and then be its primary.
func (k *knotd) fill(ctx context.Context, z ZoneConfig, now onKnot, wish knotConf, content Content) error {
	sets, err := content(ctx)
	if err != nil {
		return fmt.Errorf("content of %s: %w", z.Zone, err)
	}
	offer, err := k.s.cfg.Seed.Offer(z.Zone, sets, k.s.cfg.TSIG)
	if err != nil {
		return err
	}
	defer offer.Release()
	from := k.s.cfg.Seed.Address()
	at, err := k.s.endpoint(ctx, from)
	if err != nil || len(at) == 0 {
		return fmt.Errorf("the address for first transfers, %s: %w", from, err)
	}
	// Whatever an earlier life of the zone left behind, its journal above all, must not become content.
	if err := k.purge(ctx, z.Zone, now.section != nil); err != nil {
		return err
	}
	seeding := wish
	seeding.items = append(slices.Clone(wish.items), [2]string{"master", knotSeed(wish.id)})
	remote := "remote[" + knotSeed(wish.id) + "]"
	seeding.other = append([][]string{
		{"conf-set", remote},
		{"conf-set", remote + ".address", knotAddr(at[0])},
		{"conf-set", remote + ".key", k.s.cfg.TSIG.Name},
	}, wish.other...)
	if err := k.change(ctx, now, seeding); err != nil {
		return err
	}
	if err := k.s.await(ctx, z.Zone, k.s.cfg.Timeout); err != nil {
		return &Unfetched{k.s.cfg.Name, z.Zone, []string{from}, err}
	}
	if now.section, err = k.tool.Section(ctx, wish.zone); err != nil {
		return err
	}
	if err := k.change(ctx, now, wish); err != nil {
		return err
	}
	return k.s.await(ctx, z.Zone, k.s.cfg.Timeout)
}

// purge deletes the content of a zone. Its keys stay: the parent zone refers to them.
func (k *knotd) purge(ctx context.Context, zone string, known bool) error {
	args := []string{"-f", "zone-purge", "+expire", "+zonefile", "+journal", "+timers", zone}
	if !known {
		args = []string{"-f", "zone-purge", "+orphan", "+journal", "+timers", zone}
	}
	_, err := k.tool.Run(ctx, args...)
	if knot.Says(err, "not exists") || knot.Says(err, "no such") {
		return nil
	}
	return err
}

func (k *knotd) change(ctx context.Context, now onKnot, wish knotConf) error {
	remotes, acls, err := k.identifiers(ctx, wish.id)
	if err != nil {
		return err
	}
	return k.tool.Change(ctx, wish.commands(now.section, remotes, acls))
}

// identifiers are those that belong to the zone.
func (k *knotd) identifiers(ctx context.Context, id string) (remotes, acls []string, err error) {
	if remotes, err = k.tool.Identifiers(ctx, "remote", id+"-"); err != nil {
		return nil, nil, err
	}
	acls, err = k.tool.Identifiers(ctx, "acl", id+"-")
	return remotes, acls, err
}

func (k *knotd) remove(ctx context.Context, zone string) error {
	section, err := k.tool.Section(ctx, "zone["+zone+"]")
	if err != nil || !(onKnot{section: section}).ours() {
		return err
	}
	// The files go first: of a zone that it does not know, Knot cannot tell where they are.
	if err := k.purge(ctx, zone, true); err != nil {
		return err
	}
	remotes, acls, err := k.identifiers(ctx, knotID(zone))
	if err != nil {
		return err
	}
	commands := append([][]string{{"conf-unset", "zone[" + zone + "]"}}, knotUnset(nil, "", remotes, acls)...)
	return k.tool.Change(ctx, commands)
}
