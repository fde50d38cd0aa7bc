package corefile

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// CoreDNS's forward takes this many upstreams.
const maxUpstreams = 15

// settle brings wishes into the form in which they are written: canonical names, one Forward per list of upstreams, sorted.
// The error joins a *Fault per wish that cannot be met.
func settle(want []Forward) ([]Forward, error) {
	var faults []error
	refuse := func(r Reason, format string, args ...any) {
		faults = append(faults, &Fault{Reason: r, Ours: true, Text: fmt.Sprintf(format, args...)})
	}
	var settled []Forward
	seen := map[string]bool{}
	for _, f := range want {
		upstreams, err := settleUpstreams(f)
		if err != nil {
			refuse(Upstream, "zones %s: %v", strings.Join(f.Zones, " "), err)
		}
		if len(f.Zones) == 0 {
			refuse(Zone, "a forward to %s names no zone", upstreamText(f.Upstreams))
		}
		i := slices.IndexFunc(settled, func(s Forward) bool { return slices.Equal(s.Upstreams, upstreams) })
		if i < 0 {
			i = len(settled)
			settled = append(settled, Forward{Upstreams: upstreams})
		}
		for _, zone := range f.Zones {
			zone = strings.ToLower(strings.TrimSuffix(zone, "."))
			if err := checkName(zone); err != nil {
				refuse(Zone, "%v", err)
				continue
			}
			if seen[zone] {
				refuse(Zone, "zone %q is wanted twice: one zone has one list of upstreams", zone)
				continue
			}
			seen[zone] = true
			settled[i].Zones = append(settled[i].Zones, zone)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for i := range settled {
		slices.Sort(settled[i].Zones)
	}
	slices.SortFunc(settled, func(a, b Forward) int { return cmp.Compare(a.Zones[0], b.Zones[0]) })
	return settled, nil
}

func settleUpstreams(f Forward) ([]netip.AddrPort, error) {
	var settled []netip.AddrPort
	for _, u := range f.Upstreams {
		addr := u.Addr().Unmap()
		switch {
		case !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return nil, fmt.Errorf("upstream %s: want the address of one DNS server", u)
		case addr.Zone() != "":
			return nil, fmt.Errorf("upstream %s: an address with an interface means something else in every pod", u)
		}
		u = netip.AddrPortFrom(addr, cmp.Or(u.Port(), 53))
		if !slices.Contains(settled, u) {
			settled = append(settled, u)
		}
	}
	if len(settled) == 0 {
		return nil, errors.New("no upstream: want the address of at least one DNS server")
	}
	if len(settled) > maxUpstreams {
		return nil, fmt.Errorf("%d upstreams: CoreDNS takes %d", len(settled), maxUpstreams)
	}
	return settled, nil
}

// checkName accepts what can be a zone of ours: host name labels (RFC 1123 §2.1) and underscores.
func checkName(zone string) error {
	if len(zone) > 253 {
		return fmt.Errorf("zone %q: longer than 253 characters", zone)
	}
	for label := range strings.SplitSeq(zone, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
			}) {
			return fmt.Errorf("zone %q: want a domain name such as openmcp.cluster", zone)
		}
	}
	if zone == "arpa" || zone == "in-addr.arpa" || zone == "ip6.arpa" {
		return fmt.Errorf("zone %q: holds the reverse names of every network, the cluster's own among them", zone)
	}
	return nil
}

// overlap says how zone and the cluster's own domain get into each other's way; "" if they do not.
func overlap(zone, domain string) string {
	switch {
	case domain == "":
		return ""
	case zone == domain:
		return "is the cluster's own domain"
	case strings.HasSuffix(zone, "."+domain):
		return fmt.Sprintf("lies under the cluster's own domain %s", domain)
	case strings.HasSuffix(domain, "."+zone):
		return fmt.Sprintf("holds the cluster's own domain %s", domain)
	}
	return ""
}
