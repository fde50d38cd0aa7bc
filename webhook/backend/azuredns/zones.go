package azuredns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// zones finds zones by name and the services they are called through.
type zones struct {
	config Config
	client *client
	pinned map[string]zoneID
	lists  *listing.Cache[zoneList] // by kind

	mu       sync.Mutex
	services map[string]service // by kind and subscription
}

// zoneList is every zone of a kind in reach.
type zoneList struct {
	zones []zoneID
	at    time.Time // when it was asked for
}

func newZones(c Config, client *client) *zones {
	f := &zones{config: c, client: client, pinned: map[string]zoneID{}, lists: listing.New[zoneList](c.ZoneCache), services: map[string]service{}}
	for _, id := range c.Zones {
		if z, err := parseZoneID(id); err == nil { // Validate saw the others
			f.pinned[z.name] = z
		}
	}
	return f
}

// service returns the service that holds a zone.
func (f *zones) service(k kind, subscription string) (service, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := string(k) + " " + subscription
	if s := f.services[key]; s != nil {
		return s, nil
	}
	open := newPublic
	if k == private {
		open = newPrivate
	}
	s, err := open(f.client, subscription)
	if err == nil {
		f.services[key] = s
	}
	return s, err
}

// kinds are the kinds of zones to look for, in order.
func (f *zones) kinds() []kind {
	if f.config.Type != "" {
		return []kind{kind(f.config.Type)}
	}
	return []kind{public, private}
}

// find returns the zone of a name: the one that is named by id, else the only one of its kind in reach,
// public before private. Two of a kind are an error that names both: nobody could tell which of them is
// meant.
func (f *zones) find(ctx context.Context, name string) (zoneID, error) {
	if z, ok := f.pinned[name]; ok {
		return z, nil
	}
	if len(f.config.Subscriptions) == 0 {
		return zoneID{}, &backend.Error{Kind: backend.Rejected, Err: errors.New(
			"it is not among zones; add its resource id there, or name the subscriptions to search")}
	}
	var failed error // without rights on one kind of zones there may be some on the other
	for _, k := range f.kinds() {
		switch found, err := f.named(ctx, k, name); {
		case err != nil && !hasStatus(err, http.StatusForbidden):
			return zoneID{}, err
		case err != nil && failed == nil:
			failed = err
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return zoneID{}, ambiguous(found)
		}
	}
	if failed != nil {
		return zoneID{}, failed
	}
	return zoneID{}, &backend.Error{Kind: backend.Rejected, Err: errors.New(f.nowhere())}
}

// named returns the zones of a kind that have a name. A list that does not have it is asked for again,
// unless it is as fresh as the question.
func (f *zones) named(ctx context.Context, k kind, name string) ([]zoneID, error) {
	asked := time.Now()
	for {
		list, err := f.lists.Get(ctx, string(k), func(ctx context.Context, _ zoneList) (zoneList, error) { return f.list(ctx, k) })
		if err != nil {
			return nil, err
		}
		found := slices.DeleteFunc(slices.Clone(list.zones), func(z zoneID) bool { return z.name != name })
		if len(found) > 0 || !list.at.Before(asked) {
			return found, nil
		}
		f.lists.Changed(string(k))
	}
}

// forget makes the next find look again: the zone is not where it was.
func (f *zones) forget() {
	for _, k := range f.kinds() {
		f.lists.Changed(string(k))
	}
}

// list asks for every zone of a kind in reach.
func (f *zones) list(ctx context.Context, k kind) (zoneList, error) {
	all := zoneList{at: time.Now()}
	groups := f.config.ResourceGroups
	if len(groups) == 0 {
		groups = []string{""}
	}
	for _, subscription := range f.config.Subscriptions {
		s, err := f.service(k, subscription)
		if err != nil {
			return zoneList{}, err
		}
		for _, group := range groups {
			found, err := paged(ctx, func(ctx context.Context, large bool) ([]zoneID, error) { return s.zones(ctx, group, large) })
			switch {
			case zoneGone(err) && len(f.config.Subscriptions)*len(groups) > 1:
				// Not every subscription has every resource group.
			case err != nil:
				return zoneList{}, &backend.Error{Kind: kindOf(err), Err: fmt.Errorf("look for %s zones in %s: %w", k, place(subscription, group), &cause{explained(ctx, err), err})}
			}
			all.zones = append(all.zones, found...)
		}
	}
	return all, nil
}

// paged asks for large pages, and for the service's own when it does not take that.
func paged[T any](ctx context.Context, ask func(ctx context.Context, large bool) ([]T, error)) ([]T, error) {
	all, err := ask(ctx, true)
	if err != nil && refusesTop(err) {
		return ask(ctx, false)
	}
	return all, err
}

func place(subscription, group string) string {
	if group == "" {
		return "subscription " + subscription
	}
	return "resource group " + group + " of subscription " + subscription
}

func ambiguous(found []zoneID) error {
	ids := make([]string, len(found))
	for i, z := range found {
		ids[i] = z.id
	}
	return &backend.Error{Kind: backend.Rejected, Err: fmt.Errorf("there are %d %s zones of this name in reach: %s; put the id of the one that is meant into zones, or narrow subscriptions or resourceGroups",
		len(found), found[0].kind, strings.Join(ids, " and "))}
}

// nowhere says where a zone was looked for.
func (f *zones) nowhere() string {
	looked := "no public or private zone"
	if f.config.Type != "" {
		looked = "no " + f.config.Type + " zone"
	}
	in := "subscription " + strings.Join(f.config.Subscriptions, ", ")
	if len(f.config.ResourceGroups) > 0 {
		in = "resource group " + strings.Join(f.config.ResourceGroups, ", ") + " of " + in
	}
	return looked + " of this name that we may see in " + in
}
