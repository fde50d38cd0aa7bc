package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/zonefile"
)

// importCommand turns a zone into objects.
type importCommand struct {
	source `embed:""`

	Zone      string            `required:"" placeholder:"ZONE" help:"Name of the zone."`
	Namespace string            `placeholder:"NAME" default:"default" help:"Namespace of the objects."`
	Selector  map[string]string `required:"" placeholder:"KEY=VALUE" mapsep:"," help:"Label of the DNSServers that are to have the zone; repeat it for several."`
}

// run prints the objects. What no object can stand for is left out, and logged.
func (c importCommand) run(ctx context.Context, s streams) error {
	zone, err := backend.Name(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone: %w", err)
	}
	if c.Server == "" {
		return errors.New("--server: want the DNS server that has the zone, for example 10.0.0.53")
	}
	sets, err := c.transfer(ctx, zone)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	z, recs, left, err := zonefile.Objects(zone, sets, zonefile.Options{Namespace: c.Namespace, Selector: c.Selector})
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	for _, l := range left {
		s.log.Warn("left out, and left to stand in DNS as it is", "record", l.Key.String(), "because", l.Why)
	}
	return zonefile.WriteObjects(s.stdout, z, recs)
}
