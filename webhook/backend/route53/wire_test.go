package route53_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

// recordSet is an RRset as another writer of the zone would write it.
func recordSet(r backend.RRset) route53test.RecordSet {
	out := route53test.RecordSet{Name: r.Name, Type: r.Type, SetIdentifier: r.SetID, TTL: aws.Int64(int64(r.TTL / time.Second))}
	for _, v := range r.Values {
		if r.Type == "TXT" {
			v = quoted(v)
		}
		out.Values = append(out.Values, v)
	}
	return out
}

// quoted is a text in strings, with an escape for every byte that is no letter or digit.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, c := range []byte(text) {
		if i > 0 && i%255 == 0 {
			b.WriteString(`" "`)
		}
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,/ -", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unquoted is the text of strings; Go's escapes are those of Route 53 as far as the backend may use them.
func unquoted(t *testing.T, v string) string {
	t.Helper()
	var b strings.Builder
	for v != "" {
		q, err := strconv.QuotedPrefix(v)
		if err != nil {
			t.Fatalf("%.80q is no list of strings: %v", v, err)
		}
		s, err := strconv.Unquote(q)
		if err != nil || len(s) > 255 {
			t.Fatalf("%.80q is no string: %v", q, err)
		}
		b.WriteString(s)
		v = strings.TrimLeft(v[len(q):], " ")
	}
	return b.String()
}

// escaped is a name in the form of the service.
func escaped(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789-_.", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String() + "."
}

// answers are record sets by name. A name that is there only because others are below it has none.
type answers map[string][]route53test.RecordSet

func answersOf(sets []route53test.RecordSet) answers {
	at := answers{}
	for _, s := range sets {
		at[s.Name] = append(at[s.Name], s)
		for name, ok := s.Name, true; ok; {
			if _, name, ok = strings.Cut(name, "."); ok && at[name] == nil {
				at[name] = nil
			}
		}
	}
	return at
}

// find is the record set that answers for a name: its own, or that of the wildcard at its closest encloser
// (RFC 4592 §2.2.1).
func (at answers) find(name, typ, id string) (route53test.RecordSet, bool) {
	source := name
	if _, exists := at[name]; !exists {
		for ok := true; ok && !exists; {
			if _, name, ok = strings.Cut(name, "."); ok {
				_, exists = at[name]
			}
		}
		source = `\052.` + name
	}
	i := slices.IndexFunc(at[source], func(s route53test.RecordSet) bool { return s.Type == typ && s.SetIdentifier == id })
	if i < 0 {
		return route53test.RecordSet{}, false
	}
	return at[source][i], true
}

// verify requires that the server holds exactly the values of each RRset.
func verify(t *testing.T, sets []route53test.RecordSet, want []backend.RRset) {
	t.Helper()
	at := answersOf(sets)
	for _, w := range want {
		s, ok := at.find(escaped(w.Name), w.Type, w.SetID)
		if len(w.Values) == 0 {
			if ok {
				t.Errorf("%s is there as %q", w.Key, s.Values)
			}
			continue
		}
		got := slices.Clone(s.Values)
		for i, v := range got {
			switch w.Type {
			case "TXT":
				got[i] = unquoted(t, v)
			case "CNAME", "NS", "PTR", "MX", "SRV", "NAPTR":
				if !strings.HasSuffix(v, " .") {
					got[i] = strings.TrimSuffix(v, ".")
				}
			}
		}
		if s.AliasTarget != nil {
			got = []string{strings.TrimSuffix(s.AliasTarget.DNSName, ".")}
		} else if s.TTL == nil || time.Duration(*s.TTL)*time.Second != w.TTL && w.TTL != 0 {
			t.Errorf("%s has TTL %v, want %s", w.Key, s.TTL, w.TTL)
		}
		slices.Sort(got)
		if !slices.Equal(got, w.Values) {
			t.Errorf("%s is %.200q, want %.200q", w.Key, got, w.Values)
		}
	}
}
