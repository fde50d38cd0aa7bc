package etcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// service is the value of a key as CoreDNS reads it (SkyDNS's message). Its answers depend on it in
// ways that decide how records are written here; each was tried on CoreDNS 1.15:
//
//   - A query is answered from all keys below the name, but of those only the ones whose group is that
//     of the shortest key, and the ones without any. So group is the record's own name.
//   - A name in host becomes an alias in the answer to A, AAAA and TXT queries, also when the key is a
//     mail or service record. Those are written with a label before the host that nobody can register,
//     and targetstrip takes it away again where it is wanted.
//   - An alias to the name itself is left out, and port -1 is left out of SRV answers: together they
//     make a key that only holds its place (see guard).
//   - Zero means "not set". The numbers of an answer are the lower 16 bits, so 65536 is a zero.
type service struct {
	Host        string `json:"host,omitempty"`
	Port        int    `json:"port,omitempty"`
	Priority    int    `json:"priority,omitempty"`
	Weight      int    `json:"weight,omitempty"`
	Text        string `json:"text,omitempty"`
	Mail        bool   `json:"mail,omitempty"`
	TTL         uint32 `json:"ttl,omitempty"`
	TargetStrip int    `json:"targetstrip,omitempty"`
	Group       string `json:"group,omitempty"`
}

const (
	zero           = 1 << 16 // a number that is set and answered as 0
	unset          = -1      // a port that is in no SRV answer, and a priority that meets no SRV record's
	serverTTL      = 300     // what CoreDNS answers for a key without a TTL
	serverPriority = 10      // …without a priority
	serverWeight   = 100     // …without a weight
)

// service is what has to be stored for CoreDNS to answer with the record. The value is canonical.
func (l layout) service(name string, t rrType, value string, ttl uint32) (service, error) {
	strip := l.strip(name, t)
	name = l.spelt(name)
	s := service{Host: value, Port: unset, Priority: unset, TTL: ttl, TargetStrip: strip, Group: name}
	switch t {
	case typeTXT:
		text, err := escapeText(value)
		return service{Text: text, TTL: ttl, TargetStrip: s.TargetStrip, Group: name}, err
	case typePTR:
		return service{Host: value, TTL: ttl}, nil
	case typeMX:
		n, host, err := numbers(value, 1)
		s.Priority, s.Mail = orZero(n[0]), true
		s.aim("$mx.", host)
		return s, err
	case typeSRV:
		n, host, err := numbers(value, 3)
		s.Priority, s.Weight, s.Port = orZero(n[0]), orZero(n[1]), orZero(n[2])
		s.aim("$srv.", host)
		return s, err
	case typeFill:
		n, _, err := numbers(value+" .", 2)
		s.Host, s.Priority, s.Weight = name, n[0], n[1]
		return s, err
	}
	return s, nil
}

// guard keeps queries for a name from being answered by the names below it: CoreDNS finds its group at
// the shortest key, and nothing to answer with.
func guard(name string) service {
	return service{Host: name, Port: unset, Priority: unset, TargetStrip: 1, Group: name}
}

// aim makes host the target of a mail or service record only.
func (s *service) aim(label, host string) {
	s.Host, s.TargetStrip = label+host, 1
	if host == "." {
		s.Host, s.TargetStrip = host, 0
	}
}

// orZero is a number as it has to be stored.
func orZero(n int) int {
	if n == 0 {
		return zero
	}
	return n
}

// numbers takes "<number> … <name>" apart.
func numbers(value string, n int) (out [3]int, host string, err error) {
	rest := value
	for i := range n {
		var field string
		field, rest, _ = strings.Cut(rest, " ")
		if out[i], err = strconv.Atoi(field); err != nil {
			return out, "", fmt.Errorf("%q does not begin with %d numbers", value, n)
		}
	}
	return out, rest, nil
}

// record is one value of an RRset.
type record struct {
	typ   rrType
	value string
}

// errIgnored marks keys that CoreDNS reads but that hold nothing we can tell as records.
var errIgnored = errors.New("holds no record")

// records is what CoreDNS answers from the service at that name: usually one record; a text beside a
// host is a second one. hint is the type of the key's id, typeNone for a key that is not ours.
func (s *service) records(name string, hint rrType) (out [2]record, n int, err error) {
	if s.Host != "" {
		if out[0], err = s.hostRecord(name, hint); err != nil {
			return out, 0, err
		}
		n++
	}
	if s.Text != "" {
		text := unescapeText(s.Text)
		if hint == typeNone {
			text = unquoteText(text)
		}
		out[n] = record{typeTXT, text}
		n++
	}
	if n == 0 {
		return out, 0, errIgnored
	}
	return out, n, nil
}

func (s *service) hostRecord(name string, hint rrType) (record, error) {
	if hint == typeFill {
		return record{typeFill, strconv.Itoa(s.Priority) + " " + strconv.Itoa(s.Weight)}, nil
	}
	if a, err := netip.ParseAddr(s.Host); err == nil && a.Zone() == "" {
		if a = a.Unmap(); s.Mail {
			return record{}, errIgnored // CoreDNS makes up a mail host
		} else if a.Is4() {
			return record{typeA, a.String()}, nil
		}
		return record{typeAAAA, a.String()}, nil
	}
	t := hint
	switch {
	case s.Mail:
		t = typeMX
	case hint == typeSRV || hint == typeCNAME:
	case s.Port > 0:
		t = typeSRV
	case reverse(name):
		t = typePTR
	default:
		t = typeCNAME
	}
	host := s.Host
	if t == typeMX || t == typeSRV {
		host = stripLabels(host, s.TargetStrip)
	}
	if host != "." || t != typeMX && t != typeSRV {
		var err error
		if host, err = backend.Name(host); err != nil {
			return record{}, fmt.Errorf("its host is no address and no name: %w", err)
		}
	}
	priority := s.Priority
	if priority == 0 {
		priority = serverPriority
	}
	switch t {
	case typeMX:
		return record{t, number(priority) + " " + host}, nil
	case typeSRV:
		weight := s.Weight
		if weight == 0 {
			weight = serverWeight
		}
		return record{t, number(priority) + " " + number(weight) + " " + number(s.Port) + " " + host}, nil
	}
	return record{t, host}, nil
}

// number is an int as CoreDNS puts it into an answer.
func number(n int) string { return strconv.Itoa(n & 0xffff) }

// stripLabels cuts n labels off the front of a host, or none when it has no more than that.
func stripLabels(host string, n int) string {
	rest := host
	for range n {
		_, after, found := strings.Cut(rest, ".")
		if !found || after == "" {
			return host
		}
		rest = after
	}
	return rest
}

// encode writes the service like encoding/json, several times faster.
func (s *service) encode() string {
	var buf [512]byte
	b := append(buf[:0], '{')
	name := func(n string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), n...), '"', ':')
	}
	text := func(n, v string) {
		if v != "" {
			name(n)
			b = appendString(b, v)
		}
	}
	num := func(n string, v int64) {
		if v != 0 {
			name(n)
			b = strconv.AppendInt(b, v, 10)
		}
	}
	text("host", s.Host)
	num("port", int64(s.Port))
	num("priority", int64(s.Priority))
	num("weight", int64(s.Weight))
	text("text", s.Text)
	if s.Mail {
		name("mail")
		b = append(b, "true"...)
	}
	num("ttl", int64(s.TTL))
	num("targetstrip", int64(s.TargetStrip))
	text("group", s.Group)
	return string(append(b, '}'))
}

func appendString(b []byte, v string) []byte {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(v) // a string cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}
