package controller

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// higher is the later of two serials (RFC 1982); 0 is none.
func higher(a, b uint32) uint32 {
	if a == 0 || b != 0 && rfc2136.Newer(b, a) {
		return b
	}
	return a
}

// after is the next serial; 0 is none.
func after(serial uint32) uint32 { return max(serial+1, 1) }

// others are the RRsets of a server that are neither wished nor ours, by key. The SOA is nobody's.
func others(live []backend.RRset, mine func(backend.Key) bool) map[backend.Key]*backend.RRset {
	out := map[backend.Key]*backend.RRset{}
	for i := range live {
		if r := &live[i]; r.Type != "SOA" && !mine(r.Key) {
			out[r.Key] = r
		}
	}
	return out
}

// differences are the keys that not all servers have alike, sorted.
func differences(servers []map[backend.Key]*backend.RRset) []backend.Key {
	differ := map[backend.Key]bool{}
	for i := 1; i < len(servers); i++ {
		a, b := servers[0], servers[i]
		for key, r := range a {
			if o := b[key]; o == nil || !same(r, o) {
				differ[key] = true
			}
		}
		for key := range b {
			if a[key] == nil {
				differ[key] = true
			}
		}
	}
	keys := make([]backend.Key, 0, len(differ))
	for key := range differ {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// restoration is what makes a server that went back in time have what a peer has, of what is not ours. What it has beyond
// the peer is removed only if its content is older than the peer's for sure; one that was filled without a peer has only
// what came since.
func restoration(has, peer map[backend.Key]*backend.RRset, remove bool) []backend.Change {
	var changes []backend.Change
	for key, r := range peer {
		if old := has[key]; old == nil || remove && !same(old, r) {
			changes = append(changes, backend.Change{Old: old, New: r})
		}
	}
	for key, r := range has {
		if remove && peer[key] == nil {
			changes = append(changes, backend.Change{Old: r})
		}
	}
	slices.SortFunc(changes, func(a, b backend.Change) int { return compareKeys(a.Key(), b.Key()) })
	return changes
}

func same(a, b *backend.RRset) bool { return a.TTL == b.TTL && a.Same(b) }

func compareKeys(a, b backend.Key) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type), strings.Compare(a.SetID, b.SetID))
}

// digester makes numbers of RRsets; equal ones have equal numbers.
type digester struct{ seed maphash.Seed }

func (d digester) of(r *backend.RRset) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	maphash.WriteComparable(&h, r.TTL)
	for _, v := range r.Values {
		maphash.WriteComparable(&h, v)
	}
	return h.Sum64()
}
