package controller

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// zone is what this process knows of a DNSZone beside the object. Its reconciliation, of which there is one at a time,
// owns it; what others read is in a view.
type zone struct {
	uid    types.UID
	key    types.NamespacedName
	name   string // in DNS
	loaded bool   // the ledger knows it
	seen   uint32 // the highest serial that any server had; 0: none yet
	places map[types.NamespacedName]*place
	// wished are digests of the RRsets that were wished last; nil before the first time.
	wished   map[backend.Key]uint64
	told     map[types.UID]told // what its records were told
	status   v1alpha1.DNSZoneStatus
	chases   int             // how often its primaries were made to overtake a secondary
	tries    int             // reconciliations in a row after which not all was well
	ended    time.Time       // its last reconciliation
	took     time.Duration   // that, when it changed much
	stale    bool            // the ledger may hold what is not wished any more
	catalogs map[string]bool // in which it is known to be
	ds       []string
	dsAt     time.Time
}

// place is a zone on one server.
type place struct {
	server  types.NamespacedName
	role    v1alpha1.Role
	state   v1alpha1.ZoneState
	answer  answer
	serial  uint32 // what it served last; 0: not known
	message string
	since   time.Time
	// settings are a digest of those the server was last given by this process.
	settings string
	given    time.Time // when that was
	// pending are RRsets of records that the server has yet to be seen to answer.
	pending map[backend.Key]struct{}
	// bare: it was filled while no server with others' RRsets could be read.
	bare bool
	// lost: it served the zone, and does not any more.
	lost bool
}

// answer is how a server answers for a zone.
type answer string

const (
	unknown     answer = ""
	served      answer = "served"
	notServed   answer = "notServed"
	denied      answer = "denied"
	unreachable answer = "unreachable"
)

// recall is what an object's status tells a new process.
func recall(z *v1alpha1.DNSZone) *zone {
	k := &zone{
		stale: true, catalogs: map[string]bool{},
		uid: z.UID, key: keyOf(z), name: z.Spec.ZoneName, seen: uint32(z.Status.Serial), //nolint:gosec // a serial has 32 bits
		places: map[types.NamespacedName]*place{}, told: map[types.UID]told{}, status: *z.Status.DeepCopy(), ds: z.Status.DSRecords,
	}
	for _, s := range z.Status.Servers {
		namespace, name, _ := strings.Cut(s.Name, "/")
		p := &place{
			server: types.NamespacedName{Namespace: namespace, Name: name}, role: s.Role, state: s.State, serial: uint32(s.Serial), //nolint:gosec // as above
			message: s.Message, since: s.Since.Time, pending: map[backend.Key]struct{}{},
		}
		k.places[p.server] = p
	}
	return k
}

// servers are the places as the status has them.
func (k *zone) servers() []v1alpha1.ZoneServer {
	var list []v1alpha1.ZoneServer
	for _, p := range k.sorted() {
		list = append(list, v1alpha1.ZoneServer{
			Name: p.server.String(), Role: p.role, State: p.state, Serial: int64(p.serial),
			Message: clip(p.message), Since: metav1.NewTime(p.since),
		})
	}
	return list
}

func (k *zone) sorted() []*place {
	list := make([]*place, 0, len(k.places))
	for _, p := range k.places {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *place) int { return strings.Compare(a.server.String(), b.server.String()) })
	return list
}

// leaves says whether a server of the role has still to let go.
func (k *zone) leaves(role v1alpha1.Role) bool {
	for _, p := range k.places {
		if p.role == role && p.state == v1alpha1.Leaving {
			return true
		}
	}
	return false
}

// turn sets a place's state.
func (p *place) turn(state v1alpha1.ZoneState, message string, now time.Time) {
	if p.state != state {
		p.state, p.since = state, now
	}
	p.message = message
}

// memory is all zones.
type memory struct {
	digests digester

	mu    sync.Mutex
	zones map[types.NamespacedName]*zone
	views map[types.NamespacedName]*view
}

// view is what others than its reconciliation see of a zone.
type view struct {
	name   string
	busy   bool
	idle   bool // it is not accepted: an event will tell when that changes
	seen   uint32
	places map[types.NamespacedName]glimpse
	ready  int // records
	all    int
	ledger int
}

// glimpse is a place at the end of a reconciliation.
type glimpse struct {
	role   v1alpha1.Role
	state  v1alpha1.ZoneState
	answer answer
	serial uint32
}

func newMemory() *memory {
	return &memory{
		digests: digester{seed: maphash.MakeSeed()},
		zones:   map[types.NamespacedName]*zone{}, views: map[types.NamespacedName]*view{},
	}
}

// begin returns what is known of a zone, for its reconciliation.
func (m *memory) begin(z *v1alpha1.DNSZone) *zone {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(z)
	k := m.zones[key]
	if k == nil || k.uid != z.UID {
		k = recall(z)
		m.zones[key] = k
	}
	v := m.views[key]
	if v == nil || v.name != k.name {
		v = &view{}
		m.views[key] = v
	}
	for server, g := range v.places { // what the poll saw meanwhile
		if p := k.places[server]; p != nil && p.role == v1alpha1.Secondary {
			p.serial = g.serial
		}
	}
	v.name, v.busy = k.name, true
	return k
}

// breath is how long a zone rests at most.
const breath = 100 * time.Millisecond

// breathe waits, after a reconciliation that changed much, some times as long as that took: in a storm of records each then
// brings many. What comes one by one does not wait.
func (m *memory) breathe(ctx context.Context, zone types.NamespacedName) {
	m.mu.Lock()
	k := m.zones[zone]
	m.mu.Unlock()
	if k == nil {
		return
	}
	if rest := min(3*k.took, breath) - time.Since(k.ended); rest > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}

// show makes known what a reconciliation found; busy is false at its end.
func (m *memory) show(k *zone, busy bool, change func(*view)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.views[k.key]
	if v == nil {
		return
	}
	places := make(map[types.NamespacedName]glimpse, len(k.places))
	for name, p := range k.places {
		places[name] = glimpse{role: p.role, state: p.state, answer: p.answer, serial: p.serial}
	}
	v.places, v.busy, v.seen = places, busy, k.seen
	if change != nil {
		change(v)
	}
}

// forget drops a zone that is gone.
func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.zones, key)
	delete(m.views, key)
}

// posts are the zones on a server, with what is known of them.
type post struct {
	zone types.NamespacedName
	name string
	glimpse
	busy bool
	idle bool
	seen uint32 // the highest serial of all servers
}

func (m *memory) on(server types.NamespacedName) []post {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []post
	for key, v := range m.views {
		if g, ok := v.places[server]; ok {
			list = append(list, post{zone: key, name: v.name, glimpse: g, busy: v.busy, idle: v.idle, seen: v.seen})
		}
	}
	slices.SortFunc(list, func(a, b post) int { return strings.Compare(a.zone.String(), b.zone.String()) })
	return list
}

// post is one of them as it is now.
func (m *memory) post(server, zone types.NamespacedName) (post, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.views[zone]
	if v == nil {
		return post{}, false
	}
	g, ok := v.places[server]
	return post{zone: zone, name: v.name, glimpse: g, busy: v.busy, idle: v.idle, seen: v.seen}, ok
}

// known are the zones that this process has looked at.
func (m *memory) known() map[types.NamespacedName]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[types.NamespacedName]bool, len(m.views))
	for key, v := range m.views {
		if v.places != nil {
			all[key] = true
		}
	}
	return all
}

// caughtUp notes the serial that a secondary has got to by itself.
func (m *memory) caughtUp(server, zone types.NamespacedName, serial uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.views[zone]; v != nil && !v.busy {
		if g, ok := v.places[server]; ok {
			g.serial = serial
			v.places[server] = g
		}
	}
}
