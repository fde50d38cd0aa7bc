package etcd

import (
	"errors"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// item is one value of an RRset as it stands in a key. There are hundreds of thousands of them.
type item struct {
	value string    // canonical
	key   string    // full key, when it is not one of ours
	mod   int64     // revision of the last change of the key
	ttl   uint32    // as CoreDNS answers it
	hash  valueHash // of the id, when the key is one of ours
	typ   rrType
	right bool // the key holds exactly what we would write
}

// keyOfItem is the key the item stands in.
func (l layout) keyOfItem(name string, it *item) string {
	if it.key != "" {
		return it.key
	}
	return l.keyOf(name, it.typ, it.hash)
}

// reading is what one key says.
type reading struct {
	name  string
	guard bool    // it is the guard of the name
	items [2]item // a text beside a host is a second one
	n     int
}

// Why a key below the zone is not read. CoreDNS fails on what it cannot parse; the others it serves, or
// not, without anyone being able to tell as which record.
var errNoName = errors.New("its path is no name that can be asked for: labels are in lower case, and below the zone")

// read takes a key apart.
func (l layout) read(key string, value []byte, mod int64) (reading, error) {
	name, id, ok := l.position(key)
	if !ok || !canonicalName(name) {
		return reading{}, errNoName
	}
	s, err := decode(value)
	if err != nil {
		return reading{}, err
	}
	if id == idMark {
		return reading{name: name, guard: true}, nil
	}
	hint := typeNone
	if id != "" {
		hint = typeOfID(id)
	}
	var r reading
	if r.name = l.owner(name, id, &s); r.name == "" {
		return reading{}, errNoName
	}
	records, n, err := s.records(r.name, hint)
	if err != nil {
		return reading{}, err
	}
	ttl := s.TTL
	if ttl == 0 {
		ttl = serverTTL
	}
	r.n = n
	for i, rec := range records[:n] {
		it := item{value: rec.value, key: key, mod: mod, ttl: ttl, typ: rec.typ}
		if n == 1 {
			l.recognise(&it, r.name, name, id, &s)
		}
		r.items[i] = it
	}
	return r, nil
}

// recognise turns an item into one of ours when its key, whose path spells at, is one that we would
// have chosen.
func (l layout) recognise(it *item, name, at, id string, s *service) {
	switch {
	case it.typ == typePTR:
		if id != "" || at != name {
			return
		}
	case name == l.zone && (it.typ == typeA || it.typ == typeAAAA):
		if !strings.HasPrefix(at, "apex.dns.") {
			return
		}
	case at != name:
		return
	}
	if it.typ != typePTR {
		h, ok := strings.CutPrefix(id, idMark)
		if ok {
			h, ok = strings.CutPrefix(h, it.typ.idPrefix())
		}
		if !ok || len(h) != len(it.hash) {
			return
		}
		copy(it.hash[:], h)
	}
	it.key = ""
	want, err := l.service(name, it.typ, it.value, s.TTL)
	it.right = err == nil && *s == want
}

// owner is the name of the record: the path without the id, or without as many labels as targetstrip
// says; and the zone's own for addresses where CoreDNS looks for them. "" when there is none.
func (l layout) owner(name, id string, s *service) string {
	if id == "" {
		for range s.TargetStrip {
			dot := strings.IndexByte(name, '.')
			if dot < 0 {
				return ""
			}
			name = name[dot+1:]
		}
		name = l.meant(name)
	}
	if s.Host != "" && strings.HasSuffix(name, l.zone) {
		if at := name[:len(name)-len(l.zone)]; at == "apex.dns." || id == "" && s.TargetStrip == 0 && strings.HasSuffix(at, ".apex.dns.") && strings.Count(at, ".") == 3 {
			return l.zone
		}
	}
	if !backend.InZone(name, l.zone) {
		return ""
	}
	return name
}

// canonicalName reports whether the name is in canonical form. Ordinary names are told at a glance.
func canonicalName(name string) bool {
	plain := true
	for i := range len(name) {
		c := name[i]
		plain = plain && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if plain && len(name) <= 63 {
		return true
	}
	n, err := backend.Name(name)
	return err == nil && n == name
}
