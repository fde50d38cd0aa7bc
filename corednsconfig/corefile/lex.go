package corefile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one word of a Corefile, with its place.
type token struct {
	text string
	// file is the absolute path of the imported file; empty: the Corefile itself.
	file string
	// line counts from 1, and is that of the first byte.
	line int
	// start and end are the token's bytes in its file, quotes included.
	start, end int
	// copied is true of a token that an import of a snippet has put somewhere else.
	copied bool
}

func (t token) breaks() int { return strings.Count(t.text, "\n") }

// follows reports whether t stands on the line on which before ends. That is all that CoreDNS's grammar knows of lines.
func (t token) follows(before token) bool {
	return before.file == t.file && before.line+before.breaks() >= t.line
}

const byteOrderMark = "\uFEFF"

// lex splits src as CoreDNS's lexer does, oddities included: a carriage return vanishes even inside a word, a # ends a word
// and the rest of that word only (the comment runs on to the end of the line only if it starts a word), and a quote that is
// never closed reaches to the end of the file.
func lex(file string, src []byte) []token {
	var tokens []token
	at, line := 0, 1
	if strings.HasPrefix(string(src[:min(len(src), len(byteOrderMark))]), byteOrderMark) {
		at = len(byteOrderMark)
	}
	for at < len(src) {
		r, size := utf8.DecodeRune(src[at:])
		switch {
		case r == '\n':
			line++
			at++
		case unicode.IsSpace(r):
			at += size
		case r == '#':
			for at < len(src) && src[at] != '\n' {
				at++
			}
		case r == '"':
			t, next, ok := lexQuoted(src, at)
			if !ok {
				return tokens
			}
			t.file, t.line = file, line
			line += t.breaks()
			tokens = append(tokens, t)
			at = next
		default:
			t, next := lexWord(src, at)
			t.file, t.line = file, line
			tokens = append(tokens, t)
			at = next
		}
	}
	return tokens
}

// lexQuoted reads the quoted token at src[at:]. A lone opening quote at the end of the file is no token.
func lexQuoted(src []byte, at int) (t token, next int, ok bool) {
	var text strings.Builder
	escaped := false
	start := at
	at++
	for at < len(src) {
		r, size := utf8.DecodeRune(src[at:])
		at += size
		switch {
		case !escaped && r == '\\':
			escaped = true
			continue
		case !escaped && r == '"':
			return token{text: text.String(), start: start, end: at}, at, true
		case escaped && r != '"':
			text.WriteByte('\\')
		}
		escaped = false
		text.WriteRune(r)
	}
	return token{text: text.String(), start: start, end: at}, at, text.Len() > 0
}

// lexWord reads the bare token at src[at:]; next is the white space that ended it.
func lexWord(src []byte, at int) (t token, next int) {
	var text strings.Builder
	t.start, t.end = at, at
	comment := false
	for at < len(src) {
		r, size := utf8.DecodeRune(src[at:])
		if r != '\r' && unicode.IsSpace(r) {
			break
		}
		at += size
		if r == '#' {
			comment = true
		}
		if !comment && r != '\r' {
			text.WriteRune(r)
			t.end = at
		}
	}
	t.text = text.String()
	return t, at
}

// quote writes text so that lex reads it as one token.
func quote(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '#' || r == '"' }) {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}
