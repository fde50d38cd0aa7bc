package azuredns

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spokedns/spokedns/webhook/backend"
)

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func ttl(r backend.RRset) *int64 {
	n := int64(r.TTL / time.Second)
	return &n
}

// numbersAndHost is the text of a value that begins with numbers: "10 mail.example.org".
func numbersAndHost(host string, numbers ...*int32) string {
	var b strings.Builder
	for _, n := range numbers {
		b.WriteString(strconv.Itoa(int(value(n))) + " ")
	}
	if host == "" {
		host = "." // the root, RFC 7505 and RFC 2782
	}
	b.WriteString(host)
	return b.String()
}

// numbers takes such a text, in canonical form, apart. Of other texts it returns nothing of use.
func numbers(v string) (numbers []*int32, host string) {
	fields := strings.Fields(v)
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil || i == len(fields)-1 {
			return numbers, fields[i]
		}
		number := int32(n)
		numbers = append(numbers, &number)
	}
	return numbers, ""
}

// text joins the strings of a TXT record. external-dns's own Azure provider stores its ownership texts in
// quotes, which are not of the text; ours, if ever quotes are, have them in a string of their own (see parts).
func text(parts []*string) string {
	if len(parts) == 1 {
		if inner, ok := unquoted(value(parts[0])); ok {
			return inner
		}
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(value(p))
	}
	return b.String()
}

// unquoted takes the quotes off a text that has some around it and none inside.
func unquoted(v string) (inner string, ok bool) {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' || strings.ContainsAny(v[1:len(v)-1], `"\`) {
		return v, false
	}
	return v[1 : len(v)-1], true
}

// maxPart is the longest string of a TXT record (RFC 1035 §3.3).
const maxPart = 255

// parts cuts a text into strings of a TXT record, never inside a character: JSON has no half ones. A text
// that has quotes of its own around it is cut behind the first, so that it is not taken for one of
// external-dns's Azure provider; in DNS it is the same text.
func parts(v string) []*string {
	var out []*string
	if _, quoted := unquoted(v); quoted {
		quote := v[:1]
		out = append(out, &quote)
		v = v[1:]
	}
	for len(v) > maxPart {
		cut := maxPart
		for cut > maxPart-utf8.UTFMax && !utf8.RuneStart(v[cut]) {
			cut--
		}
		part := v[:cut]
		out = append(out, &part)
		v = v[cut:]
	}
	return append(out, &v)
}
