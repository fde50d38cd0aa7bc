package rndc

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// A message is a version and a table; a table is keys with values; a value is bytes, a table or a list.
// The first entry of the table, _auth, signs all bytes behind it.
const (
	version = 1
	// maxMessage is what BIND's own client takes.
	maxMessage = 1 << 20
	maxDepth   = 8

	kindString, kindBytes, kindTable, kindList = 0, 1, 2, 3
)

// entry is one key of a table; the value is a string or a table.
type entry struct {
	key   string
	value any
}

type table []entry

// text returns the string at a path of keys; empty when there is none.
func (t table) text(path ...string) string {
	for _, e := range t {
		if e.key != path[0] {
			continue
		}
		switch v := e.value.(type) {
		case string:
			if len(path) == 1 {
				return v
			}
		case table:
			if len(path) > 1 {
				return v.text(path[1:]...)
			}
		}
	}
	return ""
}

// appendTable appends the wire form; keys are ours and short.
func appendTable(b []byte, t table) []byte {
	for _, e := range t {
		b = append(append(b, byte(len(e.key))), e.key...)
		switch v := e.value.(type) {
		case string:
			b = binary.BigEndian.AppendUint32(append(b, kindBytes), uint32(len(v)))
			b = append(b, v...)
		case table:
			at := len(b) + 1
			b = appendTable(append(b, kindTable, 0, 0, 0, 0), v)
			binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
		}
	}
	return b
}

// readTable reads a table that fills b. Lists, which no command answers with, are checked and left out.
func readTable(b []byte, depth int) (table, error) {
	t := table{}
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < 1+n {
			return nil, errors.New("a key is cut")
		}
		key := string(b[1 : 1+n])
		v, rest, err := readValue(b[1+n:], depth)
		if err != nil {
			return nil, err
		}
		if v != nil {
			t = append(t, entry{key, v})
		}
		b = rest
	}
	return t, nil
}

func readValue(b []byte, depth int) (v any, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, errors.New("values are nested too deep")
	}
	if len(b) < 5 || uint64(len(b)-5) < uint64(binary.BigEndian.Uint32(b[1:])) {
		return nil, nil, errors.New("a value is cut")
	}
	n := 5 + int(binary.BigEndian.Uint32(b[1:]))
	body, rest := b[5:n], b[n:]
	switch b[0] {
	case kindString, kindBytes:
		return string(body), rest, nil
	case kindTable:
		v, err := readTable(body, depth+1)
		return v, rest, err
	case kindList:
		for len(body) > 0 {
			if _, body, err = readValue(body, depth+1); err != nil {
				return nil, nil, err
			}
		}
		return nil, rest, nil
	}
	return nil, nil, fmt.Errorf("a value is of the unknown kind %d", b[0])
}

// authLength is the length of the signature: the algorithm and the digest in base64, filled up with zeros
// to what HMAC-SHA512 needs.
const authLength = 1 + 88

// authHead is the beginning of every message's table, up to the signature.
func authHead() []byte {
	b := append([]byte{5}, "_auth"...)
	b = binary.BigEndian.AppendUint32(append(b, kindTable), uint32(5+5+authLength))
	b = append(append(b, 4), "hsha"...)
	return binary.BigEndian.AppendUint32(append(b, kindBytes), authLength)
}

// signer signs and checks with one key.
type signer struct {
	number byte // of the algorithm, on the wire
	new    func() hash.Hash
	secret []byte
}

func newSigner(algorithm, secret string) (*signer, error) {
	s := &signer{}
	switch algorithm {
	case "hmac-sha1":
		s.number, s.new = 161, sha1.New
	case "hmac-sha224":
		s.number, s.new = 162, sha256.New224
	case "hmac-sha256":
		s.number, s.new = 163, sha256.New
	case "hmac-sha384":
		s.number, s.new = 164, sha512.New384
	case "hmac-sha512":
		s.number, s.new = 165, sha512.New
	default:
		return nil, fmt.Errorf("%q is not an algorithm of the control channel", algorithm)
	}
	var err error
	if s.secret, err = base64.StdEncoding.DecodeString(secret); err != nil || len(s.secret) == 0 {
		return nil, errors.New("the secret is not base64")
	}
	return s, nil
}

func (s *signer) signature(signed []byte) []byte {
	m := hmac.New(s.new, s.secret)
	m.Write(signed)
	b := make([]byte, authLength)
	b[0] = s.number
	base64.StdEncoding.Encode(b[1:], m.Sum(nil))
	return b
}

// message is the whole message with its length in front.
func (s *signer) message(t table) []byte {
	body := appendTable(nil, t)
	b := binary.BigEndian.AppendUint32(make([]byte, 4), version)
	b = append(b, authHead()...)
	b = append(b, s.signature(body)...)
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

var errSignature = errors.New("the answer is not signed by the key")

// open checks a message without its length, and returns the signed part of its table.
func (s *signer) open(b []byte) (table, error) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != version {
		return nil, errors.New("the answer is not one of a control channel")
	}
	b = b[4:]
	head := authHead()
	if len(b) < len(head)+authLength || string(b[:len(head)]) != string(head) {
		return nil, errSignature
	}
	b = b[len(head):]
	if !hmac.Equal(b[:authLength], s.signature(b[authLength:])) {
		return nil, errSignature
	}
	return readTable(b[authLength:], 0)
}
