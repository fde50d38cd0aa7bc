package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// screen is where the demo shows itself: colours and lines that are rewritten on a terminal, plain lines
// anywhere else.
type screen struct {
	io.Writer
	terminal, colour bool
}

func newScreen(out *os.File) *screen {
	fi, err := out.Stat()
	terminal := err == nil && fi.Mode()&os.ModeCharDevice != 0
	return &screen{Writer: out, terminal: terminal, colour: terminal && os.Getenv("NO_COLOR") == ""}
}

func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) bold(text string) string  { return s.paint("1", text) }
func (s *screen) dim(text string) string   { return s.paint("2", text) }
func (s *screen) red(text string) string   { return s.paint("31", text) }
func (s *screen) green(text string) string { return s.paint("32", text) }

// step is something that takes a while.
type step struct {
	what string
	do   func(context.Context) error
}

// steps shows them, one after the other.
func (s *screen) steps(ctx context.Context, all []step) error {
	for _, one := range all {
		if err := s.step(one.what, func() error { return one.do(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// step shows a line while do runs and how long it took when it is done.
func (s *screen) step(what string, do func() error) error {
	if s.terminal {
		s.printf("  %s %s", s.dim("…"), what)
	}
	began := time.Now()
	err := do()
	mark := s.green("✓")
	if err != nil {
		mark = s.red("✗")
	}
	if s.terminal {
		s.printf("\r\x1b[K")
	}
	s.printf("  %s %-66s %s\n", mark, what, s.dim(fmt.Sprintf("%5.1f s", time.Since(began).Seconds())))
	return err
}

// cell is one field of a table; colour does not count towards its width.
type cell struct {
	text  string
	paint func(string) string
}

// table prints rows under headings, each column as wide as its widest cell.
func (s *screen) table(headings []string, rows [][]cell) {
	widths := make([]int, len(headings))
	for i, h := range headings {
		widths[i] = utf8.RuneCountInString(h)
	}
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	line := func(cells []cell) {
		var b strings.Builder
		for i, c := range cells {
			text := c.text
			if c.paint != nil {
				text = c.paint(text)
			}
			b.WriteString("  " + text)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)))
			}
		}
		s.printf("%s\n", b.String())
	}
	head := make([]cell, len(headings))
	for i, h := range headings {
		head[i] = cell{h, s.bold}
	}
	line(head)
	for _, row := range rows {
		line(row)
	}
}
