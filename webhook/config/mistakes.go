package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/spokedns/spokedns/webhook/setting"
)

// Mistake is one wrong setting of a configuration file.
type Mistake struct {
	Setting      *setting.Error
	File         string
	Line, Column int    // from 1; 0 when the file has no place for it
	Excerpt      string // the line and its neighbours, with a mark below the place
}

// Error reads `config.yaml:12:9: views[0].zones[1]: "-": want a domain name`.
func (m *Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Setting.Error()
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Setting.Error())
}

// Unwrap returns the *setting.Error.
func (m *Mistake) Unwrap() error { return m.Setting }

// Mistakes is everything that is wrong with a configuration, in the order of the file.
type Mistakes []*Mistake

// Error has one line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes one by one.
func (m Mistakes) Unwrap() []error {
	out := make([]error, len(m))
	for i, one := range m {
		out[i] = one
	}
	return out
}

// Explain describes err for a person at a terminal: each mistake with the lines of the file it is in.
func Explain(err error) string {
	var all Mistakes
	if !errors.As(err, &all) {
		return err.Error()
	}
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "%s\n%s\n", m.Error(), m.Excerpt)
	}
	if n := len(all); n > 1 {
		fmt.Fprintf(&b, "%d mistakes\n", n)
	}
	return strings.TrimRight(b.String(), "\n")
}

// wrong is a mistake found while decoding.
type wrong struct {
	pos         *token.Position
	field       string
	value, want string
}

// mistakes merges what decoding and validation found. A validation error about something that could
// not even be decoded is left out: it would only repeat the mistake in other words.
func (d *decoder) mistakes(name string, src []byte, invalid error) error {
	lines := strings.Split(strings.TrimRight(d.conceal(string(src)), "\n"), "\n")
	var out Mistakes
	add := func(pos *token.Position, e *setting.Error) {
		if isSecret(e.Field[strings.LastIndexByte(e.Field, '.')+1:]) && e.Value != "" {
			e = &setting.Error{Field: e.Field, Value: Redacted, Want: e.Want}
		}
		m := &Mistake{Setting: e, File: name}
		if pos != nil {
			m.Line, m.Column, m.Excerpt = pos.Line, pos.Column, excerpt(lines, pos.Line, pos.Column)
		}
		out = append(out, m)
	}
	for _, w := range d.wrong {
		add(w.pos, &setting.Error{Field: w.field, Value: w.value, Want: w.want})
	}
	for _, e := range settingErrors(invalid) {
		known := func(w wrong) bool { return within(e.Field, w.field) || within(w.field, e.Field) }
		if !slices.ContainsFunc(d.wrong, known) && !slices.Contains(d.meant, e.Field) {
			add(d.at(e.Field), e)
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortStableFunc(out, func(a, b *Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

// at finds the place of a field, or of the nearest thing around it.
func (d *decoder) at(field string) *token.Position {
	for field != "" {
		if pos := d.places[field]; pos != nil {
			return pos
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return nil
}

// within reports whether a field is the outer one or lies below it.
func within(field, outer string) bool {
	rest, ok := strings.CutPrefix(field, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// settingErrors lists every *setting.Error in err's tree; anything else becomes one without a field.
func settingErrors(err error) []*setting.Error {
	switch e := err.(type) { //nolint:errorlint // the tree is walked node by node
	case nil:
		return nil
	case *setting.Error:
		return []*setting.Error{e}
	case interface{ Unwrap() []error }:
		var out []*setting.Error
		for _, sub := range e.Unwrap() {
			out = append(out, settingErrors(sub)...)
		}
		return out
	}
	var e *setting.Error
	if errors.As(err, &e) {
		return []*setting.Error{e}
	}
	return []*setting.Error{{Want: err.Error()}}
}

// excerpt shows a line between its neighbours, with a mark below the column.
func excerpt(lines []string, line, column int) string {
	var b strings.Builder
	for n := max(1, line-2); n <= min(line+1, len(lines)); n++ {
		mark := ' '
		if n == line {
			mark = '>'
		}
		fmt.Fprintf(&b, "%c %4d | %s\n", mark, n, strings.TrimRight(lines[n-1], "\r"))
		if n == line {
			fmt.Fprintf(&b, "       | %s^\n", strings.Repeat(" ", max(0, column-1)))
		}
	}
	return b.String()
}
