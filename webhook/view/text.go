package view

import (
	"unicode/utf8"

	"github.com/spokedns/spokedns/webhook/backend"
)

// targetOf is the inverse of backend.Text: the text itself where that is unambiguous and survives JSON,
// else the presentation form.
func targetOf(text string) string {
	if text != "" && text[0] != '"' && utf8.ValidString(text) {
		return text
	}
	return backend.QuoteText(text)
}
