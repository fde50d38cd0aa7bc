package corefile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coredns/caddy/caddyfile"
)

// prove shows with CoreDNS's lexer and parser that after differs from before in our blocks only, and that our blocks in it
// are exactly these. Neither imports nor references are carried out: both are words like others here.
func prove(before *outline, after []byte, blocks []rendered) error {
	next, err := newOutline(after, 0)
	if err != nil {
		return err
	}
	if !next.says(blocks) {
		return errors.New("our blocks would not be read back as they are written")
	}
	for _, o := range []*outline{before, next} {
		if err := o.agrees(); err != nil {
			return err
		}
	}
	if !slices.Equal(before.othersWords(), next.othersWords()) {
		return errors.New("the words outside our blocks would change")
	}
	was, err := before.othersBlocks()
	if err != nil {
		return err
	}
	is, err := next.othersBlocks()
	if err != nil {
		return err
	}
	if !slices.EqualFunc(was, is, slices.Equal[[]string]) {
		return errors.New("the blocks that are not ours would change")
	}
	return nil
}

// agrees compares our lexer with CoreDNS's on this very file.
func (o *outline) agrees() error {
	d := caddyfile.NewDispenser("", bytes.NewReader(o.src))
	for _, t := range o.tokens {
		if !d.Next() || d.Val() != t.text || d.Line() != t.line {
			return fmt.Errorf("line %d: %q is not how CoreDNS reads it", t.line, t.text)
		}
	}
	if d.Next() {
		return fmt.Errorf("line %d: CoreDNS reads %q where we see the end", d.Line(), d.Val())
	}
	return nil
}

// mine are the places of our blocks.
func (o *outline) mine() []place {
	var all []place
	for _, p := range o.places {
		if p.ours || p.marked {
			all = append(all, p)
		}
	}
	return all
}

// othersWords are the words outside our blocks; one that starts a line is told apart unless our block is before it.
func (o *outline) othersWords() []string {
	var all []string
	mine := o.mine()
	before := true // the word before was ours, or there was none
	for i, t := range o.tokens {
		ours := slices.ContainsFunc(mine, func(p place) bool { return p.start <= t.start && t.start < p.end })
		switch {
		case ours:
		case !before && t.follows(o.tokens[i-1]):
			all = append(all, " "+t.text)
		default:
			all = append(all, "\n"+t.text)
		}
		before = ours
	}
	return all
}

// othersBlocks has CoreDNS's parser read the file and returns the blocks that are not ours, as words.
func (o *outline) othersBlocks() ([][]string, error) {
	parsed, err := caddyfile.Parse("", strings.NewReader(o.inert()), nil)
	if err != nil {
		return nil, err
	}
	var others [][]string
	i := 0
	for j, s := range o.servers {
		if s.first.copied {
			continue // put there by the import of a snippet, which is not carried out
		}
		if i == len(parsed) || !slices.EqualFunc(s.keys, parsed[i].Keys, func(a, b string) bool { return inertKey(a) == b }) {
			return nil, fmt.Errorf("line %d: the block of %s is not how CoreDNS reads it", s.first.line, strings.Join(s.keys, " "))
		}
		if !o.places[j].ours && !o.places[j].marked {
			others = append(others, blockWords(parsed[i]))
		}
		i++
	}
	if i != len(parsed) {
		return nil, fmt.Errorf("CoreDNS reads %d blocks where we see %d", len(parsed), i)
	}
	return others, nil
}

func blockWords(b caddyfile.ServerBlock) []string {
	all := slices.Clone(b.Keys)
	var names []string
	for name := range b.Tokens {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		tokens := b.Tokens[name]
		for i, t := range tokens {
			all = append(all, fmt.Sprintf("%s line+%d", t.Text, t.Line-tokens[max(i-1, 0)].Line))
		}
	}
	return all
}

// inert is the file with the same words on the same lines, but with nothing left in them that a parser would act upon except
// braces, commas and the names of snippets. Imports at top level are left out.
func (o *outline) inert() string {
	var b strings.Builder
	for i, t := range o.tokens {
		word, imports := o.words[t.start]
		switch {
		case imports && word.topLevel:
			continue
		case i > 0 && t.follows(o.tokens[i-1]):
			b.WriteByte(' ')
		default:
			b.WriteByte('\n')
		}
		if imports {
			b.WriteString(codedWord(t.text))
		} else {
			b.WriteString(inertWord(t.text))
		}
	}
	return b.String()
}

// inertWord is one to one, and keeps what the parser looks at.
func inertWord(text string) string {
	switch text {
	case "{", "}":
		return text
	case "":
		return `""`
	}
	if word, comma := strings.CutSuffix(text, ","); comma {
		return inertKey(word) + ","
	}
	return inertKey(text)
}

// inertKey is the address of a block, its comma cut off. The parser looks for the parentheses of a snippet.
func inertKey(text string) string {
	inner, open := strings.CutPrefix(text, "(")
	if inner, closed := strings.CutSuffix(inner, ")"); open && closed {
		return "(" + codedWord(inner) + ")"
	}
	return codedWord(text)
}

func codedWord(text string) string { return "w" + hex.EncodeToString([]byte(text)) }
