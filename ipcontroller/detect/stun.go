package detect

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// STUN is a server that answers a binding request (RFC 8489) over UDP with the address it came from. Nobody
// signs the answer: only the transaction id, 96 random bits, tells it from a forged one.
type STUN struct {
	ID     Identity
	Server string // host:port
}

// Identity says who answers.
func (s *STUN) Identity() Identity { return s.ID }

// Lookup asks once, and again after 0.5 s and 1 s more, as RFC 8489 wants it on a lossy path. The answer has
// to be an XOR-MAPPED-ADDRESS: routers are known to rewrite the plain one.
func (s *STUN) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return netip.Addr{}, broken(err)
	}
	raw, err := overUDP(ctx, family, s.Server, request.Raw, 500*time.Millisecond, func(b []byte) bool {
		m := new(stun.Message)
		return stun.Decode(b, m) == nil && m.TransactionID == request.TransactionID &&
			(m.Type == stun.BindingSuccess || m.Type == stun.BindingError)
	})
	if err != nil {
		return netip.Addr{}, err
	}
	reply := new(stun.Message)
	if err := stun.Decode(raw, reply); err != nil {
		return netip.Addr{}, broken(err)
	}
	if reply.Type == stun.BindingError {
		var code stun.ErrorCodeAttribute
		if err := code.GetFrom(reply); err != nil {
			return netip.Addr{}, fail(Refused, "the server answers with an error it does not name")
		}
		return netip.Addr{}, fail(Refused, "the server says %d %s", code.Code, excerpt(string(code.Reason)))
	}
	// The library fills up a value that is too short with zeros.
	value, err := reply.Get(stun.AttrXORMappedAddress)
	if err != nil || len(value) != 8 && len(value) != 20 {
		return netip.Addr{}, fail(NotAddress, "want an XOR-MAPPED-ADDRESS of 8 or 20 bytes, got %d", len(value))
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(reply); err != nil {
		return netip.Addr{}, fail(NotAddress, "no XOR-MAPPED-ADDRESS: %w", err)
	}
	addr, ok := netip.AddrFromSlice(mapped.IP)
	if !ok {
		return netip.Addr{}, fail(NotAddress, "an address of %d bytes", len(mapped.IP))
	}
	if err := check(addr, family); err != nil {
		return netip.Addr{}, err
	}
	return addr, nil
}

// randomID is a DNS message id nobody can guess.
func randomID() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:])
}
