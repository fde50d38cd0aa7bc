package backend

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
