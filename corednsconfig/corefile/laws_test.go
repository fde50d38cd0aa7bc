package corefile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// layout draws Corefiles that people could have written: any white space, comments, quotes, line ends, braces or none.
type layout struct {
	*rapid.T
	eol string
	b   strings.Builder
}

func (l *layout) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(l.T, label)
}

func (l *layout) endLine() {
	l.b.WriteString(l.pick("tail", "", "", "", " ", "\t", " # comment { with } braces", " #", "\r"))
	l.b.WriteString(l.eol)
	for range rapid.IntRange(0, 2).Draw(l.T, "filler") {
		l.b.WriteString(l.pick("filler line", "", "  ", "\t# note \"unclosed", "# spokedns: a note", "#") + l.eol)
	}
}

func (l *layout) words(words ...string) {
	for i, w := range words {
		if i > 0 {
			l.b.WriteString(l.pick("gap", " ", "  ", "\t", " \r "))
		}
		if w != "{" && !strings.Contains(w, `"`) && rapid.IntRange(0, 5).Draw(l.T, "quoted") == 0 {
			w = `"` + w + `"`
		}
		l.b.WriteString(w)
	}
}

func (l *layout) directives(depth int) {
	for range rapid.IntRange(0, 4).Draw(l.T, "directives") {
		l.b.WriteString(strings.Repeat(l.pick("indent", "    ", "\t", ""), depth))
		directive := l.pick("directive", "errors", "cache 30", "forward . 9.9.9.9", "log . x", "hosts", "import common", "import custom/*.override",
			"{$EXTRA}", "template ANY ANY", `log . "a # b {"`, "log \"two\nlines\"", "reload", "bind 10.0.0.1")
		l.words(directive)
		if !strings.HasPrefix(directive, "import") && depth < 3 && rapid.IntRange(0, 3).Draw(l.T, "deeper") == 0 {
			l.b.WriteString(" {")
			l.endLine()
			l.directives(depth + 1)
			l.b.WriteString("}")
		}
		l.endLine()
	}
}

func (l *layout) file() []byte {
	l.eol = l.pick("line end", "\n", "\n", "\r\n")
	l.b.WriteString(l.pick("start", "", "", "\uFEFF", "# head"+l.eol, l.eol))
	if rapid.Bool().Draw(l.T, "snippet") {
		l.b.WriteString("(common) {" + l.eol + "    errors" + l.eol + "}" + l.eol)
	} else {
		l.b.WriteString("(common) { }" + l.eol)
	}
	blocks := rapid.IntRange(0, 4).Draw(l.T, "blocks")
	for range blocks {
		switch rapid.IntRange(0, 6).Draw(l.T, "kind") {
		case 0:
			l.b.WriteString(l.pick("import", "import custom/*.server", "import /etc/other"))
			l.endLine()
		default:
			l.words(l.pick("zones", ".", ".:53", "corp.example", "A.example. b.example", "a.example, b.example", "10.0.0.0/24", "tls://.", "{$ZONE}:53", "dns://c.example:5353"), "{")
			l.endLine()
			l.directives(1)
			l.b.WriteString("}")
			l.endLine()
		}
	}
	if rapid.IntRange(0, 4).Draw(l.T, "bare server") == 0 {
		l.words("last.example:53")
		l.b.WriteString(l.eol)
		l.directives(0)
	}
	src := l.b.String()
	if rapid.Bool().Draw(l.T, "cut the last line end") {
		src = strings.TrimSuffix(src, l.eol)
	}
	return []byte(src)
}

func drawWant(t *rapid.T) []corefile.Forward {
	var want []corefile.Forward
	for i, zone := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"openmcp.test", "z.test", "deep.z.test", "0.168.192.in-addr.arpa"}), 1, 4, rapid.ID).Draw(t, "zones") {
		addrs := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "2001:db8::53"}), 1, 3, rapid.ID).Draw(t, "upstreams")
		want = append(want, forward(zone, addrs...))
		if i > 0 && rapid.Bool().Draw(t, "share") {
			want[i].Upstreams = want[0].Upstreams
		}
	}
	return want
}

func drawSite(t *rapid.T) corefile.Site {
	return corefile.Site{
		Port:       rapid.SampledFrom([]int{53, 8053}).Draw(t, "port"),
		Bind:       rapid.SampledFrom([][]string{nil, {"10.96.0.10"}, {"lo", "{$POD_IP}"}}).Draw(t, "bind"),
		Prometheus: rapid.SampledFrom([]string{"", ":9153", "{$POD_IP}:9153"}).Draw(t, "prometheus"),
		Version:    rapid.SampledFrom([]corefile.Version{{}, {Major: 1, Minor: 6, Patch: 6}, {Major: 1, Minor: 9, Patch: 2}, {Major: 1, Minor: 12, Patch: 1}, {Major: 1, Minor: 15}}).Draw(t, "version"),
	}
}

// Edit(Edit(x,w),w) = Edit(x,w), Edit(Edit(x,w),∅) = x, and whatever edits come between do not matter.
func TestEditLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := (&layout{T: t}).file()
		site := drawSite(t)
		at := src
		for range rapid.IntRange(1, 3).Draw(t, "edits") {
			want := drawWant(t)
			next, err := corefile.Edit(at, want, site)
			if err != nil {
				t.Fatalf("Edit: %v\n%q", err, at)
			}
			again, err := corefile.Edit(next, want, site)
			if err != nil || !bytes.Equal(again, next) {
				t.Fatalf("a second Edit changes the file (%v): %s", err, cmp.Diff(string(next), string(again)))
			}
			at = next
			site = drawSite(t)
			site.Port = 53
		}
		back, err := corefile.Edit(at, nil, site)
		if err != nil || !bytes.Equal(back, src) {
			t.Fatalf("taken back is not untouched (%v): %s", err, cmp.Diff(string(src), string(back)))
		}
	})
}

// With files to import and variables to replace, CoreDNS's parser and ours read the same, to the last line number.
func TestParseAgreesWithCoreDNS(t *testing.T) {
	t.Setenv("EXTRA", "log")
	t.Setenv("ZONE", "from-env.example")
	env := map[string]string{"EXTRA": "log", "ZONE": "from-env.example"}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "custom"), 0o755); err != nil {
			rt.Fatal(err)
		}
		imports := map[string][]byte{}
		put := func(name string, data []byte) {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				rt.Fatal(err)
			}
			imports[path] = data
		}
		put("custom/y", []byte("log y\n"))
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"custom/a.override", "custom/b.override", "custom/b-2.override", "custom/x"}), rapid.ID).Draw(rt, "overrides") {
			l := &layout{T: rt, eol: "\n"}
			l.directives(1)
			put(name, []byte(strings.ReplaceAll(l.b.String(), "import custom/*.override", "import y")))
		}
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"custom/a.server", "custom/b.server"}), rapid.ID).Draw(rt, "servers") {
			file := (&layout{T: rt}).file()
			put(name, bytes.ReplaceAll(file, []byte("import custom/*.server"), []byte("import *.override")))
		}
		src := (&layout{T: rt}).file()
		src = bytes.ReplaceAll(src, []byte("/etc/other"), []byte(filepath.Join(dir, "custom", "x")))
		path := filepath.Join(dir, "Corefile")
		compare(rt, src, path, corefile.Process{Path: path, Imports: imports, Env: env})
	})
}
