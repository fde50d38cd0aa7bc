package route53

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	service "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/spokedns/spokedns/webhook/backend"
)

// hostedZone is where the records of a zone are.
type hostedZone struct {
	id, name string
	private  bool
	comment  string
}

func (z hostedZone) String() string {
	text := z.id + " (" + typePublic
	if z.private {
		text = z.id + " (" + typePrivate
	}
	if z.comment != "" {
		text += fmt.Sprintf(", %q", z.comment)
	}
	return text + ")"
}

// allZones is the key under which the zones of the account are remembered.
const allZones = "."

// zone finds the one hosted zone of a name that the configuration means. A name that is not among the
// zones remembered is looked for anew.
func (b *Backend) zone(ctx context.Context, op, name string) (hostedZone, error) {
	fail := func(kind backend.Kind, err error) (hostedZone, error) {
		return hostedZone{}, &backend.Error{Kind: kind, Op: op, Zone: name, Err: err}
	}
	if ctx.Err() != nil {
		return fail(backend.Temporary, context.Cause(ctx))
	}
	found, err := b.named(ctx, name)
	if err != nil {
		return hostedZone{}, failure(op, name, fmt.Errorf("find the zone: %w", plain(err)))
	}
	if len(b.config.ZoneTags) > 0 && len(found) > 0 {
		if found, err = b.tagged(ctx, found); err != nil {
			return hostedZone{}, failure(op, name, fmt.Errorf("find the zone by its tags: %w", plain(err)))
		}
	}
	switch len(found) {
	case 0:
		return fail(backend.Rejected, errors.New("there is no such hosted zone"+b.meant()))
	case 1:
		b.mu.Lock()
		b.ids[name] = found[0].id
		b.mu.Unlock()
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, z := range found {
		ids[i] = z.String()
	}
	slices.Sort(ids)
	return fail(backend.Rejected, fmt.Errorf("there are %d hosted zones of this name: %s; choose one by zoneIDs, zoneType, zoneTags or vpc", len(ids), strings.Join(ids, ", ")))
}

// named are the zones of a name that the configuration leaves, but for tags.
func (b *Backend) named(ctx context.Context, name string) ([]hostedZone, error) {
	for {
		asked := false
		all, err := b.zones.Get(ctx, allZones, func(ctx context.Context, _ []hostedZone) ([]hostedZone, error) {
			asked = true
			return b.listZones(ctx)
		})
		if err != nil {
			return nil, err
		}
		found := slices.DeleteFunc(slices.Clone(all), func(z hostedZone) bool { return z.name != name })
		if len(found) > 0 || asked {
			return found, nil
		}
		b.zones.Changed(allZones)
	}
}

// meant says what narrows the search, for messages.
func (b *Backend) meant() string {
	var parts []string
	if len(b.config.ZoneIDs) > 0 {
		parts = append(parts, "zoneIDs "+strings.Join(b.config.ZoneIDs, ", "))
	}
	if b.config.ZoneType != "" {
		parts = append(parts, "zoneType "+b.config.ZoneType)
	}
	if len(b.config.ZoneTags) > 0 {
		parts = append(parts, "zoneTags "+strings.Join(b.config.ZoneTags, ", "))
	}
	if b.config.VPC != "" {
		parts = append(parts, "vpc "+b.config.VPC)
	}
	if len(parts) == 0 {
		return " that these credentials can see"
	}
	return " with " + strings.Join(parts, ", ")
}

// listZones asks the service for them.
func (b *Backend) listZones(ctx context.Context) ([]hostedZone, error) {
	var all []hostedZone
	var err error
	switch {
	case len(b.config.ZoneIDs) > 0:
		all, err = b.zonesByID(ctx)
	case b.config.VPC != "":
		all, err = b.zonesOfVPC(ctx)
	default:
		all, err = b.zonesOfAccount(ctx)
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(z hostedZone) bool {
		return b.config.ZoneType == typePublic && z.private || b.config.ZoneType == typePrivate && !z.private
	}), nil
}

// zonesByID asks for each zone by itself, which needs no right to see others.
func (b *Backend) zonesByID(ctx context.Context) ([]hostedZone, error) {
	region, vpc := b.config.vpc()
	var all []hostedZone
	for _, id := range b.config.ZoneIDs {
		id = zoneID(id)
		out, err := b.client.GetHostedZone(ctx, &service.GetHostedZoneInput{Id: &id}, inTime(ctx))
		var gone *types.NoSuchHostedZone
		if errors.As(err, &gone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("zone %s: %w", id, plain(err))
		}
		if vpc != "" && !slices.ContainsFunc(out.VPCs, func(v types.VPC) bool {
			return aws.ToString(v.VPCId) == vpc && (region == "" || string(v.VPCRegion) == region)
		}) {
			continue
		}
		all = appendZone(all, out.HostedZone)
	}
	return all, nil
}

func (b *Backend) zonesOfAccount(ctx context.Context) ([]hostedZone, error) {
	var all []hostedZone
	for pages := service.NewListHostedZonesPaginator(b.client, &service.ListHostedZonesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, inTime(ctx))
		if err != nil {
			return nil, err
		}
		for i := range page.HostedZones {
			all = appendZone(all, &page.HostedZones[i])
		}
	}
	return all, nil
}

func (b *Backend) zonesOfVPC(ctx context.Context) ([]hostedZone, error) {
	region, vpc := b.config.vpc()
	if region == "" {
		region = b.client.Options().Region
	}
	var all []hostedZone
	in := &service.ListHostedZonesByVPCInput{VPCId: &vpc, VPCRegion: types.VPCRegion(region)}
	for {
		page, err := b.client.ListHostedZonesByVPC(ctx, in, inTime(ctx))
		if err != nil {
			return nil, err
		}
		for _, z := range page.HostedZoneSummaries {
			if name, ok := plainName(aws.ToString(z.Name)); ok {
				all = append(all, hostedZone{id: zoneID(aws.ToString(z.HostedZoneId)), name: name, private: true})
			}
		}
		if aws.ToString(page.NextToken) == "" {
			return all, nil
		}
		in.NextToken = page.NextToken
	}
}

func appendZone(all []hostedZone, z *types.HostedZone) []hostedZone {
	name, ok := plainName(aws.ToString(z.Name))
	if !ok {
		return all
	}
	found := hostedZone{id: zoneID(aws.ToString(z.Id)), name: name}
	if z.Config != nil {
		found.private, found.comment = z.Config.PrivateZone, aws.ToString(z.Config.Comment)
	}
	return append(all, found)
}

// tagged are the zones that have all the tags the configuration asks for.
func (b *Backend) tagged(ctx context.Context, zones []hostedZone) ([]hostedZone, error) {
	ids := make([]string, len(zones))
	for i, z := range zones {
		ids[i] = z.id
	}
	slices.Sort(ids)
	tags, err := b.tags.Get(ctx, strings.Join(ids, " "), func(ctx context.Context, _ map[string]map[string]string) (map[string]map[string]string, error) {
		return b.listTags(ctx, ids)
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(zones), func(z hostedZone) bool {
		return slices.ContainsFunc(b.config.ZoneTags, func(want string) bool {
			key, value, exact := strings.Cut(want, "=")
			has, ok := tags[z.id][key]
			return !ok || exact && has != value
		})
	}), nil
}

func (b *Backend) listTags(ctx context.Context, ids []string) (map[string]map[string]string, error) {
	out := make(map[string]map[string]string, len(ids))
	for part := range slices.Chunk(ids, tagsPage) {
		answer, err := b.client.ListTagsForResources(ctx, &service.ListTagsForResourcesInput{ResourceType: types.TagResourceTypeHostedzone, ResourceIds: part}, inTime(ctx))
		if err != nil {
			return nil, err
		}
		for _, set := range answer.ResourceTagSets {
			tags := make(map[string]string, len(set.Tags))
			for _, t := range set.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			out[zoneID(aws.ToString(set.ResourceId))] = tags
		}
	}
	return out, nil
}
