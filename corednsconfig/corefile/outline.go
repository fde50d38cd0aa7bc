package corefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// An outline is a Corefile read for its bytes: references and imported files stay what they are written as, so that what is
// found is in src and nowhere else.
type outline struct {
	src     []byte
	tokens  []token
	servers []server
	places  []place // one per server
	words   map[int]importWord
}

// place says where a server is in the file and whose it is.
type place struct {
	start, end int
	here       bool // the whole of it is in src, between braces
	keys       []Key
	content    string // fingerprint
	marked     bool   // our mark stands above it
	ours       bool
}

func (p place) altered() bool { return p.marked && !p.ours }

func newOutline(src []byte, port int) (*outline, error) {
	p := newParser(src, Process{Port: port})
	o := &outline{src: src, tokens: slices.Clone(p.tokens)}
	if err := p.parse(); err != nil {
		return nil, err
	}
	if p.broken != nil {
		return nil, p.broken
	}
	o.servers, o.words = p.servers, p.words
	o.places = make([]place, len(o.servers))
	for i, s := range o.servers {
		pl := &o.places[i]
		for _, text := range s.keys {
			keys, err := parseKey(text, p.process)
			if err != nil {
				return nil, p.faultAt(s.first, Address, "%v", err)
			}
			pl.keys = append(pl.keys, keys...)
		}
		if s.first.copied || s.last.copied || !s.braces || s.last.text != "}" {
			continue
		}
		pl.here = true
		pl.start, pl.end = s.first.start, s.last.end
		pl.content = fingerprint(pl.keys, s.directives)
		if start, sum, found := o.mark(s.first.start); found {
			pl.start, pl.marked = start, true
			pl.ours = sum == pl.content
		}
		pl.ours = pl.ours || isRendered(pl.keys, s.directives)
	}
	return o, nil
}

// mark looks for our comment on the line before the token at offset at.
func (o *outline) mark(at int) (start int, sum string, found bool) {
	i, _ := slices.BinarySearchFunc(o.tokens, at, func(t token, at int) int { return t.start - at })
	from := len(o.src) - len(bytes.TrimPrefix(o.src, []byte(byteOrderMark)))
	if i > 0 {
		// The rest of the line on which the previous token ends is that line's business.
		end := bytes.IndexByte(o.src[o.tokens[i-1].end:at], '\n')
		if end < 0 {
			return 0, "", false
		}
		from = o.tokens[i-1].end + end + 1
	}
	comment := bytes.TrimRight(o.src[from:at], " \t\r\n")
	start = from + bytes.LastIndexByte(comment, '\n') + 1
	sum, found = readMark(string(comment[start-from:]))
	return start, sum, found
}

const (
	markStart = "# spokedns: kept by corednsconfig, changes here are undone (sha256:"
	markEnd   = ")"
)

func writeMark(sum string) string { return markStart + sum + markEnd }

func readMark(comment string) (sum string, ok bool) {
	sum, ok = strings.CutPrefix(comment, markStart)
	sum, end := strings.CutSuffix(sum, markEnd)
	return sum, ok && end
}

// fingerprint tells contents apart, not layouts: indentation and comments do not count, the order of words and lines does.
func fingerprint(keys []Key, directives []directive) string {
	h := sha256.New()
	for _, k := range keys {
		h.Write([]byte(k.String() + " "))
	}
	for _, d := range directives {
		h.Write([]byte("\n"))
		for i, t := range d.tokens {
			if i > 0 && !t.follows(d.tokens[i-1]) {
				h.Write([]byte("\n"))
			}
			h.Write([]byte(quote(t.text) + " "))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
