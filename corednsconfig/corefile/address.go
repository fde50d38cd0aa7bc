package corefile

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Key is one address of a server block.
type Key struct {
	// Zone in lower case without trailing dot; "" is the root, written "." in a Corefile. A CIDR such as 10.0.0.0/24 is
	// the reverse zone, or zones, it stands for.
	Zone string
	// Port, with the default of the transport filled in; 0 if it hangs on a variable whose value is not known.
	Port int
	// Transport: dns, tls, quic, grpc, https, https3.
	Transport string
}

// String is the key as CoreDNS writes it, for example "dns://openmcp.cluster.:53".
func (k Key) String() string { return fmt.Sprintf("%s://%s.:%d", k.Transport, k.Zone, k.Port) }

// parseKey reads one address as it stands before the brace. CoreDNS accepts almost any name: "example:org" is a zone.
func parseKey(text string, p Process) ([]Key, error) {
	transport, rest := "dns", text
	for _, t := range []string{"tls", "dns", "quic", "grpc", "https3", "https", "unix"} {
		if after, found := strings.CutPrefix(text, t+"://"); found {
			transport, rest = t, after
			break
		}
	}
	if strings.Contains(rest, "{$") || strings.Contains(rest, "{%") {
		return []Key{{Zone: canonical(rest), Transport: transport}}, nil
	}
	port := map[string]int{"dns": p.port(), "tls": 853, "quic": 853, "grpc": 443, "https": 443, "https3": 443}[transport]
	colon := strings.LastIndex(rest, ":")
	if colon == len(rest)-1 {
		return nil, fmt.Errorf("address %q: want a zone, perhaps with a port, for example example.org:53", text)
	}
	if colon >= 0 {
		if n, err := strconv.Atoi(rest[colon+1:]); err == nil {
			if n < 0 || n > 65535 {
				return nil, fmt.Errorf("address %q: port %d is not between 0 and 65535", text, n)
			}
			port, rest = n, rest[:colon]
		}
	}
	if _, ok := dns.IsDomainName(rest); !ok || len(rest) > 255 {
		return nil, fmt.Errorf("address %q: %q is not a domain name", text, rest)
	}
	zones, err := reverseZones(rest)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", text, err)
	}
	keys := make([]Key, len(zones))
	for i, zone := range zones {
		if _, ok := dns.IsDomainName(dns.Fqdn(zone)); !ok {
			return nil, fmt.Errorf("address %q: %q is not a domain name", text, zone)
		}
		keys[i] = Key{Zone: canonical(zone), Port: port, Transport: transport}
	}
	return keys, nil
}

// canonical is the form in which zones are compared: lower case, no trailing dot.
func canonical(zone string) string {
	fqdn := strings.ToLower(dns.Fqdn(zone))
	return fqdn[:len(fqdn)-1]
}

// reverseZones is name itself, or, if it is a CIDR, the reverse zones that make it up: CoreDNS rounds up to whole octets
// (RFC 1035 §3.5) or nibbles (RFC 3596 §2.5).
func reverseZones(name string) ([]string, error) {
	_, network, _ := net.ParseCIDR(name)
	if network == nil {
		return []string{name}, nil
	}
	if name[0] == ':' || name[0] == '0' && strings.Contains(name, ":") {
		return nil, fmt.Errorf("%q is not a network that CoreDNS accepts", name)
	}
	size := 8
	if len(network.IP) == net.IPv6len {
		size = 4
	}
	ones, bits := network.Mask.Size()
	whole := (ones + size - 1) / size * size
	zones := make([]string, 1<<(whole-ones))
	for i := range zones {
		ip := append(net.IP(nil), network.IP...)
		if whole > 0 {
			// The last digit, an octet or a nibble, counts up.
			ip[(whole-1)/8] |= byte(i << (7 - (whole-1)%8))
		}
		name, err := dns.ReverseAddr(ip.String())
		if err != nil {
			return nil, err
		}
		labels := dns.SplitDomainName(name)
		zones[i] = strings.Join(labels[min((bits-whole)/size, len(labels)):], ".")
	}
	return zones, nil
}
