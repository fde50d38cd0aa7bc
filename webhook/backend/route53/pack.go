package route53

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// pack spreads units over as few batches as it can. A unit that is larger than a batch has one of its own,
// which is taken apart later.
//
// Aliases of records that are created by another unit come in later batches, for the service refuses an
// alias of nothing.
func pack(units []*unit) [][]*unit {
	early, late := dependent(units)
	return append(fill(early), fill(late)...)
}

// fill is pack for units that can be written in any order. It begins with as many batches as are needed if
// nothing is left over, and takes more only as long as the units do not fit.
func fill(units []*unit) [][]*unit {
	ordered := slices.Clone(units)
	slices.SortStableFunc(ordered, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(b.size.share(), a.size.share()), strings.Compare(a.changes[0].Key().Name, b.changes[0].Key().Name))
	})
	var batches [][]*unit
	var total size
	for len(ordered) > 0 && !ordered[0].size.fits() { // the largest come first
		batches, ordered = append(batches, ordered[:1]), ordered[1:]
	}
	for _, u := range ordered {
		total = total.plus(u.size)
	}
	if len(ordered) == 0 {
		return batches
	}
	least := max(1, ceiling(total.records, batchRecords), ceiling(total.characters, batchCharacters))
	for n := least; ; n += 1 + n/100 {
		if spread := spread(ordered, n); spread != nil {
			return append(batches, spread...)
		}
	}
}

func ceiling(a, b int) int { return (a + b - 1) / b }

// spread puts each unit, the largest first, into that of n batches which has least of what the unit takes:
// records go where there are few records, and characters where there are few characters, so that none of
// the two runs out early. It returns nil when not all of them fit.
func spread(ordered []*unit, n int) [][]*unit {
	batches, sizes := make([][]*unit, n), make([]size, n)
	for _, u := range ordered {
		best, least := -1, 0.0
		for i, s := range sizes {
			if !s.plus(u.size).fits() {
				continue
			}
			if common := s.common(u.size); best < 0 || common < least {
				best, least = i, common
			}
		}
		if best < 0 {
			return nil
		}
		batches[best], sizes[best] = append(batches[best], u), sizes[best].plus(u.size)
	}
	return slices.DeleteFunc(batches, func(b []*unit) bool { return len(b) == 0 })
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
