package wire

import "encoding/binary"

// Update builds an UPDATE message (RFC 2136 §2). Prerequisites and changes are added in any order; a
// Mark lets its user take back what did not fit.
//
// The first error is kept and ends in Err; nothing is added after it.
type Update struct {
	zone    string
	head    []byte // header and zone section
	pre     section
	changes section
	owners  []owner // of the prerequisites since the last Mark
	err     error
}

// owner is a name that a compression pointer can refer to.
type owner struct {
	name   string
	offset int
}

type section struct {
	b []byte
	n int
}

// Mark is a state of an Update to return to.
type Mark struct {
	preLen, preCount, changesLen, changesCount int
}

// NewUpdate returns an empty message for a zone.
func NewUpdate(zone string) (*Update, error) {
	head, err := AppendName(make([]byte, headerLen, headerLen+maxName+4), zone)
	if err != nil {
		return nil, err
	}
	head = binary.BigEndian.AppendUint16(head, uint16(SOA))
	head = binary.BigEndian.AppendUint16(head, classIN)
	return &Update{zone: zone, head: head}, nil
}

// Zone is the name of the zone.
func (u *Update) Zone() string { return u.zone }

// Reset empties the message, keeping its zone and its memory.
func (u *Update) Reset() {
	u.pre = section{b: u.pre.b[:0]}
	u.changes = section{b: u.changes.b[:0]}
	u.owners, u.err = u.owners[:0], nil
}

// Err is the first error of any addition since the last Reset or Rollback.
func (u *Update) Err() error { return u.err }

// Len is the length of the message so far, unsigned.
func (u *Update) Len() int { return len(u.head) + len(u.pre.b) + len(u.changes.b) }

// Mark remembers the state.
func (u *Update) Mark() Mark {
	u.owners = u.owners[:0]
	return Mark{len(u.pre.b), u.pre.n, len(u.changes.b), u.changes.n}
}

// Rollback returns to a state and forgets the error.
func (u *Update) Rollback(m Mark) {
	u.pre = section{u.pre.b[:m.preLen], m.preCount}
	u.changes = section{u.changes.b[:m.changesLen], m.changesCount}
	u.owners, u.err = u.owners[:0], nil
}

// Message appends the message to b.
func (u *Update) Message(b []byte, id uint16) []byte {
	start := len(b)
	b = append(b, u.head...)
	copy(b[start:], appendHeader(nil, id, OpUpdate, 1, uint16(u.pre.n), uint16(u.changes.n)))
	b = append(b, u.pre.b...)
	return append(b, u.changes.b...)
}

// RequireUnused demands that the name has no records at all (RFC 2136 §2.4.5).
func (u *Update) RequireUnused(name string) {
	u.add(&u.pre, name, Any, classNone, 0, nil)
}

// RequireNone demands that the name has no records of the type (RFC 2136 §2.4.3).
func (u *Update) RequireNone(name string, t Type) {
	u.add(&u.pre, name, t, classNone, 0, nil)
}

// RequireRecord demands that the RRset of name and type consists of this record and those of the other
// calls for it (RFC 2136 §2.4.2).
func (u *Update) RequireRecord(name string, t Type, data []byte) {
	u.add(&u.pre, name, t, classIN, 0, data)
}

// RequireSome demands that the name has records of the type, whatever they are (RFC 2136 §2.4.1).
func (u *Update) RequireSome(name string, t Type) {
	u.add(&u.pre, name, t, classAny, 0, nil)
}

// DeleteRRset deletes all records of name and type (RFC 2136 §2.5.2).
func (u *Update) DeleteRRset(name string, t Type) {
	u.add(&u.changes, name, t, classAny, 0, nil)
}

// DeleteRecord deletes one record (RFC 2136 §2.5.4).
func (u *Update) DeleteRecord(name string, t Type, data []byte) {
	u.add(&u.changes, name, t, classNone, 0, data)
}

// Add adds a record (RFC 2136 §2.5.1).
func (u *Update) Add(name string, t Type, ttl uint32, data []byte) {
	u.add(&u.changes, name, t, classIN, ttl, data)
}

func (u *Update) add(s *section, name string, t Type, class uint16, ttl uint32, data []byte) {
	if u.err != nil {
		return
	}
	b, err := u.appendOwner(s, name)
	if err != nil {
		u.err = err
		return
	}
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = binary.BigEndian.AppendUint16(b, class)
	b = binary.BigEndian.AppendUint32(b, ttl)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	s.b = append(b, data...)
	s.n++
}

// appendOwner appends a name of the zone, compressed against the prerequisites of the same part and
// against the zone section.
func (u *Update) appendOwner(s *section, name string) ([]byte, error) {
	if name == u.zone {
		return append(s.b, 0xc0, headerLen), nil
	}
	for _, o := range u.owners {
		if o.name == name {
			return append(s.b, 0xc0|byte(o.offset>>8), byte(o.offset)), nil
		}
	}
	below := len(name) - len(u.zone) - 1
	if below < 1 || name[below] != '.' || name[below+1:] != u.zone {
		return AppendName(s.b, name)
	}
	start := len(s.b)
	b, err := appendLabels(s.b, name[:below])
	if err != nil {
		return nil, err
	}
	if len(b)-start+len(u.head)-headerLen-4 > maxName {
		return nil, errName
	}
	if offset := len(u.head) + start; s == &u.pre && offset < maxPointer {
		u.owners = append(u.owners, owner{name, offset})
	}
	return append(b, 0xc0, headerLen), nil
}

// maxPointer is the first offset that a compression pointer cannot name (RFC 1035 §4.1.4).
const maxPointer = 1 << 14
