package etcd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// decode reads the value of a key exactly as leniently as CoreDNS does: what fails here makes it answer
// SERVFAIL for the name and all names above. Values as we write them take a shortcut, because reading a
// large zone is mostly this.
func decode(value []byte) (service, error) {
	var ours service
	if ours.scan(value) {
		return ours, nil
	}
	var s service // apart from ours, which is on the stack because encoding/json does not see it
	if err := json.Unmarshal(value, &s); err != nil {
		return service{}, fmt.Errorf("CoreDNS cannot read it: %w", err)
	}
	return s, nil
}

// scan reads what encode writes, as long as no string needs an escape, and reports false on anything
// else.
func (s *service) scan(value []byte) bool {
	if len(value) < 2 || value[0] != '{' || value[len(value)-1] != '}' {
		return false
	}
	f := fields{rest: value[1 : len(value)-1], first: true}
	s.Host = f.text(`"host":`)
	s.Port = int(f.number(`"port":`))
	s.Priority = int(f.number(`"priority":`))
	s.Weight = int(f.number(`"weight":`))
	s.Text = f.text(`"text":`)
	s.Mail = f.truth(`"mail":`)
	ttl := f.number(`"ttl":`)
	s.TTL = uint32(ttl)
	s.TargetStrip = int(f.number(`"targetstrip":`))
	s.Group = f.text(`"group":`)
	return !f.odd && ttl >= 0 && len(f.rest) == 0
}

// fields are those of a JSON object that are still to be read, in a fixed order.
type fields struct {
	rest  []byte
	first bool // none was read yet
	odd   bool // something was met that a real JSON decoder has to look at
}

// next reports whether the next field has that name, and takes the name off.
func (f *fields) next(name string) bool {
	b := f.rest
	if !f.first {
		if len(b) == 0 || b[0] != ',' {
			return false
		}
		b = b[1:]
	}
	if len(b) < len(name) || string(b[:len(name)]) != name {
		return false
	}
	f.rest, f.first = b[len(name):], false
	return true
}

func (f *fields) text(name string) string {
	if !f.next(name) {
		return ""
	}
	b := f.rest
	for i := 1; i < len(b) && b[0] == '"'; i++ {
		switch c := b[i]; {
		case c == '"':
			f.rest = b[i+1:]
			return string(b[1:i])
		case c < ' ' || c >= 0x7f || c == '\\':
			f.odd = true
			return ""
		}
	}
	f.odd = true
	return ""
}

func (f *fields) number(name string) int64 {
	if !f.next(name) {
		return 0
	}
	end := bytes.IndexByte(f.rest, ',')
	if end < 0 {
		end = len(f.rest)
	}
	digits := string(f.rest[:end])
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != digits {
		f.odd = true
	}
	f.rest = f.rest[end:]
	return n
}

func (f *fields) truth(name string) bool {
	if !f.next(name) {
		return false
	}
	b, ok := bytes.CutPrefix(f.rest, []byte("true"))
	f.rest, f.odd = b, f.odd || !ok
	return true
}
