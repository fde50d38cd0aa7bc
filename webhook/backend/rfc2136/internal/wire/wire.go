// Package wire owns the bytes of DNS messages that the rfc2136 backend sends and receives: names and
// record data between their wire and canonical text forms, UPDATE messages (RFC 2136), the records of a
// zone transfer (RFC 5936, RFC 1995) and their signatures (RFC 8945).
//
// It is separate from the usual DNS library for two reasons: a transfer of a hundred thousand names is
// decoded as fast as a server can send it, and an UPDATE message is filled to the last byte. The data of
// rare types is left to that library.
package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Type is a record type code.
type Type uint16

// The record types with a text form of our own, and those with a meaning of their own.
const (
	A     Type = 1
	NS    Type = 2
	CNAME Type = 5
	SOA   Type = 6
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28
	SRV   Type = 33
	NAPTR Type = 35
	TSIG  Type = 250
	IXFR  Type = 251
	AXFR  Type = 252
	Any   Type = 255
)

// String is the type's mnemonic, or "TYPE123" (RFC 3597 §5).
func (t Type) String() string {
	switch t {
	case A:
		return "A"
	case NS:
		return "NS"
	case CNAME:
		return "CNAME"
	case SOA:
		return "SOA"
	case PTR:
		return "PTR"
	case MX:
		return "MX"
	case TXT:
		return "TXT"
	case AAAA:
		return "AAAA"
	case SRV:
		return "SRV"
	case NAPTR:
		return "NAPTR"
	}
	if mnemonic, ok := dns.TypeToString[uint16(t)]; ok {
		return mnemonic
	}
	return fmt.Sprintf("TYPE%d", uint16(t))
}

// TypeOf is the code of what String returns; ok is false for anything else.
func TypeOf(mnemonic string) (t Type, ok bool) {
	for _, t := range [...]Type{A, AAAA, TXT, CNAME, MX, NS, PTR, SRV, NAPTR} {
		if t.String() == mnemonic {
			return t, true
		}
	}
	code, ok := dns.StringToType[mnemonic]
	if digits, generic := strings.CutPrefix(mnemonic, "TYPE"); generic && !ok {
		n, err := strconv.ParseUint(digits, 10, 16)
		code, ok = uint16(n), err == nil && Type(n).String() == mnemonic
	}
	return Type(code), ok
}

// HasText reports whether records of the type have a value in the text of backend.Canonical. The text of
// the others is what the general library prints, see Text.
func (t Type) HasText() bool {
	switch t {
	case A, AAAA, TXT, CNAME, MX, NS, PTR, SRV, NAPTR:
		return true
	}
	return false
}

// The classes one can ask for: the internet, and what servers say of themselves.
const (
	ClassIN    = 1
	ClassChaos = 3
)

const (
	classIN   = ClassIN
	classNone = 254
	classAny  = 255
)

// MaxMessage is the most bytes a message can have: TCP carries its length in 16 bits (RFC 1035 §4.2.2).
const MaxMessage = 65535

// headerLen is the length of a message header, and so the offset of the first question's name.
const headerLen = 12

// Header is the fixed part of a message that its reader decides on.
type Header struct {
	ID        uint16
	Response  bool
	Opcode    uint8
	Authority bool // the AA bit
	Truncated bool
	Rcode     Rcode
	Counts    [4]uint16 // question, answer, authority, additional; in an UPDATE zone, prerequisite, update, additional
}

// Opcodes.
const (
	OpQuery  = 0
	OpUpdate = 5
)

// ReadHeader decodes the header of a message.
func ReadHeader(msg []byte) (Header, error) {
	if len(msg) < headerLen {
		return Header{}, fmt.Errorf("a message of %d bytes has no header", len(msg))
	}
	h := Header{
		ID:        binary.BigEndian.Uint16(msg),
		Response:  msg[2]&0x80 != 0,
		Opcode:    msg[2] >> 3 & 15,
		Authority: msg[2]&0x04 != 0,
		Truncated: msg[2]&0x02 != 0,
		Rcode:     Rcode(msg[3] & 15),
	}
	for i := range h.Counts {
		h.Counts[i] = binary.BigEndian.Uint16(msg[4+2*i:])
	}
	return h, nil
}

func appendHeader(b []byte, id uint16, opcode byte, counts ...uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, opcode<<3, 0)
	for i := range 4 {
		n := uint16(0)
		if i < len(counts) {
			n = counts[i]
		}
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}

// AppendQuestion appends a message with one question.
func AppendQuestion(b []byte, id uint16, name string, t Type, class uint16) ([]byte, error) {
	b, err := AppendName(appendHeader(b, id, OpQuery, 1), name)
	if err != nil {
		return nil, err
	}
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	return binary.BigEndian.AppendUint16(b, class), nil
}

// AppendQuery appends a question for a zone's records of one type. For IXFR, held is the version that is
// there already (RFC 1995 §3).
func AppendQuery(b []byte, id uint16, zone string, t Type, held *Version) ([]byte, error) {
	start := len(b)
	b, err := AppendQuestion(b, id, zone, t, ClassIN)
	if err != nil || t != IXFR {
		return b, err
	}
	b[start+9] = 1 // one authority record
	return appendVersion(b, held)
}
