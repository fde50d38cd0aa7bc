package backend

import "slices"

// Units groups changes by Group, in the order in which the groups first appear; the order within a
// group is kept.
func Units(changes []Change) [][]Change {
	index := make(map[string]int, len(changes))
	var units [][]Change
	for _, c := range changes {
		i, ok := index[c.Group()]
		if !ok {
			i = len(units)
			index[c.Group()] = i
			units = append(units, nil)
		}
		units[i] = append(units[i], c)
	}
	return units
}

// Sequence orders the changes of one unit for a service that makes them one at a time, so that wherever
// it ends, what stands is owned and no name is without an answer for longer than need be:
//
//  1. ownership texts are created and updated: TXT records of the unit at other names than its own;
//  2. what stands in the way of a CNAME, or is one that stands in the way, is deleted (RFC 1034 §3.6.2);
//  3. records are created and updated;
//  4. records are deleted;
//  5. ownership texts are deleted.
//
// Within a step the given order is kept.
func Sequence(unit []Change) []Change {
	swapped := map[string]bool{} // names at which a CNAME comes or goes while something else goes or comes
	for _, c := range unit {
		if c.Key().Type == "CNAME" && (c.Old == nil) != (c.New == nil) {
			swapped[c.Key().Name] = true
		}
	}
	step := func(c Change) int {
		ownership := c.Key().Type == "TXT" && c.Unit != "" && c.Key().Name != c.Unit
		switch {
		case ownership && c.New != nil:
			return 1
		case ownership:
			return 5
		case c.New != nil:
			return 3
		case swapped[c.Key().Name]:
			return 2
		}
		return 4
	}
	ordered := slices.Clone(unit)
	slices.SortStableFunc(ordered, func(a, b Change) int { return step(a) - step(b) })
	return ordered
}
