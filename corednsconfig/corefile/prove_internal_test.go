package corefile

import (
	"net/netip"
	"strings"
	"testing"
)

// An edit that moves anything of the user's, or does not read back as written, is not let through.
func TestProveRefusesWhatItCannotShow(t *testing.T) {
	const src = "(s) {\n    errors\n}\n.:53 { # the default\n    import s\n    cache 30 {\n        success 1000\n    }\n    forward . 9.9.9.9\n}\nimport custom/*.server\n"
	site := Site{Port: 53, Version: Version{1, 15, 0}}
	blocks := []rendered{render(Forward{Zones: []string{"openmcp.test"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}}, site)}
	before, err := newOutline([]byte(src), 53)
	if err != nil {
		t.Fatal(err)
	}
	right := src + lines(blocks, "\n") + "\n"
	if err := prove(before, []byte(right), blocks); err != nil {
		t.Fatalf("the right edit is refused: %v", err)
	}
	for name, after := range map[string]string{
		"nothing written":           src,
		"a word changed":            strings.Replace(right, "9.9.9.9", "9.9.9.8", 1),
		"a word gone":               strings.Replace(right, "success 1000", "success", 1),
		"two lines joined":          strings.Replace(right, "import s\n", "import s ", 1),
		"two directives joined":     strings.Replace(right, "    }\n    forward", "    } forward", 1),
		"a line cut in two":         strings.Replace(right, "cache 30", "cache\n30", 1),
		"an import gone":            strings.Replace(right, "import custom/*.server\n", "", 1),
		"a snippet changed":         strings.Replace(right, "    errors\n}\n.:53", "    log\n}\n.:53", 1),
		"a quote opened":            strings.Replace(right, "# the default", `"`, 1),
		"a comment swallows a line": strings.Replace(right, "# the default\n", "# the default ", 1),
		"our block is swallowed":    strings.Replace(right, "9.9.9.9\n}\nimport custom/*.server\n", "9.9.9.9\nimport custom/*.server\n", 1) + "}\n",
		"our block changed":         strings.Replace(right, "max_fails 2", "max_fails 3", 1),
		"our block twice":           right + lines(blocks, "\n") + "\n",
		"another block of ours":     right + lines([]rendered{render(Forward{Zones: []string{"x.test"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}}, site)}, "\n"),
		"a block of somebody's":     right + "x.test {\n    whoami\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := prove(before, []byte(after), blocks); err == nil {
				t.Errorf("proved:\n%s", after)
			}
		})
	}
}

// Our lexer splits as CoreDNS's does; FuzzParse looks further.
func TestLex(t *testing.T) {
	src := "\uFEFFa \"b c\" d#e f\r\n# g\n\"h\\\"i\\j\" k\rl \"m\nn\" o \"\" \xff \"open"
	o := &outline{src: []byte(src), tokens: lex("", []byte(src))}
	if err := o.agrees(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, tok := range o.tokens {
		got = append(got, tok.text+"|"+src[tok.start:tok.end])
	}
	want := []string{
		"a|a", "b c|\"b c\"", "d|d", "f|f", "h\"i\\j|\"h\\\"i\\j\"", "kl|k\rl", "m\nn|\"m\nn\"", "o|o", "|\"\"", "\uFFFD|\xff", "open|\"open",
	}
	if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
		t.Errorf("tokens are %q, want %q", got, want)
	}
}
