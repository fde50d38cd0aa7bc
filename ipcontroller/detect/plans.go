package detect

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// defaultPrefixBits is the length of the prefix of a network (RFC 4291).
const defaultPrefixBits = 64

// plan is what the families have in common, with defaults.
func (c Config) plan() Plan {
	return Plan{Need: c.Need, Rounds: c.Rounds, Canary: c.Canary, Audit: c.Audit, Confirm: c.Confirm, RouterEvery: c.RouterEvery,
		PerOperator: c.PerOperator}.withDefaults()
}

// Plans makes a plan for each family that is not off, IPv4 first. It reads the file of authorities; it asks
// nobody. cluster may be nil when no mode needs one. The Config has to be valid.
func (c Config) Plans(cluster Cluster) ([]Plan, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	trust, err := c.trust()
	if err != nil {
		return nil, err
	}
	var plans []Plan
	for _, family := range []Family{IPv4, IPv6} {
		f := c.families()[family]
		if f.mode(family) == ModeOff {
			continue
		}
		p := c.plan()
		p.Family = family
		if p.Sources, err = f.open(family, trust, cluster); err != nil {
			return nil, fmt.Errorf("%s.%w", family, err)
		}
		p.Static = f.mode(family) == ModeStatic
		if family == IPv6 {
			p.Mode = f.written(family)
		}
		if f.mode(family) == ModePrefix {
			p.PrefixBits = cmp.Or(f.PrefixBits, defaultPrefixBits)
		}
		if !f.echoes(family) {
			p.Need = 1 // there is only one who can know
		}
		if c.Router != "" && f.mode(family) == ModeEcho && family == IPv4 {
			if p.Router, err = parseRouter(c.Router); err != nil {
				return nil, err
			}
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// written is the mode as the ConfigMap has it.
func (c FamilyConfig) written(family Family) wanip.Mode {
	switch m := c.mode(family); m {
	case ModeService:
		return wanip.ModeServiceStatus
	case ModePrefix:
		return wanip.ModePrefixHostID
	case ModeInterface:
		return wanip.ModeInterfaceStable
	default:
		return wanip.Mode(m) // the same word
	}
}

// trust reads the file of authorities.
func (c Config) trust() (Trust, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("caFile: %q: want a readable file: %w", c.CAFile, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("caFile: %q: want certificates in PEM", c.CAFile)
	}
	return pool, nil
}

// open makes the sources of a family.
func (c FamilyConfig) open(family Family, trust Trust, cluster Cluster) ([]Source, error) {
	mode := c.mode(family)
	id := Identity{Name: mode, Operator: "site", Via: ViaLocal}
	if cluster == nil && (mode == ModeService || mode == ModeNode) {
		return nil, fmt.Errorf("mode: %q: want a cluster to ask", mode)
	}
	switch mode {
	case ModeStatic:
		a, err := netip.ParseAddr(c.Address)
		return []Source{&Static{ID: id, Addr: a}}, err
	case ModeService:
		namespace, name, _ := strings.Cut(c.Service, "/")
		return []Source{&Addresses{ID: id, List: func(ctx context.Context) ([]netip.Addr, error) { return cluster.ServiceAddresses(ctx, namespace, name) }}}, nil
	case ModeNode:
		return []Source{&Addresses{ID: id, List: cluster.NodeAddresses}}, nil
	case ModeInterface:
		return c.ofInterface(id)
	}
	var sources []Source
	if c.echoes(family) {
		for i, text := range c.asks(family) {
			s, err := parseSource(text, trust)
			if err != nil {
				return nil, fmt.Errorf("sources[%d]: %w", i, err)
			}
			sources = append(sources, s)
		}
	} else {
		found, err := c.ofInterface(id)
		if err != nil {
			return nil, err
		}
		sources = found
	}
	if mode == ModePrefix {
		host, err := netip.ParseAddr(c.HostID)
		if err != nil {
			return nil, fmt.Errorf("hostID: %w", err)
		}
		for i, s := range sources {
			sources[i] = &HostID{Source: s, Bits: cmp.Or(c.PrefixBits, defaultPrefixBits), Host: host}
		}
	}
	return sources, nil
}

// ofInterface is the stable address of the interface.
func (c FamilyConfig) ofInterface(id Identity) ([]Source, error) {
	s := &Interface{ID: id, Name: c.Interface}
	if c.Within != "" {
		within, err := netip.ParsePrefix(c.Within)
		if err != nil {
			return nil, fmt.Errorf("within: %w", err)
		}
		s.Within = within.Masked()
	}
	return []Source{s}, nil
}
