package route53

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// pack fills units into as few batches as it can: the largest first, each into the fullest batch that
// still takes it. A unit that is larger than a batch has one of its own, which is taken apart later.
//
// Aliases of records that are created by another unit come in later batches, for the service refuses an
// alias of nothing.
func pack(units []*unit) [][]*unit {
	early, late := dependent(units)
	return append(fill(early), fill(late)...)
}

// fill is pack for units that can be written in any order.
func fill(units []*unit) [][]*unit {
	ordered := slices.Clone(units)
	slices.SortStableFunc(ordered, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(b.size.share(), a.size.share()), strings.Compare(a.changes[0].Key().Name, b.changes[0].Key().Name))
	})
	var batches [][]*unit
	var sizes []size
	for _, u := range ordered {
		best := -1
		for i, s := range sizes {
			if s.plus(u.size).fits() && (best < 0 || s.share() > sizes[best].share()) {
				best = i
			}
		}
		if best < 0 {
			batches, sizes = append(batches, nil), append(sizes, size{})
			best = len(batches) - 1
		}
		batches[best], sizes[best] = append(batches[best], u), sizes[best].plus(u.size)
	}
	return batches
}

// dependent sets apart the units with an alias of what another unit creates.
func dependent(units []*unit) (early, late []*unit) {
	created := map[backend.Key]*unit{}
	for _, u := range units {
		for _, w := range u.creates {
			created[backend.Key{Name: w.key.Name, Type: w.key.Type}] = u
		}
	}
	for _, u := range units {
		waits := slices.ContainsFunc(u.creates, func(w write) bool {
			if !w.set.Alias() {
				return false
			}
			by := created[backend.Key{Name: w.set.Values[0], Type: w.key.Type}]
			return by != nil && by != u
		})
		if waits {
			late = append(late, u)
		} else {
			early = append(early, u)
		}
	}
	return early, late
}
