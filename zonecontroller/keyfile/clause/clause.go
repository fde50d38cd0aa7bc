// Package clause owns the syntax of BIND's configuration: statements of words and blocks, as they stand in
// named.conf, in key files, and in what the control channel takes and prints.
//
// It is pure. What it writes is built from checked words, so no value can end its statement or begin
// another one.
package clause

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Statement is words, then perhaps a block of statements: `type primary;` or `zone "a" { type primary; };`.
// Words behind a block are in Words, too.
type Statement struct {
	Words []string
	Block []Statement // nil: none; empty: `{ }`

	text bool // the words behind the first are written in quotes, whatever they are
}

// Of is a statement of words.
func Of(words ...string) Statement { return Statement{Words: words} }

// Text is an option whose value named wants in quotes, `file "x";`.
func Text(option, value string) Statement {
	return Statement{Words: []string{option, value}, text: true}
}

// With returns the statement with a block.
func (s Statement) With(block ...Statement) Statement {
	s.Block = slices.Clip(append([]Statement{}, block...))
	return s
}

// maxDepth is far beyond what named nests.
const maxDepth = 16

// Find returns the first statement that begins with the word.
func Find(all []Statement, word string) (Statement, bool) {
	i := slices.IndexFunc(all, func(s Statement) bool { return len(s.Words) > 0 && strings.EqualFold(s.Words[0], word) })
	if i < 0 {
		return Statement{}, false
	}
	return all[i], true
}

// Value is the statement's second word, as of `file "x";`; empty when there is none.
func (s Statement) Value() string {
	if len(s.Words) < 2 {
		return ""
	}
	return s.Words[1]
}

// Render returns the statements as one line. A word that could be read as anything else than one word is
// an error; nothing is escaped, since named's readers disagree about backslashes.
func Render(all ...Statement) (string, error) {
	var b strings.Builder
	if err := render(&b, all, 0); err != nil {
		return "", err
	}
	return b.String(), nil
}

// Block returns the statements in braces, as the control channel takes a zone's configuration.
func Block(all ...Statement) (string, error) {
	s, err := Render(all...)
	if err != nil {
		return "", err
	}
	return "{ " + s + " };", nil
}

func render(b *strings.Builder, all []Statement, depth int) error {
	if depth > maxDepth {
		return errors.New("blocks are nested too deep")
	}
	for i, s := range all {
		if i > 0 {
			b.WriteByte(' ')
		}
		if len(s.Words) == 0 && s.Block == nil {
			return errors.New("a statement has no words")
		}
		for j, w := range s.Words {
			if j > 0 {
				b.WriteByte(' ')
			}
			if err := word(b, w, s.text && j > 0); err != nil {
				return err
			}
		}
		if s.Block != nil {
			b.WriteString(" { ")
			if err := render(b, s.Block, depth+1); err != nil {
				return err
			}
			b.WriteString(" }")
		}
		b.WriteByte(';')
	}
	return nil
}

// word writes one word, in quotes unless it is one of the plainest kind.
func word(b *strings.Builder, w string, quoted bool) error {
	for _, c := range []byte(w) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("%q cannot stand in a server's configuration: byte %q", w, c)
		}
	}
	if Plain(w) && !quoted {
		b.WriteString(w)
		return nil
	}
	b.WriteByte('"')
	b.WriteString(w)
	b.WriteByte('"')
	return nil
}

// Plain reports whether a word is safe without quotes: letters, digits and "._:/!-", no comment in it.
// named wants some words bare, keywords and addresses among them, and takes all others in quotes.
func Plain(w string) bool {
	if w == "" || strings.Contains(w, "//") {
		return false
	}
	for _, c := range []byte(w) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("._:/!-", c) >= 0:
		default:
			return false
		}
	}
	return true
}
