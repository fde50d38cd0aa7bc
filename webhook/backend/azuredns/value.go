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

// text joins the strings of a TXT record.
func text(parts []*string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(value(p))
	}
	return b.String()
}

// maxPart is the longest string of a TXT record (RFC 1035 §3.3).
const maxPart = 255

// parts cuts a text into strings of a TXT record, never inside a character: JSON has no half ones.
func parts(v string) []*string {
	var out []*string
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
