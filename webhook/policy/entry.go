package policy

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
)

// entry is an endpoint of the input under its canonical name.
type entry struct {
	name string
	key  uint64 // eight bytes of the name that sort like the name, as far as they differ
	ep   *endpoint.Endpoint
}

// sort brings the endpoints into the order of their canonical names. Those whose name DNS cannot hold
// are reported: nothing can be published for them, now or before.
func (r *run) sort(in []*endpoint.Endpoint) []entry {
	entries := make([]entry, 0, len(in))
	var bad []Decision
	for _, ep := range in {
		if ep == nil {
			continue
		}
		name, err := canonicalName(ep.DNSName)
		if err != nil {
			bad = append(bad, Decision{Host: ep.DNSName, Action: Hold, Rule: NoRule, Detail: &Detail{Reason: err.Error()}})
			continue
		}
		entries = append(entries, entry{name: name, ep: ep})
	}
	slices.SortFunc(bad, func(a, b Decision) int { return cmp.Compare(a.Host, b.Host) })
	r.out.Decisions = append(r.out.Decisions, slices.CompactFunc(bad, func(a, b Decision) bool { return a.Host == b.Host })...)
	sortEntries(entries)
	return entries
}

// sortEntries sorts by name. The names lie all over memory, and most comparisons need not go there: the
// first eight bytes that are not common to all names decide them.
func sortEntries(entries []entry) {
	if len(entries) == 0 {
		return
	}
	common := len(entries[0].name)
	for i := range entries {
		common = min(common, commonPrefix(entries[0].name[:common], entries[i].name))
	}
	for i := range entries {
		var b [8]byte
		copy(b[:], entries[i].name[common:])
		entries[i].key = binary.BigEndian.Uint64(b[:])
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return strings.Compare(a.name, b.name)
	})
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
