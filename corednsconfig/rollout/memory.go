package rollout

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// phase says what the last write has come to.
type phase string

const (
	idle    phase = ""        // nothing of ours is there
	trying  phase = "Trying"  // about to be written, or written and not verified yet
	settled phase = "Settled" // verified
)

// memory is what must outlive this program: what was there before, what we wrote, and with whom we met. It is kept in a
// Secret of the cluster, and written before what it remembers.
type memory struct {
	Phase   phase  `json:"phase"`
	Attempt string `json:"attempt,omitempty"`
	// Wish is what was written last, Good what was verified last; nil: nothing of ours.
	Wish []corefile.Forward `json:"wish,omitempty"`
	Good []corefile.Forward `json:"good,omitempty"`
	// Written is when Wish was.
	Written time.Time `json:"written,omitzero"`
	// Tested: a CoreDNS had loaded the candidate before it was written.
	Tested bool `json:"tested,omitempty"`
	// Rejections are the counts of rejected reloads before it was, by process.
	Rejections map[string]float64 `json:"rejections,omitempty"`

	Reverts  []revert  `json:"reverts,omitempty"`
	GivenWay *refusal  `json:"givenWay,omitempty"`
	Rejected *refusal  `json:"rejected,omitempty"`
	Entries  []entry   `json:"entries,omitempty"`
	Loaded   time.Time `json:"loaded,omitzero"` // when every replica ran Wish
	// Unanswered is what clients missed at the addresses they ask, when that was tried last; empty: nothing.
	Unanswered string `json:"unanswered,omitempty"`
}

// entry is one text that we wrote.
type entry struct {
	Object string      `json:"object"` // "ConfigMap kube-system/coredns"
	Key    string      `json:"key"`
	How    dialect.How `json:"how"`
	// Original was there before we came, Before the last write was made on, After is what it wrote; nil: not there. They
	// are in keys of the Secret of their own, for people and for bytes that are no text.
	Original, Before, After []byte `json:"-"`
}

func (e entry) is(edit dialect.Edit) bool { return e.Object == edit.Ref.String() && e.Key == edit.Key }

// refusal is a wish that was given up for a reason, until the wish or the attempt is another.
type refusal struct {
	Wish    []corefile.Forward `json:"wish,omitempty"`
	Attempt string             `json:"attempt,omitempty"`
	Why     string             `json:"why"`
	At      time.Time          `json:"at"`
}

// holds says whether the refusal is of this wish.
func (r *refusal) holds(w Wish) bool {
	return r != nil && r.Attempt == w.Attempt && same(r.Wish, w.Forwards)
}

// revert is one time that somebody undid our write.
type revert struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// Somebody who undoes our write maxReverts times within revertWindow is given way.
const (
	maxReverts   = 3
	revertWindow = 10 * time.Minute
)

// reverted adds a revert and forgets the old ones. It says whether it is time to give way.
func (m *memory) reverted(now time.Time, by string) bool {
	m.Reverts = slices.DeleteFunc(m.Reverts, func(r revert) bool { return now.Sub(r.At) > revertWindow })
	m.Reverts = append(m.Reverts, revert{At: now, By: by})
	return len(m.Reverts) >= maxReverts
}

// by names those who undid our writes, the latest first, each once.
func (m *memory) by() []string {
	var names []string
	for _, r := range slices.Backward(m.Reverts) {
		if !slices.Contains(names, r.By) {
			names = append(names, r.By)
		}
	}
	return names
}

// begin remembers what is about to be written. A text that this very attempt has written already keeps what was before it.
func (m *memory) begin(now time.Time, w Wish, edits []dialect.Edit, tested bool, rejections map[string]float64) {
	again := m.Phase == trying && same(m.Wish, w.Forwards)
	for _, edit := range edits {
		i := slices.IndexFunc(m.Entries, func(e entry) bool { return e.is(edit) })
		if i < 0 {
			m.Entries = append(m.Entries, entry{
				Object: edit.Ref.String(), Key: edit.Key, How: edit.How,
				Original: clone(edit.Before), Before: clone(edit.Before), After: clone(edit.After),
			})
			continue
		}
		e := &m.Entries[i]
		if !again || !equal(e.After, edit.Before) {
			e.Before = clone(edit.Before)
		}
		e.How, e.After = edit.How, clone(edit.After)
	}
	m.Phase, m.Attempt, m.Wish, m.Written, m.Tested, m.Loaded = trying, w.Attempt, w.Forwards, now, tested, time.Time{}
	m.GivenWay, m.Rejected, m.Rejections = nil, nil, rejections
}

// settle remembers that what was written is good.
func (m *memory) settle(now time.Time) {
	m.Phase, m.Good, m.Loaded = settled, m.Wish, now
}

// fell remembers that what was written was taken back.
func (m *memory) fell(now time.Time, why string) {
	m.Rejected = &refusal{Wish: m.Wish, Attempt: m.Attempt, Why: why, At: now}
	m.Wish = m.Good
	m.Phase = settled
	if len(m.Good) == 0 {
		m.Phase = idle
	}
	for i := range m.Entries {
		m.Entries[i].After = m.Entries[i].Before
	}
}

const memoryKey = "state.json"

// encode is the Secret's data.
func (m *memory) encode() (map[string][]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{memoryKey: append(text, '\n')}
	for i, e := range m.Entries {
		for name, content := range map[string][]byte{"original": e.Original, "before": e.Before, "after": e.After} {
			if content != nil {
				data[name+"."+strconv.Itoa(i)] = content
			}
		}
	}
	return data, nil
}

// decodeMemory reads the Secret's data; none is an empty memory.
func decodeMemory(data map[string][]byte) (*memory, error) {
	m := &memory{}
	if len(data) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(data[memoryKey], m); err != nil {
		return nil, fmt.Errorf("key %s: %w", memoryKey, err)
	}
	for i := range m.Entries {
		for name, content := range map[string]*[]byte{
			"original": &m.Entries[i].Original, "before": &m.Entries[i].Before, "after": &m.Entries[i].After,
		} {
			if b, ok := data[name+"."+strconv.Itoa(i)]; ok {
				*content = append([]byte{}, b...)
			}
		}
	}
	return m, nil
}

// same says whether two wishes mean the same, whatever their order of zones.
func same(a, b []corefile.Forward) bool {
	port := func(u netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(u.Addr(), cmp.Or(u.Port(), 53))
	}
	return slices.EqualFunc(normal(a), normal(b), func(x, y corefile.Forward) bool {
		return slices.Equal(x.Zones, y.Zones) &&
			slices.EqualFunc(x.Upstreams, y.Upstreams, func(u, v netip.AddrPort) bool { return port(u) == port(v) })
	})
}

func normal(all []corefile.Forward) []corefile.Forward {
	var out []corefile.Forward
	for _, f := range all {
		zones := map[string]bool{}
		for _, z := range f.Zones {
			zones[canonicalZone(z)] = true
		}
		f.Zones = slices.Sorted(maps.Keys(zones))
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b corefile.Forward) int { return slices.Compare(a.Zones, b.Zones) })
	return out
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// equal tells a text that is not there from an empty one.
func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
