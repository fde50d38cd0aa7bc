package dialect

import (
	"bytes"
	"slices"
	"strings"

	"github.com/coredns/caddy/caddyfile"
)

// A line is a line of words inside a server block, with the lines in its braces.
type line struct {
	words []string
	inner []line
}

// A written is a server block as its words stand, without what imports put into it.
type written struct {
	keys  []string
	lines []line
}

// blocksOf reads the server blocks that stand in src itself. src has been parsed before; snippets and imports are stepped
// over.
func blocksOf(src []byte) []written {
	var all []written
	for _, l := range linesOf(src) {
		if l.inner == nil || l.words[0] == "import" || strings.HasPrefix(l.words[0], "(") {
			continue
		}
		b := written{lines: l.inner}
		for _, key := range l.words {
			b.keys = append(b.keys, trimComma(key))
		}
		all = append(all, b)
	}
	return all
}

func trimComma(key string) string {
	if n := len(key); n > 1 && key[n-1] == ',' {
		return key[:n-1]
	}
	return key
}

// linesOf reads src with CoreDNS's own lexer, which knows quotes and comments. inner is nil without braces.
func linesOf(src []byte) []line {
	var tokens []word
	for d := caddyfile.NewDispenser("Corefile", bytes.NewReader(src)); d.Next(); {
		tokens = append(tokens, word{d.Val(), d.Line()})
	}
	lines, _ := nest(tokens)
	return lines
}

type word struct {
	text string
	line int
}

// nest reads lines up to the brace that closes this level, and returns the words behind it.
func nest(tokens []word) (lines []line, rest []word) {
	fresh := true // the next word starts a line
	at := 0
	for len(tokens) > 0 {
		t := tokens[0]
		tokens = tokens[1:]
		switch {
		case t.text == "}":
			return lines, tokens
		case t.text == "{" && len(lines) > 0:
			last := &lines[len(lines)-1]
			last.inner, tokens = nest(tokens)
			if last.inner == nil {
				last.inner = []line{}
			}
			fresh = true
			continue
		case fresh || t.line != at && !continued(lines):
			lines = append(lines, line{words: []string{t.text}})
		default:
			last := &lines[len(lines)-1]
			last.words = append(last.words, t.text)
		}
		at, fresh = t.line, false
	}
	return lines, nil
}

// continued: a list of keys may go on behind a comma.
func continued(lines []line) bool {
	last := lines[len(lines)-1].words
	word := last[len(last)-1]
	return word != "" && word[len(word)-1] == ','
}

// directive is the first line with that name in the block.
func (b written) directive(name string) (line, bool) {
	i := slices.IndexFunc(b.lines, func(l line) bool { return l.words[0] == name })
	if i < 0 {
		return line{}, false
	}
	return b.lines[i], true
}
