package wire

import (
	"bytes"
	"encoding/binary"
)

// signature is a decoded TSIG record (RFC 8945 §4.2).
type signature struct {
	start     int    // offset of the record in its message
	name      []byte // wire form, lower case
	algorithm []byte // wire form, lower case
	signed    []byte // 48-bit seconds
	fudge     uint16
	mac       []byte
	id        uint16 // of the message when it was signed
	code      Rcode
	other     []byte
}

// findSignature returns the TSIG record at the end of a message, or nil when there is none.
func findSignature(msg []byte) (*signature, error) {
	h, err := ReadHeader(msg)
	if err != nil {
		return nil, err
	}
	if h.Counts[3] == 0 {
		return nil, nil
	}
	off := headerLen
	for range h.Counts[0] {
		if off, err = skipName(msg, off); err != nil {
			return nil, err
		}
		off += 4
	}
	for range int(h.Counts[1]) + int(h.Counts[2]) + int(h.Counts[3]) - 1 {
		if off, err = skipRecord(msg, off); err != nil {
			return nil, err
		}
	}
	return readSignature(msg, off)
}

// skipRecord returns the offset behind the record at off.
func skipRecord(msg []byte, off int) (int, error) {
	off, err := skipName(msg, off)
	if err != nil {
		return 0, err
	}
	if off+10 > len(msg) {
		return 0, errCut
	}
	off += 10 + int(binary.BigEndian.Uint16(msg[off+8:]))
	if off > len(msg) {
		return 0, errCut
	}
	return off, nil
}

// readSignature decodes the record at off, nil when it is another one than TSIG.
func readSignature(msg []byte, start int) (*signature, error) {
	off, err := skipName(msg, start)
	if err != nil {
		return nil, err
	}
	end, err := skipRecord(msg, start)
	if err != nil {
		return nil, err
	}
	if Type(binary.BigEndian.Uint16(msg[off:])) != TSIG {
		return nil, nil
	}
	s := &signature{start: start}
	if s.name, err = wireName(msg, start); err != nil {
		return nil, err
	}
	off += 10
	if s.algorithm, err = wireName(msg[:end], off); err != nil {
		return nil, err
	}
	if off, err = skipName(msg[:end], off); err != nil {
		return nil, err
	}
	rest := msg[off:end]
	if len(rest) < 10 || len(rest) < 16+int(binary.BigEndian.Uint16(rest[8:])) {
		return nil, errData(TSIG)
	}
	size := int(binary.BigEndian.Uint16(rest[8:]))
	s.signed, s.fudge, s.mac = rest[:6], binary.BigEndian.Uint16(rest[6:]), bytes.Clone(rest[10:10+size])
	rest = rest[10+size:]
	s.id, s.code = binary.BigEndian.Uint16(rest), Rcode(binary.BigEndian.Uint16(rest[2:]))
	if s.other = rest[6:]; len(s.other) != int(binary.BigEndian.Uint16(rest[4:])) {
		return nil, errData(TSIG)
	}
	return s, nil
}

// wireName is the uncompressed wire form, in lower case, of the name at off.
func wireName(msg []byte, off int) ([]byte, error) {
	text, _, _, err := appendNameText(nil, msg, off)
	if err != nil {
		return nil, err
	}
	return AppendName(nil, string(text))
}
