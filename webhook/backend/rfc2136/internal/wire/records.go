package wire

import (
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

// AppendValue appends the value as backend.Canonical writes it. Names in it that backend.Name would
// refuse carry escapes.
func (r *Record) AppendValue(b []byte) ([]byte, error) {
	return appendDataText(b, r.msg, r.off, r.end, r.Type)
}

// Unusual returns a copy of the data of a TXT record that is not cut into strings where AppendData
// cuts, so that its text does not tell its data; else nil.
func (r *Record) Unusual() []byte {
	if r.Type != TXT || usualText(r.msg[r.off:r.end]) {
		return nil
	}
	return append([]byte(nil), r.msg[r.off:r.end]...)
}

// Version decodes an SOA record.
func (r *Record) Version() (Version, error) { return readVersion(r.msg, r.off, r.end) }

// Records reads the answer sections of consecutive messages. The zero value is ready for Reset.
type Records struct {
	Record // the current one, after Next returned true

	msg  []byte
	next int
	left int
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
	return nil
}

// Next reads the next record of the message. It returns false at its end, and on an error: see Err.
func (r *Records) Next() bool {
	if r.left == 0 || r.err != nil {
		return false
	}
	r.left--
	if r.err = r.read(); r.err != nil {
		return false
	}
	return true
}

// Err is the error that ended Next, or nil.
func (r *Records) Err() error { return r.err }

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
	if class := binary.BigEndian.Uint16(head[2:]); class != classIN {
		return errors.New("a record of another class than IN")
	}
	r.next = r.end
	return nil
}
