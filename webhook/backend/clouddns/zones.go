package clouddns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
)

// managedZone is a zone as the service knows it.
type managedZone struct {
	project, name, id, visibility string
	dnsName                       string // canonical
	special                       string // what it is when it holds no records
}

// String is how messages name it.
func (m managedZone) String() string {
	return fmt.Sprintf("managed zone %s/%s (%s, id %s)", m.project, m.name, cmp.Or(m.special, m.visibility), m.id)
}

// find returns the one managed zone that holds a DNS zone. Two are an error, never a guess.
func (b *Backend) find(ctx context.Context, op, zone string) (managedZone, error) {
	fail := func(kind backend.Kind, err error) (managedZone, error) {
		return managedZone{}, &backend.Error{Kind: kind, Op: op, Zone: zone, Err: err}
	}
	projects, err := b.projects(ctx)
	if err != nil {
		return fail(classify(err).kind(), err)
	}
	var named []managedZone
	for fresh := false; ; {
		all, asked, err := b.managedZones(ctx, projects)
		if err != nil {
			kind := classify(err).kind()
			if classify(err) == gone { // the project: asking again will not make it
				kind = backend.Rejected
			}
			return fail(kind, explain(err, nil, backend.Key{}))
		}
		named = slices.DeleteFunc(slices.Clone(all), func(m managedZone) bool { return m.dnsName != zone })
		if fresh || asked || slices.ContainsFunc(named, b.eligible) {
			break
		}
		for _, project := range projects {
			b.zones.Changed(project) // it may be new
		}
		fresh = true
	}
	eligible := slices.DeleteFunc(slices.Clone(named), func(m managedZone) bool { return !b.eligible(m) })
	switch {
	case len(eligible) == 1:
		return eligible[0], nil
	case len(eligible) > 1:
		return fail(backend.Rejected, fmt.Errorf("%d managed zones have this name: %s; choose one with visibility: public or private, or with managedZones: [%s]",
			len(eligible), list(eligible), eligible[0].id))
	case len(named) > 0:
		return fail(backend.Rejected, fmt.Errorf("no managed zone of this name can be used: there is %s, but the settings ask for %s", list(named), b.asked()))
	}
	return fail(backend.Rejected, fmt.Errorf("there is no managed zone of this name in %s", b.asked()))
}

// eligible reports whether a zone holds records and is among those that the settings allow.
func (b *Backend) eligible(m managedZone) bool {
	switch {
	case m.special != "":
		return false
	case b.config.Visibility != "" && m.visibility != b.config.Visibility:
		return false
	case len(b.config.ManagedZones) == 0:
		return true
	}
	return slices.ContainsFunc(b.config.ManagedZones, func(want string) bool {
		return want == m.name || want == m.id || want == m.project+"/"+m.name || want == m.project+"/"+m.id
	})
}

// asked is what the settings allow, for messages.
func (b *Backend) asked() string {
	where := "the project of the credentials"
	if len(b.config.Projects) > 0 {
		where = "project " + strings.Join(b.config.Projects, ", ")
	}
	kind := cmp.Or(b.config.Visibility, "public or private")
	if len(b.config.ManagedZones) > 0 {
		kind += " " + strings.Join(b.config.ManagedZones, ", ")
	}
	return fmt.Sprintf("%s (%s, holding records)", where, kind)
}

func list(zones []managedZone) string {
	text := make([]string, len(zones))
	for i, m := range zones {
		text[i] = m.String()
	}
	return strings.Join(text, ", ")
}

// projects are those of the settings, or the one that the credentials belong to.
func (b *Backend) projects(ctx context.Context) ([]string, error) {
	if len(b.config.Projects) > 0 {
		return b.config.Projects, nil
	}
	g, err := b.client.tokens.get(ctx)
	switch {
	case err != nil:
		return nil, err
	case g.project == "":
		return nil, &tokenError{&credentialsError{errors.New("the credentials belong to no project: want projects to name one")}}
	}
	return []string{g.project}, nil
}

// managedZones is every zone of the projects, and whether the service was asked for one of them just now.
func (b *Backend) managedZones(ctx context.Context, projects []string) (all []managedZone, asked bool, err error) {
	var asks atomic.Bool
	for _, project := range projects {
		zones, err := b.zones.Get(ctx, project, func(ctx context.Context, _ []managedZone) ([]managedZone, error) {
			asks.Store(true)
			return b.client.zones(ctx, project)
		})
		if err != nil {
			return nil, false, fmt.Errorf("project %s: %w", project, err)
		}
		all = append(all, zones...)
	}
	return all, asks.Load(), nil
}

// zones reads the managed zones of a project.
func (c *client) zones(ctx context.Context, project string) ([]managedZone, error) {
	var zones []managedZone
	err := c.api.ManagedZones.List(project).Pages(ctx, func(r *dns.ManagedZonesListResponse) error {
		for _, z := range r.ManagedZones {
			name, err := backend.Name(z.DnsName)
			if err != nil {
				continue // none that a view could ask for
			}
			zones = append(zones, managedZone{
				project: project, name: z.Name, id: strconv.FormatUint(z.Id, 10), visibility: cmp.Or(z.Visibility, public), dnsName: name, special: special(z),
			})
		}
		return nil
	})
	return zones, err
}

// special says what a managed zone is that answers from elsewhere than from records of its own.
func special(z *dns.ManagedZone) string {
	switch {
	case z.ForwardingConfig != nil:
		return "forwarding"
	case z.PeeringConfig != nil:
		return "peering"
	case z.ServiceDirectoryConfig != nil:
		return "service directory"
	case z.ReverseLookupConfig != nil:
		return "managed reverse lookup"
	}
	return ""
}
