// Package ledger owns the memory of what was published: which RRsets of a zone are ours, in ConfigMaps
// beside the controller.
//
// A zone's keys lie in sixteen ConfigMaps, by the hash of their name, so that a change of one record writes
// little, and a thousand changes at most sixteen times. An RRset is written down before it is published, and
// struck out after it is gone: what ends in between is found again, and nothing that is ours is forgotten.
package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/webhook/backend"
)

const (
	// shards is how many ConfigMaps a zone has at most. It is part of what is stored.
	shards = 16
	// parallel is how many requests to the API server are under way at once, for all zones together.
	parallel = 8
)

// Ledger is the RRsets of each zone that are ours. It is safe for concurrent use.
type Ledger struct {
	store    store
	requests chan struct{} // holds a token for each request under way

	mu    sync.Mutex
	zones map[types.UID]*zone
}

// zone is what is known of one zone; a caller locks it for all that it does.
type zone struct {
	mu     sync.RWMutex
	loaded bool
	shards [shards]shard
}

// shard is a part of a zone's keys as it was last read or written.
type shard struct {
	version string // resourceVersion; "" while there is no ConfigMap
	keys    map[backend.Key]struct{}
}

// New returns a ledger kept in ConfigMaps of a namespace. The client reads from the API server itself: one
// with a cache might not see what was just written.
func New(c client.Client, namespace string) *Ledger {
	return &Ledger{store: store{c, namespace}, requests: make(chan struct{}, parallel), zones: map[types.UID]*zone{}}
}

// Changed is the error of a Strike that met a ledger which somebody else has written to, as another leader
// does. Nothing was struck out of that part; what stands there now is known, and is to be decided on again.
type Changed struct {
	Zone   types.UID
	Shards []string // names of the ConfigMaps
}

func (e *Changed) Error() string {
	return fmt.Sprintf("the ledger of zone %s was changed by somebody else meanwhile: ConfigMaps %q", e.Zone, e.Shards)
}

// Load reads what is written about a zone, also where it was read before. A ConfigMap that cannot be read
// or understood is an error that names it, and leaves what was known.
func (l *Ledger) Load(ctx context.Context, uid types.UID) error {
	z := l.zone(uid)
	z.mu.Lock()
	defer z.mu.Unlock()
	return l.load(ctx, uid, z)
}

// Begin is Load for a zone of which nothing can be written yet, because nobody ever published it. It asks nobody; should
// something be there after all, Add finds and keeps it.
func (l *Ledger) Begin(uid types.UID) {
	z := l.zone(uid)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.loaded = true
}

func (l *Ledger) load(ctx context.Context, uid types.UID, z *zone) error {
	var read [shards]shard
	err := l.each(all(), func(i int) (err error) {
		read[i], err = l.store.get(ctx, uid, i)
		return err
	})
	if err == nil {
		z.shards, z.loaded = read, true
	}
	return err
}

// Has reports whether an RRset is ours, as far as was read: nothing is before Load.
func (l *Ledger) Has(uid types.UID, key backend.Key) bool {
	z := l.known(uid)
	z.mu.RLock()
	defer z.mu.RUnlock()
	_, ok := z.shards[shardOf(key)].keys[key]
	return ok
}

// Keys are the RRsets that are ours, as far as was read, sorted by name and type.
func (l *Ledger) Keys(uid types.UID) []backend.Key {
	z := l.known(uid)
	z.mu.RLock()
	defer z.mu.RUnlock()
	var keys []backend.Key
	for _, s := range z.shards {
		for k := range s.keys {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compare)
	return keys
}

func compare(a, b backend.Key) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
}

// Add writes RRsets down as ours; it is called before they are published. When it returns nil they are all
// stored. With an error some may be, which does no harm: what is not published is not missed.
//
// What others write at the same time is kept. What was read before is believed, so that a leader that lost its
// lease without knowing can still strike out what its successor believes to be written down.
func (l *Ledger) Add(ctx context.Context, uid types.UID, keys []backend.Key) error {
	for _, k := range keys {
		if err := storable(k); err != nil {
			return err
		}
	}
	return l.write(ctx, uid, keys, func(ctx context.Context, i int, s *shard, keys []backend.Key) error {
		for try := 1; ; try++ {
			wanted := with(s.keys, keys)
			if len(wanted) == len(s.keys) && s.version != "" {
				return nil
			}
			err := l.put(ctx, uid, i, s, wanted)
			if !errors.Is(err, errLost) || try == maxTries {
				return err
			}
		}
	})
}

// maxTries is how often an Add is written over what others write at the same time.
const maxTries = 10

// Strike takes RRsets out that are on no server any more. Those that are not in it are no error. It is a
// *Changed when somebody else wrote meanwhile: what they wrote may be about the same RRsets.
func (l *Ledger) Strike(ctx context.Context, uid types.UID, keys []backend.Key) error {
	var mu sync.Mutex
	var changed []string
	err := l.write(ctx, uid, keys, func(ctx context.Context, i int, s *shard, keys []backend.Key) error {
		wanted := without(s.keys, keys)
		if len(wanted) == len(s.keys) {
			return nil
		}
		err := l.put(ctx, uid, i, s, wanted)
		if errors.Is(err, errLost) {
			mu.Lock()
			defer mu.Unlock()
			changed = append(changed, name(uid, i))
			return nil
		}
		return err
	})
	if len(changed) > 0 {
		slices.Sort(changed)
		err = errors.Join(err, &Changed{uid, changed})
	}
	return err
}

// put writes the keys in place of a shard's. With errLost they are not written, and the shard is as somebody
// else wrote it; where they deleted it, it is as it was known, to be written again.
func (l *Ledger) put(ctx context.Context, uid types.UID, i int, s *shard, keys map[backend.Key]struct{}) error {
	written, err := l.store.put(ctx, uid, i, shard{s.version, keys})
	if err == nil {
		*s = written
		return nil
	}
	if !errors.Is(err, errLost) {
		return err
	}
	now, getErr := l.store.get(ctx, uid, i)
	switch {
	case getErr != nil:
		return getErr
	case now.version == "":
		s.version = ""
	default:
		*s = now
	}
	return err
}

// write hands each shard that the keys belong to, with its keys, to change, several at once.
func (l *Ledger) write(ctx context.Context, uid types.UID, keys []backend.Key, change func(ctx context.Context, i int, s *shard, keys []backend.Key) error) error {
	z := l.zone(uid)
	z.mu.Lock()
	defer z.mu.Unlock()
	if !z.loaded {
		if err := l.load(ctx, uid, z); err != nil {
			return err
		}
	}
	byShard := map[int][]backend.Key{}
	var touched []int
	for _, k := range keys {
		i := shardOf(k)
		if byShard[i] == nil {
			touched = append(touched, i)
		}
		byShard[i] = append(byShard[i], k)
	}
	return l.each(touched, func(i int) error { return change(ctx, i, &z.shards[i], byShard[i]) })
}

// Drop removes all that is written about a zone, which is on no server any more.
func (l *Ledger) Drop(ctx context.Context, uid types.UID) error {
	z := l.zone(uid)
	z.mu.Lock()
	defer z.mu.Unlock()
	err := l.each(all(), func(i int) error {
		if z.loaded && z.shards[i].version == "" {
			return nil
		}
		return l.store.remove(ctx, uid, i)
	})
	if err != nil {
		return err
	}
	z.shards, z.loaded = [shards]shard{}, false
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.zones, uid)
	return nil
}

// known is a zone to look at, an empty one where nothing is known.
func (l *Ledger) known(uid types.UID) *zone {
	l.mu.Lock()
	defer l.mu.Unlock()
	if z := l.zones[uid]; z != nil {
		return z
	}
	return &zone{}
}

// zone is a zone to work on.
func (l *Ledger) zone(uid types.UID) *zone {
	l.mu.Lock()
	defer l.mu.Unlock()
	z := l.zones[uid]
	if z == nil {
		z = &zone{}
		l.zones[uid] = z
	}
	return z
}

// each runs do for the numbers, some at once, and returns all errors.
func (l *Ledger) each(numbers []int, do func(i int) error) error {
	errs := make([]error, len(numbers))
	if len(numbers) == 1 {
		l.requests <- struct{}{}
		defer func() { <-l.requests }()
		return do(numbers[0])
	}
	var group sync.WaitGroup
	for n, i := range numbers {
		l.requests <- struct{}{}
		group.Go(func() {
			defer func() { <-l.requests }()
			errs[n] = do(i)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func all() []int {
	numbers := make([]int, shards)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// shardOf is where a key is stored. All types of a name lie together.
func shardOf(k backend.Key) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.Name))
	return int(h.Sum32() % shards)
}

func with(keys map[backend.Key]struct{}, more []backend.Key) map[backend.Key]struct{} {
	out := make(map[backend.Key]struct{}, len(keys)+len(more))
	for k := range keys {
		out[k] = struct{}{}
	}
	for _, k := range more {
		out[k] = struct{}{}
	}
	return out
}

func without(keys map[backend.Key]struct{}, less []backend.Key) map[backend.Key]struct{} {
	out := with(keys, nil)
	for _, k := range less {
		delete(out, k)
	}
	return out
}
