package clause_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []clause.Statement
	}{
		{"nothing", " \n", []clause.Statement{}},
		{"words", "type primary;", []clause.Statement{clause.Of("type", "primary")}},
		{"quotes", `file "a b;{}#//.db";`, []clause.Statement{clause.Of("file", "a b;{}#//.db")}},
		{"an escaped quote", `file "a\"b";`, []clause.Statement{clause.Of("file", `a"b`)}},
		{"comments", "# a\n// b;\n/* c; */ type /* d */ primary; # e", []clause.Statement{clause.Of("type", "primary")}},
		{"a comment ends a word", "type primary//x\n;", []clause.Statement{clause.Of("type", "primary")}},
		{"a block", `zone "a" { acl { 10.0.0.0/8; !key "k"; }; };`, []clause.Statement{
			clause.Of("zone", "a").With(clause.Of("acl").With(clause.Of("10.0.0.0/8"), clause.Of("!key", "k"))),
		}},
		{"an empty block", "a { };", []clause.Statement{clause.Of("a").With()}},
		{"words behind a block", "primaries { a; } tls x;", []clause.Statement{clause.Of("primaries", "tls", "x").With(clause.Of("a"))}},
		{"no word but a block", "{ type primary; };", []clause.Statement{clause.Of().With(clause.Of("type", "primary"))}},
		{"too many semicolons", ";;a;;", []clause.Statement{clause.Of("a")}},
	} {
		got, err := clause.Parse(tt.text)
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(clause.Statement{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
	for _, text := range []string{"a", "a {", "a };", "}", `"a`, "\"a\n\";", "/* a", "a {} {};", strings.Repeat("a {", 1000)} {
		if got, err := clause.Parse(text); err == nil {
			t.Errorf("Parse(%.20q) = %v; want an error", text, got)
		}
	}
}

func TestRender(t *testing.T) {
	for _, tt := range []struct {
		want string
		all  []clause.Statement
	}{
		{"type primary;", []clause.Statement{clause.Of("type", "primary")}},
		{`file "a.db"; allow-update { key k; };`, []clause.Statement{clause.Text("file", "a.db"), clause.Of("allow-update").With(clause.Of("key", "k"))}},
		{`key "a key";`, []clause.Statement{clause.Of("key", "a key")}},
		{`key "a//b" "";`, []clause.Statement{clause.Of("key", "a//b", "")}},
	} {
		if got, err := clause.Render(tt.all...); got != tt.want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, tt.want)
		}
	}
	for _, w := range []string{`a"b`, `a\`, "a\nb", "a\x00", "ä"} {
		if got, err := clause.Render(clause.Of("file", w)); err == nil {
			t.Errorf("%q becomes %q; want an error", w, got)
		}
	}
}

// TestSame pairs statements that named prints in its own order with what was set.
func TestSame(t *testing.T) {
	parse := func(s string) []clause.Statement {
		all, err := clause.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	const base = `type primary; file "a"; allow-transfer { 10.0.0.0/8; !key "k"; };`
	for _, tt := range []struct {
		other string
		want  bool
	}{
		{`allow-transfer { 10.0.0.0/8; !key k; }; file "a"; TYPE primary;`, true},
		{`allow-transfer { !key "k"; 10.0.0.0/8; }; file "a"; type primary;`, false}, // the first match counts
		{`type primary; file "b"; allow-transfer { 10.0.0.0/8; !key "k"; };`, false},
		{`type primary; file "a"; allow-transfer { 10.0.0.0/8; };`, false},
		{base + " notify no;", false},
		{`type primary; file "a";`, false},
	} {
		if got := clause.Same(parse(base), parse(tt.other)); got != tt.want {
			t.Errorf("%q: %t, want %t", tt.other, got, tt.want)
		}
	}
}

// TestRoundTrip writes and reads statements of any words.
func TestRoundTrip(t *testing.T) {
	word := rapid.StringMatching(`[ -!#-\[\]-~]{0,12}`)
	var statement func(depth int) *rapid.Generator[clause.Statement]
	statement = func(depth int) *rapid.Generator[clause.Statement] {
		return rapid.Custom(func(r *rapid.T) clause.Statement {
			s := clause.Of(rapid.SliceOfN(word, 1, 4).Draw(r, "words")...)
			if depth > 0 && rapid.Bool().Draw(r, "block") {
				s = s.With(rapid.SliceOfN(statement(depth-1), 0, 3).Draw(r, "statements")...)
			}
			return s
		})
	}
	rapid.Check(t, func(r *rapid.T) {
		all := rapid.SliceOfN(statement(3), 0, 4).Draw(r, "all")
		text, err := clause.Render(all...)
		if err != nil {
			r.Fatal(err)
		}
		got, err := clause.Parse(text)
		if diff := cmp.Diff(all, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(clause.Statement{})); err != nil || diff != "" {
			r.Fatalf("%q: %v\n%s", text, err, diff)
		}
	})
}

// FuzzNoWordBecomesAStatement renders what anybody may write into an object's field: read again, it is the one
// word it was.
func FuzzNoWordBecomesAStatement(f *testing.F) {
	for _, s := range []string{"example.org", `"; }; zone "x" { type primary; };`, "a b", "a;b", "/* a", "# b", "a//b", "{", "\\", "\n", "a\x00"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text, err := clause.Block(clause.Of("option", a), clause.Text("file", b))
		if err != nil {
			return
		}
		all, err := clause.Parse(text)
		if err != nil || len(all) != 1 || len(all[0].Block) != 2 {
			t.Fatalf("%q is read as %v, %v", text, all, err)
		}
		for i, want := range [][]string{{"option", a}, {"file", b}} {
			if s := all[0].Block[i]; !slices.Equal(s.Words, want) || s.Block != nil {
				t.Errorf("%q is read as %v", text, all)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };`)
	f.Add("a /* b */ { c; } d; # e")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := clause.Parse(text)
		if err != nil {
			return
		}
		again, err := clause.Render(all...)
		if err != nil {
			return // bytes that are read but never written
		}
		if got, err := clause.Parse(again); err != nil || !clause.Same(all, got) {
			t.Errorf("%q becomes %q, which is %v, %v", text, again, got, err)
		}
	})
}
