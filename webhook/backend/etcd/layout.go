package etcd

import (
	"crypto/sha256"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// A record is one key. The labels of its name, reversed, are the path; below it stands an id of ours:
//
//	/skydns/org/example/www/$a-4jq2m0c8vt       www.example.org A
//	/skydns/org/example/dns/apex/$a-0f8k2m1s7a  example.org A, where CoreDNS looks for a zone's own addresses
//	/skydns/org/example/apps/$                  the guard of apps.example.org
//	/skydns/org/example/apps/_wildcard/$a-…     *.apps.example.org A, where that label stands for the star
//	/skydns/arpa/in-addr/192/0/2/1              1.2.0.192.in-addr.arpa PTR, which CoreDNS only finds at the exact key
//
// An id is made of the type and a hash of the value, so that writing a value twice writes one key and
// two writers never meet by accident. No label can begin with its first byte, so an id is never
// mistaken for a name; and the byte sorts before letters, digits and "-", so that the keys of a name
// come before those of the names below it, whose group CoreDNS would otherwise take for the name's own.
const (
	idMark   = "$"
	idEnd    = "%" // the byte after idMark: ids are the keys from "$" up to here
	apexPath = "/dns/apex"
)

// layout is where records stand below the prefix of one zone.
type layout struct {
	prefix string // "/skydns"
	zone   string // canonical

	// wildcard is the label that stands for the star of *.example.org in keys: CoreDNS takes a star for a
	// question about all names. Without it there are no wildcards.
	wildcard string
}

// path is the key of a name: "/skydns/org/example/www".
func (l layout) path(name string) string { return string(l.appendPath(nil, name)) }

func (l layout) appendPath(dst []byte, name string) []byte {
	dst = append(dst, l.prefix...)
	for end := len(name); end > 0; {
		start := strings.LastIndexByte(name[:end], '.') + 1
		dst = append(dst, '/')
		if start == 0 && l.wildcard != "" && name[:end] == "*" {
			return append(dst, l.wildcard...)
		}
		dst = append(dst, name[start:end]...)
		end = start - 1
	}
	return dst
}

// span is a range of keys: first is in it, end is not.
type span struct{ first, end string }

// all is every key below the zone's name.
func (l layout) all() span {
	p := l.path(l.zone)
	return span{p + "/", p + "0"} // "0" is the byte after "/"
}

// ids is where our keys directly at a path stand, without the guard.
func ids(path string) span { return span{path + "/" + idMark + "a", path + "/" + idEnd} }

// dir is the path below which the ids of a name's records of that type stand.
func (l layout) dir(name string, t rrType) string {
	if name == l.zone && (t == typeA || t == typeAAAA) {
		return l.path(name) + apexPath
	}
	return l.path(name)
}

// keyOf is where we store the value with that hash.
func (l layout) keyOf(name string, t rrType, h valueHash) string {
	if t == typePTR {
		return l.path(name)
	}
	return l.dir(name, t) + "/" + idMark + t.idPrefix() + string(h[:])
}

// guardKey is the key that keeps queries for the name from being answered by what stands below it.
func (l layout) guardKey(name string) string { return l.path(name) + "/" + idMark }

// valueHash is the part of an id that depends on the value: 50 bits, as digits and letters.
type valueHash [10]byte

func hash(t rrType, value string) valueHash {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	var buf [256]byte
	sum := sha256.Sum256(append(append(append(buf[:0], t.String()...), ' '), value...))
	var h valueHash
	for i := range h {
		h[i] = digits[sum[i]&31]
	}
	return h
}

// strip is how many labels of a key are not the name's: what CoreDNS and others know as targetstrip.
func (l layout) strip(name string, t rrType) int {
	switch {
	case t == typePTR:
		return 0
	case name == l.zone && (t == typeA || t == typeAAAA):
		return 3
	}
	return 1
}

// guarded calls f with every name above the record, down to the zone's own: each needs a guard.
func (l layout) guarded(name string, t rrType, f func(above string)) {
	if name == l.zone {
		if t == typeA || t == typeAAAA {
			f("dns." + l.zone)
			f(l.zone)
		}
		return
	}
	for name != l.zone {
		name = name[strings.IndexByte(name, '.')+1:]
		f(name)
	}
}

// position takes a key below the zone apart: the name its path spells, and the id, "" for a key that is
// a path and nothing else. ok is false for keys that are no path of names CoreDNS can be asked for.
func (l layout) position(key string) (name, id string, ok bool) {
	rest, ok := strings.CutPrefix(key, l.prefix+"/")
	if !ok {
		return "", "", false
	}
	if i := strings.LastIndexByte(rest, '/'); strings.HasPrefix(rest[i+1:], idMark) {
		if i < 0 {
			return "", "", false
		}
		rest, id = rest[:i], rest[i+1:]
	}
	b := make([]byte, 0, 64)
	for end := len(rest); end >= 0; {
		start := strings.LastIndexByte(rest[:end], '/') + 1
		if start == end {
			return "", "", false
		}
		if len(b) > 0 {
			b = append(b, '.')
		}
		b = append(b, rest[start:end]...)
		end = start - 1
	}
	name = l.meant(string(b))
	return name, id, backend.InZone(name, l.zone)
}

// meant is the name of the records at the path that spells it: a wildcard's has a star.
func (l layout) meant(spelt string) string {
	if rest, found := strings.CutPrefix(spelt, l.wildcard+"."); found && l.wildcard != "" && backend.InZone(rest, l.zone) {
		return "*." + rest
	}
	return spelt
}

// spelt is the name as its path spells it, which is the one CoreDNS looks for.
func (l layout) spelt(name string) string {
	if rest, found := strings.CutPrefix(name, "*."); found && l.wildcard != "" {
		return l.wildcard + "." + rest
	}
	return name
}

// reverse reports whether the name lies in the tree of addresses, where a host is a PTR.
func reverse(name string) bool {
	return backend.InZone(name, "in-addr.arpa") || backend.InZone(name, "ip6.arpa")
}
