package detect

import (
	"net/netip"
	"strings"
)

// maxBody bounds what is read of any answer, in bytes.
const maxBody = 4 << 10

// parse takes text that is one address and nothing else, for which trailing white space is forgiven. What is
// merely somewhere in a text, such as in the page of a captive portal, is not an answer.
func parse(text string, family Family) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimRight(text, " \t\r\n"))
	if err != nil {
		return netip.Addr{}, fail(NotAddress, "want one address, got %s", excerpt(text))
	}
	if err := check(a, family); err != nil {
		return netip.Addr{}, err
	}
	return a, nil
}

// excerpt quotes the beginning of a text nobody trusts.
func excerpt(text string) string {
	const most = 60
	if text == "" {
		return "nothing"
	}
	if len(text) <= most {
		return quote(text)
	}
	return quote(text[:most]) + " …"
}

// quote is strconv.Quote for ASCII: what a stranger sent may end in a log.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b.WriteByte('.')
			continue
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
	return b.String()
}
