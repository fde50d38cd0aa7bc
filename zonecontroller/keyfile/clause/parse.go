package clause

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Parse reads statements. Comments (#, // and /* */) are skipped, quotes are taken off, the backslash
// before a quote too.
func Parse(text string) ([]Statement, error) {
	p := parser{rest: text}
	all, err := p.statements(0)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Same reports whether both are the same configuration: the same statements in any order, keywords in any
// case, blocks likewise. Lists of addresses are compared as lists: named takes the first match.
func Same(a, b []Statement) bool {
	return slices.Equal(canonical(a, true), canonical(b, true))
}

// canonical is each statement as text with its words quoted, sorted where the order means nothing.
func canonical(all []Statement, options bool) []string {
	var out []string
	for _, s := range all {
		var t strings.Builder
		for i, w := range s.Words {
			if i == 0 {
				w = strings.ToLower(w)
			}
			fmt.Fprintf(&t, "%q ", w)
		}
		if s.Block != nil {
			// Below an option stands a list, and the order of a list is part of it.
			fmt.Fprintf(&t, "%q", canonical(s.Block, !options))
		}
		out = append(out, t.String())
	}
	if options {
		slices.Sort(out)
	}
	return out
}

type tokenKind int

const (
	end tokenKind = iota
	plainWord
	open
	shut
	semicolon
)

type parser struct{ rest string }

func (p *parser) statements(depth int) ([]Statement, error) {
	if depth > maxDepth {
		return nil, errors.New("blocks are nested too deep")
	}
	all := []Statement{}
	var s Statement
	for {
		kind, text, err := p.token()
		if err != nil {
			return nil, err
		}
		started := len(s.Words) > 0 || s.Block != nil
		switch kind {
		case plainWord:
			s.Words = append(s.Words, text)
		case open:
			if s.Block != nil {
				return nil, errors.New("a statement has two blocks")
			}
			if s.Block, err = p.statements(depth + 1); err != nil {
				return nil, err
			}
		case semicolon:
			if started {
				all = append(all, s)
				s = Statement{}
			}
		case shut, end:
			if (kind == end) != (depth == 0) {
				return nil, errors.New("braces do not match")
			}
			if started {
				return nil, errors.New("a statement does not end with a semicolon")
			}
			return all, nil
		}
	}
}

func (p *parser) token() (tokenKind, string, error) {
	if err := p.skip(); err != nil {
		return end, "", err
	}
	if p.rest == "" {
		return end, "", nil
	}
	c := p.rest[0]
	switch c {
	case '{', '}', ';':
		p.rest = p.rest[1:]
		return map[byte]tokenKind{'{': open, '}': shut, ';': semicolon}[c], "", nil
	case '"':
		return p.quoted()
	}
	i := strings.IndexAny(p.rest, " \t\r\n{};\"#")
	if i < 0 {
		i = len(p.rest)
	}
	if i == 0 {
		return end, "", fmt.Errorf("byte %q does not begin a word", c)
	}
	for _, comment := range []string{"//", "/*"} {
		if j := strings.Index(p.rest[:i], comment); j > 0 {
			i = j
		}
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return plainWord, w, nil
}

func (p *parser) quoted() (tokenKind, string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return plainWord, b.String(), nil
		case c == '\n':
			return end, "", errors.New("a quote does not end on its line")
		case c == '\\' && i+1 < len(p.rest) && p.rest[i+1] == '"':
			i++
			b.WriteByte('"')
		default:
			b.WriteByte(c)
		}
	}
	return end, "", errors.New("a quote does not end")
}

// skip skips blanks and comments.
func (p *parser) skip() error {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\r\n")
		switch {
		case strings.HasPrefix(p.rest, "#"), strings.HasPrefix(p.rest, "//"):
			_, p.rest, _ = strings.Cut(p.rest, "\n")
		case strings.HasPrefix(p.rest, "/*"):
			_, rest, ok := strings.Cut(p.rest[2:], "*/")
			if !ok {
				return errors.New("a comment does not end")
			}
			p.rest = rest
		default:
			return nil
		}
	}
}
