package claim

import (
	"hash/maphash"
	"maps"
)

// shards bounds what one write copies: an n-th of the table.
const shards = 256

// table is a map that can be copied at the price of its shards, not of its entries: a copy shares every
// shard, and the first write to a shared shard clones that shard only. The writer needs a lock; copies
// are read without one.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	shards [shards]shard[K, V]
}

type shard[K comparable, V any] struct {
	entries map[K]V
	shared  bool // a copy reads entries too
}

func newTable[K comparable, V any]() *table[K, V] { return &table[K, V]{seed: maphash.MakeSeed()} }

func (t *table[K, V]) of(k K) *shard[K, V] {
	return &t.shards[maphash.Comparable(t.seed, k)%shards]
}

func (t *table[K, V]) get(k K) V { return t.of(k).entries[k] }

func (t *table[K, V]) set(k K, v V) { t.writable(k)[k] = v }

func (t *table[K, V]) remove(k K) { delete(t.writable(k), k) }

func (t *table[K, V]) writable(k K) map[K]V {
	s := t.of(k)
	switch {
	case s.entries == nil:
		s.entries = map[K]V{}
	case s.shared:
		s.entries = maps.Clone(s.entries)
	}
	s.shared = false
	return s.entries
}

// copy returns the table as it is now; later writes to t do not show in it.
func (t *table[K, V]) copy() *table[K, V] {
	for i := range t.shards {
		t.shards[i].shared = true
	}
	c := *t
	return &c
}
