package route53

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	service "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/spokedns/spokedns/webhook/backend"
)

// stored is a record set as the service has it, and what it is to us: nil when it is not ours to list.
type stored struct {
	raw *types.ResourceRecordSet
	set *backend.RRset
}

// content is a listing of a zone. It is shared, so nobody modifies it.
type content struct {
	sets  []backend.RRset
	all   []stored
	names map[string][]stored // by name in the service's form
}

// content lists a zone, or returns what was listed as long as that is good.
func (b *Backend) content(ctx context.Context, z hostedZone) (*content, error) {
	return b.records.Get(ctx, z.id, func(ctx context.Context, last *content) (*content, error) {
		var all []stored
		err := b.page(ctx, z, "", func(raw *types.ResourceRecordSet) bool {
			all = append(all, b.store(z, raw))
			return true
		})
		if err != nil {
			return nil, err
		}
		if last != nil && slices.EqualFunc(last.all, all, func(a, b stored) bool { return reflect.DeepEqual(a.raw, b.raw) }) {
			again := *last // another listing, though of the same slice: what was believed since the last one is void
			return &again, nil
		}
		return newContent(all), nil
	})
}

func newContent(all []stored) *content {
	c := &content{sets: make([]backend.RRset, 0, len(all)), all: all, names: make(map[string][]stored, len(all))}
	for _, s := range all {
		name := nameOf(s.raw)
		c.names[name] = append(c.names[name], s)
		if s.set != nil {
			c.sets = append(c.sets, *s.set)
		}
	}
	return c
}

// nameOf is the name of a record set in the one form we compare.
func nameOf(raw *types.ResourceRecordSet) string {
	name := aws.ToString(raw.Name)
	if plain, ok := plainName(name); ok {
		return wireName(plain)
	}
	return name
}

func (b *Backend) store(z hostedZone, raw *types.ResourceRecordSet) stored {
	s := stored{raw: raw}
	if r, ok := b.former.fromService(z, raw); ok {
		s.set = &r
	}
	return s
}

// page hands out the record sets of a zone in the service's order, from a name in its form on, as long as
// more are wanted.
func (b *Backend) page(ctx context.Context, z hostedZone, from string, more func(*types.ResourceRecordSet) bool) error {
	in := &service.ListResourceRecordSetsInput{HostedZoneId: &z.id, MaxItems: aws.Int32(pageSize)}
	if from != "" {
		in.StartRecordName = &from
	}
	for {
		out, err := b.client.ListResourceRecordSets(ctx, in, inTime(ctx))
		if err != nil {
			return err
		}
		for i := range out.ResourceRecordSets {
			if !more(&out.ResourceRecordSets[i]) {
				return nil
			}
		}
		if !out.IsTruncated {
			return nil
		}
		if out.NextRecordName == nil {
			return errors.New("a page that ends before the zone does, and does not say where the next one begins")
		}
		in.StartRecordName, in.StartRecordType, in.StartRecordIdentifier = out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier
	}
}

// at reads what stands at a name now.
func (b *Backend) at(ctx context.Context, z hostedZone, name string) ([]stored, error) {
	var all []stored
	err := b.page(ctx, z, name, func(raw *types.ResourceRecordSet) bool {
		if nameOf(raw) != name {
			return false
		}
		all = append(all, b.store(z, raw))
		return true
	})
	return all, err
}

func isGone(err error) bool {
	var gone *types.NoSuchHostedZone
	return errors.As(err, &gone)
}
