package central

import (
	"fmt"
	"strings"
)

// file is a Corefile on its way.
type file struct {
	strings.Builder
	depth int
}

func (f *file) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = strings.Repeat("    ", f.depth) + text
	}
	f.WriteString(text + "\n")
}

func (f *file) lineIf(wanted bool, format string, args ...any) {
	if wanted {
		f.line(format, args...)
	}
}

func (f *file) open(format string, args ...any) {
	f.line("%s {", fmt.Sprintf(format, args...))
	f.depth++
}

func (f *file) close() {
	f.depth--
	f.line("}")
}
