package azurednstest

import (
	"slices"
	"strings"
)

// zone is a DNS zone resource with its record sets.
type zone struct {
	subscription, group, name string
	kind                      Kind
	sets                      map[setKey]*recordSet
	sorted                    []setKey // nil when out of date
}

// setKey names a record set in its zone: the relative name, "@" at the zone's own, and the type.
type setKey struct{ name, typ string }

func newZone(subscription, group, name string, kind Kind) *zone {
	return &zone{subscription: subscription, group: group, name: name, kind: kind, sets: map[setKey]*recordSet{}}
}

// provider is the resource type of zones of a kind. The services spell it so in the ids they return.
func (k Kind) provider() string {
	if k == Private {
		return "Microsoft.Network/privateDnsZones"
	}
	return "Microsoft.Network/dnszones"
}

func (z *zone) id() string {
	return "/subscriptions/" + z.subscription + "/resourceGroups/" + z.group + "/providers/" + z.kind.provider() + "/" + z.name
}

// relative is the name of a record set in the zone.
func (z *zone) relative(name string) string {
	if name == z.name {
		return "@"
	}
	return strings.TrimSuffix(name, "."+z.name)
}

// absolute is the name that a relative one means.
func (z *zone) absolute(relative string) string {
	if relative == "@" {
		return z.name
	}
	return relative + "." + z.name
}

func (z *zone) add(set *recordSet, etag string) {
	set.etag = etag
	if z.sets[set.setKey] == nil {
		z.sorted = nil
	}
	z.sets[set.setKey] = set
}

func (z *zone) remove(key setKey) {
	if z.sets[key] != nil {
		delete(z.sets, key)
		z.sorted = nil
	}
}

// keys are all record sets in the order of pages.
func (z *zone) keys() []setKey {
	if z.sorted == nil {
		z.sorted = make([]setKey, 0, len(z.sets))
		for key := range z.sets {
			z.sorted = append(z.sorted, key)
		}
		slices.SortFunc(z.sorted, setKey.compare)
	}
	return z.sorted
}

func (k setKey) compare(o setKey) int {
	if c := strings.Compare(k.name, o.name); c != 0 {
		return c
	}
	return strings.Compare(k.typ, o.typ)
}

// after cuts a page out of sorted keys: those behind the last one of the page before, at most n; next is
// where the following page continues, "" at the end.
func after(keys []setKey, token string, n int) (page []setKey, next string) {
	start := 0
	if token != "" {
		name, typ, _ := strings.Cut(token, "|")
		at, found := slices.BinarySearchFunc(keys, setKey{name, typ}, setKey.compare)
		if start = at; found {
			start++
		}
	}
	page = keys[start:min(start+n, len(keys))]
	if start+n < len(keys) {
		last := page[len(page)-1]
		next = last.name + "|" + last.typ
	}
	return page, next
}
