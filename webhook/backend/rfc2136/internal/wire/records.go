package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Record is one resource record of a transfer. It is valid until the next one is read.
type Record struct {
	Name string // canonical text
	// Plain is false when the name holds bytes that backend.Name refuses, escaped in Name.
	Plain bool
	Type  Type
	TTL   uint32

	msg      []byte
	off, end int
}

// AppendValue appends the value as backend.Canonical writes it, or as Text does. Names in it that
// backend.Name would refuse carry escapes.
func (r *Record) AppendValue(b []byte) ([]byte, error) {
	return appendDataText(b, r.msg, r.off, r.end, r.Type)
}

// Unusual returns a copy of the data whose text does not tell it, else nil: of a TXT record that is not
// cut into strings where AppendData cuts, or of names in upper case in a type without a text form of our own.
func (r *Record) Unusual() []byte {
	if !r.Type.HasText() {
		if f := readFurther(r.Type, r.msg, r.off, r.end); !bytes.Equal(f.raw, f.data) {
			return bytes.Clone(f.raw)
		}
		return nil
	}
	if r.Type != TXT || usualText(r.msg[r.off:r.end]) {
		return nil
	}
	return append([]byte(nil), r.msg[r.off:r.end]...)
}

// Version decodes an SOA record.
func (r *Record) Version() (Version, error) { return readVersion(r.msg, r.off, r.end) }

// Section is a part of an answer.
type Section int

// The sections of an answer that hold records.
const (
	Answer Section = iota
	Authority
	Additional
)

// Records reads the answer sections of consecutive messages, or all sections of one. The zero value is
// ready for Reset and ResetAll.
type Records struct {
	Record // the current one, after Next returned true

	// Section is where the current record stands.
	Section Section

	msg  []byte
	next int
	left int
	all  bool   // sections, see ResetAll
	more [2]int // records of the sections behind
	name []byte // scratch
	err  error
}

// Reset continues with the answer section of the next message.
func (r *Records) Reset(msg []byte) error {
	h, err := ReadHeader(msg)
	if err != nil {
		return err
	}
	off := headerLen
	for range h.Counts[0] {
		if off, err = skipName(msg, off); err != nil {
			return err
		}
		off += 4
	}
	r.msg, r.next, r.left = msg, off, int(h.Counts[1])
	r.Section, r.all, r.more = Answer, false, [2]int{}
	return nil
}

// ResetAll begins with the first record of a message, of whatever section. What is no record of a zone,
// as a signature, is left out.
func (r *Records) ResetAll(msg []byte) error {
	if err := r.Reset(msg); err != nil {
		return err
	}
	h, err := ReadHeader(msg)
	r.all, r.more = true, [2]int{int(h.Counts[2]), int(h.Counts[3])}
	return err
}

// Next reads the next record of the message. It returns false at its end, and on an error: see Err.
func (r *Records) Next() bool {
	for {
		for r.left == 0 && r.more != [2]int{} {
			r.left, r.more = r.more[0], [2]int{r.more[1]}
			r.Section++
		}
		if r.left == 0 || r.err != nil {
			return false
		}
		r.left--
		r.err = r.read()
		if r.all && errors.Is(r.err, errClass) {
			r.err = nil
			continue
		}
		return r.err == nil
	}
}

// Err is the error that ended Next, or nil.
func (r *Records) Err() error { return r.err }

var errClass = errors.New("a record of another class than IN")

func (r *Records) read() error {
	text, off, plain, err := appendNameText(r.name[:0], r.msg, r.next)
	if err != nil {
		return err
	}
	r.name = text
	if string(text) != r.Name { // records of one name follow each other: share its string
		r.Name = string(text)
	}
	if off+10 > len(r.msg) {
		return errCut
	}
	head := r.msg[off : off+10]
	r.Plain, r.Type, r.TTL = plain, Type(binary.BigEndian.Uint16(head)), binary.BigEndian.Uint32(head[4:])
	r.Record.msg, r.off = r.msg, off+10
	r.end = r.off + int(binary.BigEndian.Uint16(head[8:]))
	if r.end > len(r.msg) {
		return errCut
	}
	r.next = r.end
	if class := binary.BigEndian.Uint16(head[2:]); class != classIN {
		return errClass
	}
	return nil
}

// ReadQuestion reads the first question of a message: the name in canonical text, the type and the class.
func ReadQuestion(msg []byte) (name string, t Type, class uint16, err error) {
	if len(msg) < headerLen {
		return "", 0, 0, errCut
	}
	text, off, _, err := appendNameText(nil, msg, headerLen)
	if err != nil {
		return "", 0, 0, err
	}
	if off+4 > len(msg) {
		return "", 0, 0, errCut
	}
	return string(text), Type(binary.BigEndian.Uint16(msg[off:])), binary.BigEndian.Uint16(msg[off+2:]), nil
}
