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
	zones   []zoneID
	refused error     // we have no right to see them all
	at      time.Time // when it was asked for
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
	// What is kept of zones is looked through first; only what is nowhere in it is looked for anew.
	asked := time.Now()
	z, err := f.search(ctx, name, time.Time{})
	if errors.Is(err, errNowhere) || hasStatus(err, http.StatusForbidden) {
		z, err = f.search(ctx, name, asked)
	}
	if errors.Is(err, errNowhere) {
		return z, &backend.Error{Kind: backend.Rejected, Err: errors.New(f.nowhere())}
	}
	return z, err
}

// errNowhere says that a zone is in no list.
const errNowhere = errorText("no such zone")

type errorText string

func (e errorText) Error() string { return string(e) }

// search looks for a zone in lists that are no older than since.
func (f *zones) search(ctx context.Context, name string, since time.Time) (zoneID, error) {
	failed := error(errNowhere)
	for _, k := range f.kinds() {
		list, err := f.inReach(ctx, k, since)
		if err != nil {
			return zoneID{}, err
		}
		if list.refused != nil && errors.Is(failed, errNowhere) {
			failed = list.refused // without rights on one kind of zones there may be some on the other
		}
		found := slices.DeleteFunc(slices.Clone(list.zones), func(z zoneID) bool { return z.name != name })
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return zoneID{}, ambiguous(found)
		}
	}
	return zoneID{}, failed
}

// inReach returns the zones of a kind, from a list that is no older than since.
func (f *zones) inReach(ctx context.Context, k kind, since time.Time) (zoneList, error) {
	for {
		list, err := f.lists.Get(ctx, string(k), func(ctx context.Context, _ zoneList) (zoneList, error) { return f.list(ctx, k) })
		if err != nil || !list.at.Before(since) {
			return list, err
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
				err = &backend.Error{Kind: kindOf(err), Err: fmt.Errorf("look for %s zones in %s: %w", k, place(subscription, group), &cause{explained(ctx, err), err})}
				if !hasStatus(err, http.StatusForbidden) {
					return zoneList{}, err
				}
				all.refused = err
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
