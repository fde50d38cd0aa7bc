package detect

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"
)

// PortMap asks the site's router for its address on the outside by NAT-PMP (RFC 6886), and where the router
// speaks only its successor, by PCP (RFC 6887). Both are for IPv4.
//
// NAT-PMP has a question for the address. PCP has none: its answer to a mapping says the address, so a
// mapping of UDP port 9 (discard) to this machine is asked for, always the same one, and expires by itself
// after two minutes. A router of PCP refuses who is behind another NAT, such as a pod without hostNetwork.
type PortMap struct {
	ID     Identity
	Server string // host:port of the router, port 5351

	once  sync.Once
	nonce [12]byte // names our mapping among those of others
}

// Identity says who answers.
func (s *PortMap) Identity() Identity { return s.ID }

// Lookup asks once, and again after 0.25 s, 0.5 s, … as RFC 6886 wants it. The address may be one that is not
// public: that is how a carrier-grade NAT shows.
func (s *PortMap) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	if family != IPv4 {
		return netip.Addr{}, fail(WrongFamily, "a router maps ports for IPv4 only")
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	const first = 250 * time.Millisecond
	reply, err := overUDP(ctx, family, s.Server, []byte{0, 0}, first, func(b []byte) bool {
		return len(b) >= 8 && b[0] == 0 && b[1] == 128 || len(b) >= 4 && b[0] == 2 && b[3] == 1
	})
	if err != nil {
		return netip.Addr{}, err
	}
	if reply[0] == 0 {
		return readNATPMP(reply)
	}
	request, err := s.mapping(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	reply, err = overUDP(ctx, family, s.Server, request, first, func(b []byte) bool {
		// An error may come without the rest of the mapping; a success names it.
		return len(b) >= 24 && b[0] == 2 && b[1] == 0x81 &&
			(b[3] != 0 || len(b) >= 60 && bytes.Equal(b[24:36], s.nonce[:]))
	})
	if err != nil {
		return netip.Addr{}, err
	}
	return readPCP(reply)
}

// readNATPMP reads the reply of RFC 6886, section 3.2.
func readNATPMP(b []byte) (netip.Addr, error) {
	switch code := binary.BigEndian.Uint16(b[2:4]); code {
	case 0:
	case 2:
		return netip.Addr{}, fail(Refused, "the router has NAT-PMP switched off")
	case 3:
		return netip.Addr{}, fail(NoAnswer, "the router has no address on the outside")
	default:
		return netip.Addr{}, fail(Refused, "the router answers NAT-PMP with error %d", code)
	}
	if len(b) != 12 {
		return netip.Addr{}, fail(NotAddress, "want a reply of 12 bytes, got %d", len(b))
	}
	return outside(netip.AddrFrom4([4]byte(b[8:12])))
}

// mapping is a request of RFC 6887, section 11.1, in which we have to state our own address.
func (s *PortMap) mapping(ctx context.Context) ([]byte, error) {
	s.once.Do(func() {
		for i := 0; i < len(s.nonce); i += 2 {
			binary.BigEndian.PutUint16(s.nonce[i:], randomID())
		}
	})
	conn, err := dialer().DialContext(ctx, "udp4", s.Server)
	if err != nil {
		return nil, lateOr(ctx, err)
	}
	own := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	if err := conn.Close(); err != nil {
		return nil, broken(err)
	}
	const discard, udp, lifetime = 9, 17, 120
	b := make([]byte, 60)
	b[0], b[1] = 2, 1
	binary.BigEndian.PutUint32(b[4:], lifetime)
	client, anywhere := own.As16(), netip.IPv4Unspecified().As16()
	copy(b[8:], client[:])
	copy(b[24:], s.nonce[:])
	b[36] = udp
	binary.BigEndian.PutUint16(b[40:], discard)
	copy(b[44:], anywhere[:])
	return b, nil
}

// readPCP reads the reply of RFC 6887, sections 7.2 and 11.1.
func readPCP(b []byte) (netip.Addr, error) {
	switch code := b[3]; code {
	case 0:
	case 2:
		return netip.Addr{}, fail(Refused, "the router does not let us ask for a mapping (PCP error 2)")
	case 7:
		return netip.Addr{}, fail(NoAnswer, "the router has no address on the outside (PCP error 7)")
	case 12:
		return netip.Addr{}, fail(Refused, "there is another NAT before the router: use hostNetwork (PCP error 12)")
	default:
		return netip.Addr{}, fail(Refused, "the router answers PCP with error %d", code)
	}
	return outside(netip.AddrFrom16([16]byte(b[44:60])).Unmap())
}

// outside is a router's answer: any IPv4 address will do, but 0.0.0.0 says that there is none.
func outside(a netip.Addr) (netip.Addr, error) {
	switch {
	case a.IsUnspecified():
		return netip.Addr{}, fail(NoAnswer, "the router has no address on the outside")
	case !a.Is4():
		return netip.Addr{}, fail(WrongFamily, "the router says %s", a)
	}
	return a, nil
}
