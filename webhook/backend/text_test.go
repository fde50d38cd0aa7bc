package backend_test

import (
	"testing"
	"unicode/utf8"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestText(t *testing.T) {
	for target, want := range map[string]string{
		`plain`:            `plain`,
		``:                 ``,
		`""`:               ``,
		`"`:                `"`,
		`"quoted"`:         `quoted`,
		`"a" "b"`:          `ab`,
		`"a""b"`:           `ab`,
		`"a\"b\\c"`:        `a"b\c`,
		`"\065\200"`:       "A\xc8",
		`"\999"`:           `"\999"`,
		`"open`:            `"open`,
		`"open\"`:          `"open\"`,
		`"open\`:           `"open\`,
		`"a" b`:            `"a" b`,
		`raw \065 "inside`: `raw \065 "inside`,
		`"heritage=external-dns,external-dns/owner=me"`: `heritage=external-dns,external-dns/owner=me`,
	} {
		if got := backend.Text(target); got != want {
			t.Errorf("Text(%s) = %q, want %q", target, got, want)
		}
	}
}

func TestQuoteText(t *testing.T) {
	for text, want := range map[string]string{
		"":            `""`,
		"plain; text": `"plain; text"`,
		`a"b\c`:       `"a\"b\\c"`,
		"grüße":       `"grüße"`,
		"a\x00\tb":    `"a\000\009b"`,
		"gr\xfc\xdfe": `"gr\252\223e"`,
	} {
		if got := backend.QuoteText(text); got != want {
			t.Errorf("QuoteText(%q) = %s, want %s", text, got, want)
		}
	}
}

// Every text has a quoted form, which stands for it again and survives JSON.
func FuzzQuoteText(f *testing.F) {
	for _, s := range []string{"", `"`, `""`, "a", "\xff", `\`, `"a" "b"`, "\"\\\x00é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := backend.QuoteText(text)
		if got := backend.Text(quoted); got != text || !utf8.ValidString(quoted) {
			t.Fatalf("Text(QuoteText(%q)) = %q by way of %q", text, got, quoted)
		}
	})
}
