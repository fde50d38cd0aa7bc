package azuredns

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"

	"github.com/spokedns/spokedns/webhook/backend"
)

// kind is which of the two services holds a zone.
type kind string

const (
	public  kind = "public"
	private kind = "private"
)

// zoneID names a zone resource.
type zoneID struct {
	kind         kind
	subscription string
	group        string
	name         string // canonical
	id           string // as Azure spells it
}

// parseZoneID reads a resource id; the error says what would be right.
func parseZoneID(id string) (zoneID, error) {
	want := fmt.Errorf("want the resource id of a zone: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/dnsZones/example.org, or privateDnsZones")
	r, err := arm.ParseResourceID(id)
	if err != nil || r.ResourceGroupName == "" || !strings.EqualFold(r.ResourceType.Namespace, "Microsoft.Network") {
		return zoneID{}, want
	}
	z := zoneID{subscription: r.SubscriptionID, group: r.ResourceGroupName, id: id}
	switch {
	case strings.EqualFold(r.ResourceType.Type, "dnsZones"):
		z.kind = public
	case strings.EqualFold(r.ResourceType.Type, "privateDnsZones"):
		z.kind = private
	default:
		return zoneID{}, want
	}
	if z.name, err = backend.Name(r.Name); err != nil {
		return zoneID{}, want
	}
	return z, nil
}

// relative is what the services call a name of the zone: without the zone, and "@" for the zone's own.
func (z zoneID) relative(name string) string {
	if name == z.name {
		return "@"
	}
	return strings.TrimSuffix(name, "."+z.name)
}

// absolute is the name that a relative one means.
func (z zoneID) absolute(relative string) string {
	if relative == "@" {
		return z.name
	}
	return relative + "." + z.name
}

// record is a record set that stands in a zone.
type record struct {
	set      backend.RRset      // canonical; without Values when it holds none
	etag     string             // of what was last seen of it
	metadata map[string]*string // what others noted on it; an update keeps it
	foreign  string             // why it is not ours to change, "" when it is
}

// guard is what has to be true for a write to be made.
type guard struct {
	etag   string // the record set still has it
	absent bool   // there is no such record set
}

// service is one of the two DNS services in one subscription. A zone's calls go to the service of its
// kind and subscription.
type service interface {
	// zones returns the zones of a resource group, of the whole subscription when it is "". A page is as
	// large as the service allows when large is true, else as it likes.
	zones(ctx context.Context, group string, large bool) ([]zoneID, error)
	// list returns every record set of a zone but those that belong to the zone itself.
	list(ctx context.Context, z zoneID, large bool) ([]record, error)
	// get returns one record set, nil when there is none.
	get(ctx context.Context, z zoneID, key backend.Key) (*record, error)
	// put writes a record set and returns its new etag.
	put(ctx context.Context, z zoneID, r record, g guard) (etag string, err error)
	// remove deletes a record set.
	remove(ctx context.Context, z zoneID, key backend.Key, g guard) error
}

// largest is the size of the largest page: "Invalid $top value: '1001'. It must be a number between '1' and '1000'."
func largest(large bool) *int32 {
	if !large {
		return nil
	}
	n := int32(1000)
	return &n
}

func (g guard) headers() (ifMatch, ifNoneMatch *string) {
	if g.absent {
		all := "*"
		return nil, &all
	}
	return &g.etag, nil
}

// shown is a record set as either service shows it.
type shown struct {
	name, typ, etag *string
	ttl             *int64
	values          []string
	metadata        map[string]*string
	foreign         string
}

// record reads what a service shows. ok is false for what belongs to the zone itself.
func (z zoneID) record(s shown) (r record, ok bool) {
	typ := value(s.typ)
	typ = strings.ToUpper(typ[strings.LastIndexByte(typ, '/')+1:])
	r = record{etag: value(s.etag), metadata: s.metadata, foreign: s.foreign}
	r.set = backend.RRset{Key: backend.Key{Name: z.absolute(value(s.name)), Type: typ}, Values: s.values}
	if s.ttl != nil {
		r.set.TTL = seconds(*s.ttl)
	}
	if typ == "SOA" || typ == "NS" && value(s.name) == "@" {
		return r, false
	}
	canonical, err := backend.Canonical(r.set)
	if err != nil {
		r.set.Name = strings.ToLower(r.set.Name)
		if r.foreign == "" {
			r.foreign = "it cannot be read: " + err.Error()
		}
		return r, true
	}
	r.set = canonical
	return r, true
}

func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}
