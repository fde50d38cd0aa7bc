package nameserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
)

// mark begins the name of every zone file that is ours. It is the proof that a zone was made here.
const mark = "spokedns."

// newFile is a name for the zone's file that no file has had: what an earlier one left behind, its journal
// above all, must never become content.
func newFile(zone, view string) string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails
	return filePrefix(zone, view) + hex.EncodeToString(b[:]) + ".db"
}

// filePrefix is the part of a file name that belongs to the zone: legible, of safe bytes, and unique.
func filePrefix(zone, view string) string {
	legible := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, zone)
	sum := sha256.Sum256([]byte(view + "\x00" + zone))
	return mark + legible[:min(len(legible), 100)] + "." + hex.EncodeToString(sum[:5]) + "."
}

// ours reports whether a zone with this file was made here, for this zone and view.
func ours(file, zone, view string) bool {
	return strings.HasPrefix(path.Base(file), filePrefix(zone, view))
}

func fileOf(conf []clause.Statement) string {
	s, _ := clause.Find(conf, "file")
	return s.Value()
}

// peers is a zone's configuration with addresses in place of host names.
type peers struct {
	primaries     []peer
	allowTransfer []netip.Prefix
	alsoNotify    []peer
}

type peer struct {
	addr netip.AddrPort
	key  string // name
}

// resolve looks up the names of the configuration.
func (s *Server) resolve(ctx context.Context, z ZoneConfig) (peers, error) {
	var p peers
	for _, e := range z.Primaries {
		all, err := s.endpoint(ctx, e.Addr)
		if err != nil {
			return peers{}, err
		}
		for _, a := range all {
			p.primaries = append(p.primaries, peer{a, e.Key.Name})
		}
	}
	for _, n := range z.AlsoNotify {
		all, err := s.endpoint(ctx, n)
		if err != nil {
			return peers{}, err
		}
		for _, a := range all {
			p.alsoNotify = append(p.alsoNotify, peer{addr: a})
		}
	}
	for _, t := range z.AllowTransfer {
		if prefix, err := netip.ParsePrefix(t); err == nil {
			p.allowTransfer = append(p.allowTransfer, prefix.Masked())
			continue
		}
		all, err := s.endpoint(ctx, t)
		if err != nil {
			return peers{}, err
		}
		for _, a := range all {
			p.allowTransfer = append(p.allowTransfer, netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
		}
	}
	byAddr := func(a, b peer) int { return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.key, b.key)) }
	slices.SortFunc(p.alsoNotify, byAddr)
	slices.SortFunc(p.allowTransfer, func(a, b netip.Prefix) int { return cmp.Compare(a.String(), b.String()) })
	p.alsoNotify, p.allowTransfer = slices.Compact(p.alsoNotify), slices.Compact(p.allowTransfer)
	return p, nil
}

// endpoint returns the addresses of a host, with the port or 53.
func (s *Server) endpoint(ctx context.Context, hostport string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = strings.Trim(hostport, "[]"), "53"
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", hostport, err)
	}
	all := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		all = append(all, a)
	} else if all, err = s.lookup(ctx, host); err != nil {
		return nil, err
	}
	out := []netip.AddrPort{}
	for _, a := range all {
		out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(n)))
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out, nil
}

// seeding is a zone that fetches its first content. The file is text in all roles, so that it can be read
// by the next one.
func seeding(file string, from peer) []clause.Statement {
	return []clause.Statement{
		clause.Of("type", "secondary"),
		clause.Text("file", file),
		clause.Of("masterfile-format", "text"),
		clause.Of("check-names", "ignore"),
		clause.Of("notify", "no"),
		clause.Of("primaries").With(from.statement()),
	}
}

// configured is the zone as it should stay. Only those are told of changes who are named, since the zone's NS
// records may name anybody; and at once, not 5 seconds after the last time. Owner names are not judged here: one that named dislikes would stop the whole zone.
func configured(file string, z ZoneConfig, role v1alpha1.Role, key keyfile.Key, p peers) []clause.Statement {
	transfer := []clause.Statement{}
	if key.Name != "" {
		transfer = append(transfer, clause.Of("key", key.Name))
	}
	for _, a := range p.allowTransfer {
		transfer = append(transfer, clause.Of(a.String()))
	}
	if len(transfer) == 0 {
		transfer = append(transfer, clause.Of("none"))
	}
	out := []clause.Statement{
		clause.Text("file", file),
		clause.Of("masterfile-format", "text"),
		clause.Of("check-names", "ignore"),
		clause.Of("notify", "explicit"),
		clause.Of("notify-delay", "0"),
		clause.Of("allow-transfer").With(transfer...),
	}
	if len(p.alsoNotify) > 0 {
		out = append(out, clause.Of("also-notify").With(statements(p.alsoNotify)...))
	}
	if role == v1alpha1.Secondary {
		return append(out, clause.Of("type", "secondary"), clause.Of("primaries").With(statements(p.primaries)...))
	}
	out = append(out, clause.Of("type", "primary"), clause.Of("allow-update").With(clause.Of("key", key.Name)))
	if z.DNSSECPolicy != "" {
		out = append(out, clause.Of("dnssec-policy", z.DNSSECPolicy))
	}
	return out
}

// insecure is the policy that takes signatures away in the order that resolvers need. A policy that is only
// left out leaves them standing, until they expire and the zone is bogus.
const insecure = "insecure"

// settled is what stands on the server, with what means the same as the wish written like it: a zone that was
// signed stays with the policy insecure.
func settled(conf []clause.Statement, z ZoneConfig) []clause.Statement {
	return slices.DeleteFunc(slices.Clone(conf), func(s clause.Statement) bool {
		return z.DNSSECPolicy == "" && len(s.Words) == 2 && s.Words[0] == "dnssec-policy" && s.Words[1] == insecure
	})
}

// unsigning adds the policy insecure where the zone is signed and should not be.
func unsigning(wish, conf []clause.Statement, z ZoneConfig) []clause.Statement {
	if _, signed := clause.Find(conf, "dnssec-policy"); signed && z.DNSSECPolicy == "" {
		return append(slices.Clone(wish), clause.Of("dnssec-policy", insecure))
	}
	return wish
}

func (p peer) statement() clause.Statement {
	words := []string{p.addr.Addr().String(), "port", fmt.Sprint(p.addr.Port())}
	if p.key != "" {
		words = append(words, "key", p.key)
	}
	return clause.Of(words...)
}

func statements(all []peer) []clause.Statement {
	out := []clause.Statement{}
	for _, p := range all {
		out = append(out, p.statement())
	}
	return out
}
