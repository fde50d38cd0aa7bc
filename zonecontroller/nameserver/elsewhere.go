package nameserver

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// elsewhere is a server on which somebody else makes zones: its administrator, or a catalog zone that it
// follows. Zones are waited for and checked.
type elsewhere struct{ s *Server }

func (e *elsewhere) ensure(ctx context.Context, z ZoneConfig, _ Content) (bool, error) {
	name, catalog := e.s.cfg.Name, e.s.cfg.Control.Catalog
	if catalog != "" {
		if err := e.s.await(ctx, z.Zone, e.s.cfg.Timeout); err != nil {
			return false, &Unfetched{name, z.Zone, addresses(z.Primaries), fmt.Errorf("by catalog zone %s: %w", catalog, err)}
		}
		return false, nil
	}
	state, err := e.s.State(ctx, z.Zone)
	switch {
	case err != nil:
		return false, e.s.unanswered(err)
	case state.Is == Serving:
		return false, nil
	}
	remedy := "add the zone to the server's configuration as a primary that lets our TSIG key update and transfer it, or give the DNSServer a control"
	if len(z.Primaries) > 0 {
		remedy = fmt.Sprintf("add the zone to the server's configuration as a secondary of %v, or give the DNSServer a control", addresses(z.Primaries))
	}
	return false, &Unsupported{name, z.Zone, "the server does not serve it, and there is no control to make it", remedy}
}

// remove waits for a catalog zone to do its work; other zones stay.
func (e *elsewhere) remove(ctx context.Context, zone string) error {
	if e.s.cfg.Control.Catalog == "" {
		return nil
	}
	state, err := e.s.State(ctx, zone)
	switch {
	case err != nil:
		return e.s.unanswered(err)
	case state.Is == Absent:
		return nil
	}
	return fmt.Errorf("%s: zone %s is still there: it goes when the server has read catalog zone %s without it", e.s.cfg.Name, zone, e.s.cfg.Control.Catalog)
}

func (e *elsewhere) status(context.Context) (string, error) { return "", nil }

func addresses(all []Endpoint) []string {
	out := []string{}
	for _, e := range all {
		out = append(out, e.Addr)
	}
	return out
}

// await asks until the server serves the zone.
func (s *Server) await(ctx context.Context, zone string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for pause := firstPause; ; pause = min(pause*2, longestPause) {
		_, err := s.dns.SOA(ctx, zone)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// How often a server is asked whether it has come so far.
const (
	firstPause   = time.Millisecond
	longestPause = 50 * time.Millisecond
)
