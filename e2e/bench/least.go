package main

import "sigs.k8s.io/external-dns/endpoint"

// pages is how many portions of a size hold n.
func pages(n, size int) int { return (n + size - 1) / size }

// differing leaves out what stands already as it is wanted.
func differing(old, wanted []*endpoint.Endpoint) (gone, come []*endpoint.Endpoint) {
	type record struct{ name, typ, target string }
	of := func(e *endpoint.Endpoint) record { return record{e.DNSName, e.RecordType, e.Targets[0]} }
	was, will := map[record]bool{}, map[record]bool{}
	for _, e := range old {
		was[of(e)] = true
	}
	for _, e := range wanted {
		will[of(e)] = true
		if !was[of(e)] {
			come = append(come, e)
		}
	}
	for _, e := range old {
		if !will[of(e)] {
			gone = append(gone, e)
		}
	}
	return gone, come
}

// changedSets is how many RRsets come, go or change: the calls to a service that takes one RRset in each.
func changedSets(old, wanted []*endpoint.Endpoint) int {
	gone, come := differing(old, wanted)
	names := map[[2]string]bool{}
	for _, e := range append(gone, come...) {
		names[[2]string{e.DNSName, e.RecordType}] = true
	}
	return len(names)
}

// size is the length of the records' data in the text form.
func size(eps []*endpoint.Endpoint) int {
	n := 0
	for _, e := range eps {
		n += len(e.Targets[0])
	}
	return n
}
