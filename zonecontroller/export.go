package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/zonefile"
)

// exportCommand prints a zone file.
type exportCommand struct {
	source             `embed:""`
	program.Kubernetes `embed:""`

	Zone      string `required:"" placeholder:"ZONE" help:"Name of the zone in DNS, or of its DNSZone."`
	Namespace string `placeholder:"NAME" help:"Namespace of the DNSZone. Default: all."`
}

func (c exportCommand) run(ctx context.Context, s streams) error {
	zone, err := backend.Name(c.Zone)
	if err != nil {
		return fmt.Errorf("--zone: %w", err)
	}
	var sets []backend.RRset
	if c.Server != "" {
		sets, err = c.transfer(ctx, zone)
	} else {
		zone, sets, err = c.declared(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return zonefile.Write(s.stdout, zone, sets)
}

// declared is what the objects in a cluster ask for.
func (c exportCommand) declared(ctx context.Context, s streams) (string, []backend.RRset, error) {
	cfg, err := c.Config(userAgent())
	if errors.Is(err, program.ErrNoCluster) {
		return "", nil, errors.New("--server or --kubeconfig: want one of them, to know where the zone is")
	}
	if err != nil {
		return "", nil, err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return "", nil, err
	}
	api, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return "", nil, err
	}
	z, err := c.find(ctx, api)
	if err != nil {
		return "", nil, err
	}
	var records v1alpha1.DNSRecordList
	if err := api.List(ctx, &records); err != nil {
		return "", nil, err
	}
	own, faults := content.Zone(z)
	if len(faults) > 0 {
		return "", nil, fmt.Errorf("DNSZone %s/%s: %w", z.Namespace, z.Name, faults[0])
	}
	for i := range own {
		if own[i].Type == "SOA" {
			value, err := content.SOA(own[i].Values[0], "", uint32(z.Status.Serial))
			if err != nil {
				return "", nil, err
			}
			own[i].Values = []string{value}
		}
	}
	wanted, wrong := content.Records(z, records.Items)
	for id, f := range wrong {
		s.log.Warn("left out", "DNSRecord", id.String(), "because", f.Error())
	}
	name, err := backend.Name(z.Spec.ZoneName)
	return name, append(own, wanted.Sets...), err
}

// find is the one DNSZone that is meant.
func (c exportCommand) find(ctx context.Context, api client.Client) (*v1alpha1.DNSZone, error) {
	var zones v1alpha1.DNSZoneList
	if err := api.List(ctx, &zones, client.InNamespace(c.Namespace)); err != nil {
		return nil, err
	}
	var found []*v1alpha1.DNSZone
	for i := range zones.Items {
		if z := &zones.Items[i]; z.Name == c.Zone || z.Spec.ZoneName == c.Zone {
			found = append(found, z)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("--zone: %q is the name of %d DNSZones: want the name of one, and its namespace where there are several", c.Zone, len(found))
	}
	return found[0], nil
}
