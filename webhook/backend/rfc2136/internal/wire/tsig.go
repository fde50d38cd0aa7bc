package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"
)

// fudge is how far the clocks of both sides may differ, in seconds (RFC 8945 §10).
const fudge = 300

// maxUnsigned is how many messages of an answer may pass between two signed ones (RFC 8945 §5.3.1).
const maxUnsigned = 99

// Key is a shared secret that signs messages (RFC 8945). A nil *Key signs nothing and believes all.
type Key struct {
	name      []byte // wire form
	algorithm []byte // wire form
	hash      func() hash.Hash
	secret    []byte
}

// NewKey returns a key. The algorithm is hmac-sha256, hmac-sha384 or hmac-sha512.
func NewKey(name, algorithm string, secret []byte) (*Key, error) {
	k := &Key{secret: secret}
	switch algorithm {
	case "hmac-sha256":
		k.hash = sha256.New
	case "hmac-sha384":
		k.hash = sha512.New384
	case "hmac-sha512":
		k.hash = sha512.New
	default:
		return nil, fmt.Errorf("algorithm %q is not known", algorithm)
	}
	var err error
	if k.name, err = AppendName(nil, name); err != nil {
		return nil, err
	}
	k.algorithm, err = AppendName(nil, algorithm)
	return k, err
}

// Overhead is the number of bytes that Sign adds to a message.
func (k *Key) Overhead() int {
	if k == nil {
		return 0
	}
	return len(k.name) + 10 + len(k.algorithm) + 16 + k.hash().Size()
}

// Sign appends the signature to a message that has none and returns a Verifier for the answer to it.
func (k *Key) Sign(msg []byte, now time.Time) ([]byte, *Verifier) {
	if k == nil {
		return msg, &Verifier{}
	}
	mac := hmac.New(k.hash, k.secret)
	mac.Write(msg)
	k.digestVariables(mac, stamp(now), fudge, 0, nil)
	sum := mac.Sum(nil)

	id := binary.BigEndian.Uint16(msg)
	msg = append(msg, k.name...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(TSIG))
	msg = binary.BigEndian.AppendUint16(msg, classAny)
	msg = append(msg, 0, 0, 0, 0)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(k.algorithm)+16+len(sum)))
	msg = append(msg, k.algorithm...)
	msg = append(msg, stamp(now)...)
	msg = binary.BigEndian.AppendUint16(msg, fudge)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(sum)))
	msg = append(msg, sum...)
	msg = binary.BigEndian.AppendUint16(msg, id)
	msg = append(msg, 0, 0, 0, 0) // no error, no other data
	binary.BigEndian.PutUint16(msg[10:], binary.BigEndian.Uint16(msg[10:])+1)
	return msg, &Verifier{key: k, mac: sum}
}

// digestVariables writes the TSIG variables of RFC 8945 §4.3.3.
func (k *Key) digestVariables(w hash.Hash, signed []byte, fudge uint16, code Rcode, other []byte) {
	w.Write(k.name)
	b := binary.BigEndian.AppendUint16(nil, classAny)
	b = append(b, 0, 0, 0, 0)
	b = append(b, k.algorithm...)
	b = append(b, signed...)
	b = binary.BigEndian.AppendUint16(b, fudge)
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	b = binary.BigEndian.AppendUint16(b, uint16(len(other)))
	w.Write(append(b, other...))
}

// stamp is a time as TSIG carries it: seconds in 48 bits.
func stamp(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.Unix()))[2:]
}

func unstamp(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, b[:6]...))), 0)
}

// SignatureError is a server's refusal of our signature.
type SignatureError struct {
	Code   Rcode     // BadKey, BadSig, BadTime or BadTrunc
	Server time.Time // the server's clock, for BadTime; else zero
}

func (e *SignatureError) Error() string {
	switch e.Code {
	case BadKey:
		return "the server does not know the key (BADKEY)"
	case BadSig:
		return "the server has another secret for the key (BADSIG)"
	case BadTime:
		if !e.Server.IsZero() {
			return fmt.Sprintf("the clocks differ too much (BADTIME): the server's says %s", e.Server.UTC().Format(time.RFC3339))
		}
		return "the clocks differ too much (BADTIME)"
	}
	return "the server refuses the signature (" + e.Code.String() + ")"
}

var (
	errUnsigned = errors.New("the answer is not signed")
	errForged   = errors.New("the answer's signature is wrong: it was changed on the way, or is not the server's")
)

// Verifier checks the signatures of the answer to one signed message; the answer may be many messages.
type Verifier struct {
	key      *Key
	mac      []byte    // of the message before
	hash     hash.Hash // has digested mac and the unsigned messages since; nil before the first
	started  bool      // a signed message of the answer was seen
	unsigned int
	signed   time.Time // when the last signed message was, by the server's clock
}

// Signed is when the last message that was signed and believed had been signed, by the server's clock; the
// zero time when there was none.
func (v *Verifier) Signed() time.Time { return v.signed }

// Verify checks the next message of the answer. Messages that are not signed are believed for a while
// only: see Complete.
func (v *Verifier) Verify(msg []byte, now time.Time) error {
	if v.key == nil {
		return nil
	}
	if v.hash == nil {
		v.hash = hmac.New(v.key.hash, v.key.secret)
		v.hash.Write(binary.BigEndian.AppendUint16(nil, uint16(len(v.mac))))
		v.hash.Write(v.mac)
	}
	sig, err := findSignature(msg)
	if err != nil {
		return err
	}
	if sig == nil {
		if v.unsigned++; !v.started || v.unsigned > maxUnsigned {
			return errUnsigned
		}
		v.hash.Write(msg)
		return nil
	}
	return v.check(msg, sig, now)
}

// Complete reports whether the last message was signed, as the last one of an answer has to be.
func (v *Verifier) Complete() error {
	if v.key != nil && (!v.started || v.unsigned > 0) {
		return errUnsigned
	}
	return nil
}

func (v *Verifier) check(msg []byte, sig *signature, now time.Time) error {
	if sig.code != NoError {
		e := &SignatureError{Code: sig.code}
		if sig.code == BadTime && len(sig.other) == 6 {
			e.Server = unstamp(sig.other)
		}
		return e
	}
	if !bytes.Equal(sig.name, v.key.name) || !bytes.Equal(sig.algorithm, v.key.algorithm) {
		return errors.New("the answer is signed with another key")
	}
	head := bytes.Clone(msg[:headerLen])
	binary.BigEndian.PutUint16(head, sig.id)
	binary.BigEndian.PutUint16(head[10:], binary.BigEndian.Uint16(head[10:])-1)
	v.hash.Write(head)
	v.hash.Write(msg[headerLen:sig.start])
	if v.started {
		v.hash.Write(binary.BigEndian.AppendUint16(bytes.Clone(sig.signed), sig.fudge))
	} else {
		v.key.digestVariables(v.hash, sig.signed, sig.fudge, sig.code, sig.other)
	}
	if !hmac.Equal(v.hash.Sum(nil), sig.mac) {
		return errForged
	}
	if off := now.Sub(unstamp(sig.signed)).Abs(); off > time.Duration(sig.fudge)*time.Second {
		return fmt.Errorf("the answer was signed %s away from our clock", off.Round(time.Second))
	}
	v.mac, v.hash, v.started, v.unsigned, v.signed = sig.mac, nil, true, 0, unstamp(sig.signed)
	return nil
}
