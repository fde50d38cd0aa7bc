package detect

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Static is an address somebody wrote down.
type Static struct {
	ID   Identity
	Addr netip.Addr
}

// Identity says who answers.
func (s *Static) Identity() Identity { return s.ID }

// Lookup gives the address.
func (s *Static) Lookup(_ context.Context, family Family) (netip.Addr, error) {
	return s.Addr, check(s.Addr, family)
}

// Addresses is a source whose addresses somebody else knows: the status of a Service of type LoadBalancer,
// the ExternalIP of the nodes.
type Addresses struct {
	ID   Identity
	List func(context.Context) ([]netip.Addr, error) // of both families, in any order
}

// Identity says who answers.
func (s *Addresses) Identity() Identity { return s.ID }

// Lookup gives the one public address of the family. With several nobody knows which one is meant; addresses
// of the other family and those that are not public (a load balancer has a private one often) are passed over.
func (s *Addresses) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	all, err := s.List(ctx)
	if err != nil {
		return netip.Addr{}, broken(err)
	}
	var fit []netip.Addr
	var refused error
	for _, a := range all {
		a = a.Unmap()
		if err := check(a, family); err == nil {
			if !slices.Contains(fit, a) {
				fit = append(fit, a)
			}
		} else if isOf(family, a) {
			refused = err
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		slices.SortFunc(fit, netip.Addr.Compare)
		return netip.Addr{}, fail(NotAddress, "want one public address, got %s", join(fit))
	case refused != nil:
		return netip.Addr{}, refused
	}
	return netip.Addr{}, fail(NoAnswer, "no %s address", family)
}

// Interface is an address of a network interface of this machine (so of the node, with hostNetwork), the
// stable one.
type Interface struct {
	ID      Identity
	Name    string
	Within  netip.Prefix // only addresses in it, when valid
	InetSix string       // where the kernel lists IPv6 addresses; "" is /proc/net/if_inet6
}

// Identity says who answers.
func (s *Interface) Identity() Identity { return s.ID }

// Lookup gives the one public address of the family. Of several IPv6 addresses it gives the one somebody
// configured rather than one the kernel made, then the lowest, so that the answer stays the same.
func (s *Interface) Lookup(_ context.Context, family Family) (netip.Addr, error) {
	var found []ifaddr
	var err error
	if family == IPv6 {
		found, err = s.v6()
	} else {
		found, err = s.v4()
	}
	if err != nil {
		return netip.Addr{}, broken(err)
	}
	found = slices.DeleteFunc(found, func(a ifaddr) bool {
		return check(a.addr, family) != nil || s.Within.IsValid() && !s.Within.Contains(a.addr)
	})
	if len(found) == 0 {
		return netip.Addr{}, fail(NoAnswer, "interface %s has no stable public %s address", s.Name, family)
	}
	return slices.MinFunc(found, func(a, b ifaddr) int {
		if a.permanent != b.permanent {
			if a.permanent {
				return -1
			}
			return 1
		}
		return a.addr.Compare(b.addr)
	}).addr, nil
}

// ifaddr is an address an interface has for good.
type ifaddr struct {
	addr      netip.Addr
	permanent bool // no lifetime: configured, not learnt from a router
}

func (s *Interface) v4() ([]ifaddr, error) {
	dev, err := net.InterfaceByName(s.Name)
	if err != nil {
		return nil, err
	}
	addrs, err := dev.Addrs()
	if err != nil {
		return nil, err
	}
	var found []ifaddr
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, ifaddr{addr: p.Addr().Unmap()})
		}
	}
	return found, nil
}

func (s *Interface) v6() ([]ifaddr, error) {
	f, err := os.Open(cmp.Or(s.InetSix, "/proc/net/if_inet6"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []ifaddr
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if a, ok := readInetSix(scan.Text(), s.Name); ok {
			found = append(found, a)
		}
	}
	return found, nil
}

// readInetSix reads a line of /proc/net/if_inet6: address, index, prefix length, scope and flags in
// hexadecimal, and the interface. Addresses that come and go are passed over: temporary ones (RFC 8981),
// deprecated ones, and those of which it is not settled yet that nobody else has them.
func readInetSix(line, name string) (ifaddr, bool) {
	// Of linux/if_addr.h; the file shows the lower eight bits.
	const temporary, optimistic, dadFailed, deprecated, tentative, permanent = 0x01, 0x04, 0x08, 0x20, 0x40, 0x80
	f := strings.Fields(line)
	if len(f) != 6 || f[5] != name || len(f[0]) != 32 {
		return ifaddr{}, false
	}
	flags, err := strconv.ParseUint(f[4], 16, 32)
	if err != nil || flags&(temporary|optimistic|dadFailed|deprecated|tentative) != 0 {
		return ifaddr{}, false
	}
	var text []string
	for group := range slices.Chunk([]byte(f[0]), 4) {
		text = append(text, string(group))
	}
	addr, err := netip.ParseAddr(strings.Join(text, ":"))
	return ifaddr{addr: addr, permanent: flags&permanent != 0}, err == nil
}

// join lists addresses for people.
func join(addrs []netip.Addr) string {
	var text []string
	for _, a := range addrs {
		text = append(text, a.String())
	}
	return strings.Join(text, ", ")
}
