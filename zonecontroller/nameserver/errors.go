package nameserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/knot"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
)

// Unsupported says that somebody has to change the server before a zone can be on it.
type Unsupported struct {
	Server, Zone string
	Reason       string // what cannot be done
	Remedy       string // what to do
}

// Error reads "server: zone example.org: reason; remedy".
func (e *Unsupported) Error() string {
	return fmt.Sprintf("%s: zone %s: %s; %s", e.Server, e.Zone, e.Reason, e.Remedy)
}

// Denied says that the server does not accept our key: its control, or DNS.
type Denied struct {
	Server string
	Err    error
}

// Error reads "server: …".
func (e *Denied) Error() string { return e.Server + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Denied) Unwrap() error { return e.Err }

// ClockSkew says that the server's clock is too far from ours for its control to accept a command.
type ClockSkew struct {
	Server string
	Skew   time.Duration // how far its clock is ahead
}

// Error says which clock is ahead.
func (e *ClockSkew) Error() string {
	direction, by := "ahead of", e.Skew
	if by < 0 {
		direction, by = "behind", -by
	}
	return fmt.Sprintf("%s: its clock is %s %s ours; signed messages are accepted up to 5m0s: set the clocks right", e.Server, by, direction)
}

// Unreachable says that the server was not reached, by DNS or its control, or broke off: what was asked for may
// have been done.
type Unreachable struct {
	Server string
	Err    error
}

// Error reads "server: …".
func (e *Unreachable) Error() string { return e.Server + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// Unfetched says that the server has the zone and did not get its content in time.
type Unfetched struct {
	Server, Zone string
	From         []string // where it should get it, host:port; empty where that is the server's own matter
	Err          error    // what it answered last
}

// Error names what can be wrong.
func (e *Unfetched) Error() string {
	if len(e.From) == 0 {
		return fmt.Sprintf("%s: zone %s: the server has it and does not serve it yet (%v)", e.Server, e.Zone, e.Err)
	}
	return fmt.Sprintf("%s: zone %s: no content was fetched from %v yet; the server has to reach it over TCP and UDP and know its TSIG key by the same name (%v)",
		e.Server, e.Zone, e.From, e.Err)
}

// Unwrap returns the cause.
func (e *Unfetched) Unwrap() error { return e.Err }

// tolerated is how far apart the clocks of a control channel and ours may be, as TSIG has it.
const tolerated = 5 * time.Minute

// explain gives an error of a control its type here. A control does not say that it is the clock; DNS does.
func (s *Server) explain(ctx context.Context, err error) error {
	var (
		denied  *rndc.Denied
		channel *rndc.Unreachable
		socket  *knot.Unreachable
	)
	switch {
	case errors.As(err, &denied):
		if id, probed := s.probe(ctx); probed == nil && id.Skew.Abs() >= tolerated {
			return &ClockSkew{s.cfg.Name, id.Skew}
		}
		return &Denied{s.cfg.Name, denied}
	case errors.As(err, &channel):
		return &Unreachable{s.cfg.Name, channel}
	case errors.As(err, &socket):
		return &Unreachable{s.cfg.Name, socket}
	}
	return err
}

// unanswered gives an error of DNS its type: none when the server answered, only not with data of the zone.
func (s *Server) unanswered(err error) error {
	var not *rfc2136.NotServed
	switch {
	case err == nil, errors.As(err, &not):
		return nil
	case backend.KindOf(err) == backend.Denied:
		return &Denied{s.cfg.Name, err}
	}
	return &Unreachable{s.cfg.Name, err}
}
