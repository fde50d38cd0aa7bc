package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// A stub is one entry of stubDomains, with its bytes in the text.
type stub struct {
	zone       string // as corefile writes it
	servers    []string
	start, end int
}

// A stubMap is the JSON object under stubDomains, read for its bytes: it may be formatted by hand, and stays so.
type stubMap struct {
	text    []byte
	open    int // behind the opening brace
	entries []stub
}

// parseStubs reads the text. A text of white space alone is an empty map without braces, with open -1.
func parseStubs(text []byte) (stubMap, error) {
	m := stubMap{text: text, open: -1}
	if len(bytes.TrimSpace(text)) == 0 {
		return m, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	brace, err := d.Token()
	if err != nil || brace != json.Delim('{') {
		return m, m.fault(d.InputOffset(), "want a JSON object of lists, such as {\"example.org\": [\"192.0.2.53\"]}", err)
	}
	m.open = int(d.InputOffset())
	for d.More() {
		start := int(d.InputOffset())
		// White space, and from the second entry on a comma.
		start += len(text[start:]) - len(bytes.TrimLeft(text[start:], ", \t\r\n"))
		key, err := d.Token()
		zone, ok := key.(string)
		if err != nil || !ok {
			return m, m.fault(d.InputOffset(), "want a zone in quotes", err)
		}
		s := stub{zone: strings.ToLower(strings.TrimSuffix(zone, ".")), start: start}
		if err := d.Decode(&s.servers); err != nil {
			return m, m.fault(d.InputOffset(), fmt.Sprintf("zone %q: want a list of addresses in quotes", zone), err)
		}
		s.end = int(d.InputOffset())
		m.entries = append(m.entries, s)
	}
	if _, err := d.Token(); err != nil {
		return m, m.fault(d.InputOffset(), "want a closing brace", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, m.fault(d.InputOffset(), "there is more behind the closing brace", nil)
	}
	return m, nil
}

func (m stubMap) fault(offset int64, text string, err error) error {
	if err != nil {
		text += ": " + err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset = int64(len(m.text))
	}
	return &corefile.Fault{Reason: corefile.Syntax, Line: 1 + bytes.Count(m.text[:min(int(offset), len(m.text))], []byte("\n")), Text: text}
}

// without is the text without one entry and its comma. An entry that with has put in leaves no trace.
func (m stubMap) without(zone string) []byte {
	for i, s := range m.entries {
		if s.zone != zone {
			continue
		}
		from, to := m.open, s.end
		if i > 0 {
			from = m.entries[i-1].end
			if i < len(m.entries)-1 {
				from += 1 + bytes.IndexByte(m.text[from:], ',')
			}
		}
		if i < len(m.entries)-1 {
			to += 1 + bytes.IndexByte(m.text[to:], ',')
		}
		return bytes.Join([][]byte{m.text[:from], m.text[to:]}, nil)
	}
	return m.text
}

// with is the text with one entry more, in front of the others.
func (m stubMap) with(zone string, servers []string) ([]byte, error) {
	list, err := json.Marshal(servers)
	if err != nil {
		return nil, err
	}
	entry := fmt.Sprintf("\n  %q: %s", zone, bytes.ReplaceAll(list, []byte(`","`), []byte(`", "`)))
	if m.open < 0 {
		return []byte("{" + entry + "\n}\n"), nil
	}
	if len(m.entries) > 0 {
		entry += ","
	}
	return bytes.Join([][]byte{m.text[:m.open], []byte(entry), m.text[m.open:]}, nil), nil
}

func (m stubMap) find(zone string) (stub, bool) {
	for _, s := range m.entries {
		if s.zone == zone {
			return s, true
		}
	}
	return stub{}, false
}
