package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/seed"
)

// bind makes zones by BIND's control channel.
type bind struct {
	s    *Server
	rndc *rndc.Client
	view string
}

func (b *bind) zone(name string) rndc.Zone { return rndc.Zone{Name: name, View: b.view} }

func (b *bind) status(ctx context.Context) (string, error) {
	st, err := b.rndc.Status(ctx)
	return st.Version, err
}

// maxSteps is more than the longest way has: discard, fill, promote, modify, and each of them tried again.
const maxSteps = 12

// ensure looks and takes one step, until there is nothing more to do.
func (b *bind) ensure(ctx context.Context, z ZoneConfig, content Content) (changed bool, err error) {
	p, err := b.s.resolve(ctx, z)
	if err != nil {
		return false, fmt.Errorf("%s: zone %s: %w", b.s.cfg.Name, z.Zone, err)
	}
	if err := able(b.s.cfg, z); err != nil {
		return false, err
	}
	wish := func(file string) []clause.Statement { return configured(file, z, b.s.cfg.Role, b.s.cfg.TSIG, p) }
	f := filling{bind: b, z: z, content: content, wish: wish}
	defer f.release()
	for range maxSteps {
		now, err := b.look(ctx, z.Zone)
		if err != nil {
			return changed, b.hint(z.Zone, err)
		}
		next := plan(now, z, b.s.cfg.Role, b.view, wish)
		switch next {
		case nothing:
			return changed, nil
		case keep:
			return changed, foreign(b.s.cfg.Name, z.Zone, now.serving)
		case stuck:
			return changed, fmt.Errorf("%s: zone %s is loaded and is not answered at %s: look for allow-query and match-clients in the server's configuration, and for its log",
				b.s.cfg.Name, z.Zone, b.s.cfg.Address)
		}
		changed = true
		if err := b.take(ctx, next, &f, now); err != nil {
			return changed, b.hint(z.Zone, err)
		}
		// What follows is the server's: it has all that it needs.
		switch next {
		case add:
			_ = b.s.await(ctx, z.Zone, min(b.s.cfg.Timeout, 2*time.Second)) // else it is told to fetch
		case promote, fetch:
			if err := b.s.await(ctx, z.Zone, b.s.cfg.Timeout); err != nil {
				return changed, &Unfetched{b.s.cfg.Name, z.Zone, addresses(z.Primaries), err}
			}
		}
		if next == promote {
			return changed, nil
		}
	}
	return changed, fmt.Errorf("%s: zone %s does not become what it should: somebody else is changing it", b.s.cfg.Name, z.Zone)
}

func (b *bind) take(ctx context.Context, next step, f *filling, now found) error {
	zone := b.zone(f.z.Zone)
	switch next {
	case fill:
		return f.fill(ctx)
	case promote:
		return f.promote(ctx, fileOf(now.conf))
	case discard:
		// Nothing is deleted before there is something to take its place.
		if b.s.cfg.Role == v1alpha1.Primary {
			if err := f.offer(ctx); err != nil {
				return err
			}
		}
		return ignore(b.rndc.DelZone(ctx, zone, true), rndc.NotFound)
	case add:
		return ignore(b.rndc.AddZone(ctx, zone, f.wish(newFile(f.z.Zone, b.view))), rndc.Exists)
	case modify:
		return b.rndc.ModZone(ctx, zone, unsigning(f.wish(fileOf(now.conf)), now.conf, f.z))
	case fetch:
		return b.rndc.Retransfer(ctx, zone)
	}
	return fmt.Errorf("no way to %s", next)
}

func ignore(err error, results ...string) error {
	if rndc.Is(err, results...) {
		return nil
	}
	return err
}

// look finds out what stands on the server.
func (b *bind) look(ctx context.Context, zone string) (found, error) {
	conf, err := b.rndc.ShowZone(ctx, b.zone(zone))
	if rndc.Is(err, rndc.NotFound) {
		return found{}, nil
	}
	if err != nil && !rndc.Is(err, rndc.Failure) {
		return found{}, err
	}
	soa, asked := b.s.dns.SOA(ctx, zone)
	if err != nil {
		if asked == nil && automatic(zone, soa) {
			err = &Unsupported{b.s.cfg.Name, zone, "the server serves this zone empty by itself (RFC 6303)",
				fmt.Sprintf("set `disable-empty-zone \"%s\";` in the options of its configuration", zone)}
		}
		return found{}, err
	}
	if asked == nil {
		return found{conf: conf, serving: true, serial: soa.Serial}, nil
	}
	if err := b.s.unanswered(asked); err != nil {
		return found{}, err
	}
	f := found{conf: conf}
	if ours(fileOf(conf), zone, b.view) && isPrimary(conf) {
		f.lost, err = b.lost(ctx, zone)
	}
	return f, err
}

// lost asks the server to read a zone again that is not loaded: it says what is wrong with its file.
func (b *bind) lost(ctx context.Context, zone string) (bool, error) {
	_, err := b.rndc.ZoneStatus(ctx, b.zone(zone))
	if !rndc.Is(err, rndc.NotLoaded) {
		return false, ignore(err, rndc.NotFound)
	}
	err = b.rndc.Reload(ctx, b.zone(zone))
	var refused *rndc.Error
	if errors.As(err, &refused) && gone(refused.Result) {
		return true, nil
	}
	return false, err
}

// able says what is missing for making the zone.
func able(c Config, z ZoneConfig) error {
	switch {
	case c.Role == v1alpha1.Primary && c.TSIG == (keyfile.Key{}):
		return &Unsupported{c.Name, z.Zone, "a primary is filled and updated by signed messages, and there is no TSIG key", "give the DNSServer a tsig Secret with a key that the server knows"}
	case c.Role == v1alpha1.Primary && c.Seed == nil:
		return errors.New("a primary needs a seed")
	case c.Role == v1alpha1.Secondary && len(z.Primaries) == 0:
		return &Unsupported{c.Name, z.Zone, "no primary is selected to fetch it from", "let the zone's serverSelector select a primary, too"}
	}
	return nil
}

// foreign is a zone of the server's own configuration: used as it is.
func foreign(server, zone string, serving bool) error {
	if serving {
		return nil
	}
	return &Unsupported{server, zone, "the zone stands in the server's own configuration, where it is not ours to change, and we get no answer from it",
		"see the server's log, let our TSIG key transfer and update the zone, or take it out of the configuration"}
}

// hint says what to change in the server's configuration.
func (b *bind) hint(zone string, err error) error {
	var refused *rndc.Error
	if errors.As(err, &refused) && refused.Result == rndc.NotFound && (refused.Command == "addzone" || strings.Contains(refused.Text, "configure_zone")) {
		return &Unsupported{b.s.cfg.Name, zone, err.Error(), "see that the view, the dnssec-policy and the keys of DNSServer and DNSZone are in the server's configuration by these names"}
	}
	if rndc.Is(err, rndc.NotPermitted, rndc.Failure) && refused.Command != "reload" {
		return &Unsupported{b.s.cfg.Name, zone, err.Error(), "set `allow-new-zones yes;` in the options of the server's configuration, and let its user write to its directory"}
	}
	return err
}

func (b *bind) remove(ctx context.Context, zone string) error {
	conf, err := b.rndc.ShowZone(ctx, b.zone(zone))
	if rndc.Is(err, rndc.NotFound) || err == nil && !ours(fileOf(conf), zone, b.view) {
		return nil
	}
	if err == nil {
		err = ignore(b.rndc.DelZone(ctx, b.zone(zone), true), rndc.NotFound)
	}
	return b.hint(zone, err)
}

// filling gives a primary zone its content.
type filling struct {
	*bind
	z       ZoneConfig
	content Content
	wish    func(file string) []clause.Statement
	offered *seed.Offer
}

func (f *filling) release() {
	if f.offered != nil {
		f.offered.Release()
	}
}

// offer asks for the content, once, and hands it out.
func (f *filling) offer(ctx context.Context) error {
	if f.offered != nil {
		return nil
	}
	content, err := f.content(ctx)
	if err != nil {
		return fmt.Errorf("content of %s: %w", f.z.Zone, err)
	}
	f.offered, err = f.s.cfg.Seed.Offer(f.z.Zone, content, f.s.cfg.TSIG)
	return err
}

// fill adds the zone as a secondary of the seed and waits until it has all of it. It has no data before,
// and answers SERVFAIL.
func (f *filling) fill(ctx context.Context) error {
	// A server that does not know the TSIG key would say so to its log only.
	if _, err := f.s.dns.SOA(ctx, f.z.Zone); f.s.unanswered(err) != nil {
		return f.s.unanswered(err)
	}
	if err := f.offer(ctx); err != nil {
		return err
	}
	from := f.s.cfg.Seed.Address()
	at, err := f.s.endpoint(ctx, from)
	if err != nil || len(at) == 0 {
		return fmt.Errorf("the address for first transfers, %s: %w", from, err)
	}
	conf := seeding(newFile(f.z.Zone, f.view), peer{at[0], f.s.cfg.TSIG.Name})
	if err := ignore(f.rndc.AddZone(ctx, f.bind.zone(f.z.Zone), conf), rndc.Exists); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, f.s.cfg.Timeout)
	defer cancel()
	select {
	case <-f.offered.Fetched():
	case <-wait.Done():
		return &Unfetched{f.s.cfg.Name, f.z.Zone, []string{from}, context.Cause(wait)}
	}
	err = f.s.await(ctx, f.z.Zone, f.s.cfg.Timeout)
	if err != nil {
		return &Unfetched{f.s.cfg.Name, f.z.Zone, []string{from}, err}
	}
	return nil
}

// promote makes the zone a primary of the file that it was fetched into. The server writes that file some time
// after it has begun to answer, and never when the zone is deleted before.
func (f *filling) promote(ctx context.Context, file string) error {
	zone := f.bind.zone(f.z.Zone)
	if err := f.written(ctx, file); err != nil {
		return err
	}
	if err := ignore(f.rndc.DelZone(ctx, zone, false), rndc.NotFound); err != nil {
		return err
	}
	err := f.rndc.AddZone(ctx, zone, f.wish(file))
	var refused *rndc.Error
	if errors.As(err, &refused) {
		f.sweep(ctx, zone, file)
	}
	if refused != nil && refused.Result != rndc.NotFound && refused.Result != rndc.FileNotFound {
		return fmt.Errorf("%s does not take the content of zone %s, its log says which record it is about: %w", f.s.cfg.Name, f.z.Zone, err)
	}
	return err
}

// written waits until a file is there. The control channel says so only to who adds a zone with it: one that
// does not come to be, because the file is text.
func (f *filling) written(ctx context.Context, file string) error {
	probe := f.bind.zone(strings.TrimSuffix(strings.TrimPrefix(path.Base(file), filePrefix(f.z.Zone, f.view)), ".db") + ".is-written.invalid")
	conf := []clause.Statement{clause.Of("type", "primary"), clause.Text("file", file), clause.Of("masterfile-format", "raw")}
	ctx, cancel := context.WithTimeout(ctx, f.s.cfg.Timeout)
	defer cancel()
	for pause := firstPause; ; pause = min(pause*2, longestPause) {
		err := f.rndc.AddZone(ctx, probe, conf)
		var refused *rndc.Error
		switch {
		case err == nil:
			return f.rndc.DelZone(ctx, probe, false)
		case !errors.As(err, &refused):
			return err
		case refused.Result != rndc.FileNotFound:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not write zone %s into its file %s: %w", f.s.cfg.Name, f.z.Zone, file, err)
		case <-time.After(pause):
		}
		if pause == longestPause {
			if err := f.rndc.Sync(ctx, f.bind.zone(f.z.Zone)); err != nil {
				return err
			}
		}
	}
}

// sweep removes a file that no zone has, so that attempts that fail do not fill the disk.
func (f *filling) sweep(ctx context.Context, zone rndc.Zone, file string) {
	if f.rndc.AddZone(ctx, zone, seeding(file, peer{netip.MustParseAddrPort("127.0.0.1:9"), f.s.cfg.TSIG.Name})) == nil {
		_ = f.rndc.DelZone(ctx, zone, true)
	}
}
