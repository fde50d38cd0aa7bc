package rfc2136_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// history is a zone with the records of each of its versions; the serial of a version is its index + 1.
type history []map[string]bool

func (h history) soa(version int) string { return fmt.Sprintf("SOA %d", version+1) }

// full is the last version as a full transfer.
func (h history) full() []string {
	last := len(h) - 1
	return slices.Concat([]string{h.soa(last)}, slices.Sorted(maps.Keys(h[last])), []string{h.soa(last)})
}

// since is what changed since a version, as RFC 1995 has it: each step, or all in one.
func (h history) since(version int, condensed bool) []string {
	last := len(h) - 1
	out := []string{h.soa(last)}
	for from := version; from < last; {
		to := from + 1
		if condensed {
			to = last
		}
		out = append(append(out, h.soa(from)), missing(h[from], h[to])...)
		out = append(append(out, h.soa(to)), missing(h[to], h[from])...)
		from = to
	}
	return append(out, h.soa(last))
}

func missing(from, in map[string]bool) []string {
	var out []string
	for line := range from {
		if !in[line] {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// pieces cuts a transfer into messages.
func pieces(rt *rapid.T, lines []string) transfers {
	var out transfers
	for len(lines) > 0 {
		n := rapid.IntRange(1, len(lines)).Draw(rt, "message")
		out, lines = append(out, lines[:n]), lines[n:]
	}
	return out
}

func TestListIsTheZoneWhateverItsHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// One TTL for each name and type, as servers have it.
		record := rapid.Custom(func(rt *rapid.T) string {
			name := rapid.IntRange(0, 4).Draw(rt, "name")
			if rapid.Bool().Draw(rt, "text") {
				return fmt.Sprintf(`n%d 60 TXT "%d"`, name, rapid.IntRange(0, 3).Draw(rt, "value"))
			}
			return fmt.Sprintf("n%d 60 A 192.0.2.%d", name, rapid.IntRange(0, 3).Draw(rt, "value"))
		})
		var h history
		f := startFake(t, func(q *dns.Msg) []*dns.Msg {
			switch q.Question[0].Qtype {
			case dns.TypeSOA:
				return []*dns.Msg{message(t, q, h.soa(len(h)-1))}
			case dns.TypeIXFR:
				from := int(q.Ns[0].(*dns.SOA).Serial) - 1
				switch rapid.IntRange(0, 3).Draw(rt, "answer") {
				case 0:
					return rcode(q, dns.RcodeRefused)
				case 1:
					return pieces(rt, h.full()).to(t, q)
				case 2:
					return pieces(rt, h.since(from, true)).to(t, q)
				}
				return pieces(rt, h.since(from, false)).to(t, q)
			}
			return pieces(rt, h.full()).to(t, q)
		})
		b, err := rfc2136.New(rfc2136.Config{Servers: []string{f.addr}, Timeout: 5 * time.Second})
		if err != nil {
			rt.Fatal(err)
		}
		defer b.Close()
		for range rapid.IntRange(1, 6).Draw(rt, "lists") {
			for range rapid.IntRange(0, 3).Draw(rt, "versions") {
				h = append(h, map[string]bool{})
				for _, line := range rapid.SliceOfN(record, 0, 12).Draw(rt, "zone") {
					h[len(h)-1][line] = true
				}
			}
			if len(h) == 0 {
				continue
			}
			sets, err := b.List(t.Context(), zone)
			if err != nil {
				rt.Fatal(err)
			}
			listed := 0
			for _, r := range sets {
				for _, v := range r.Values {
					line := fmt.Sprintf("%s 60 A %s", r.Name[:2], v)
					if r.Type == "TXT" {
						line = fmt.Sprintf(`%s 60 TXT "%s"`, r.Name[:2], v)
					}
					if listed++; !h[len(h)-1][line] {
						rt.Fatalf("%q is listed, the zone is %v", line, h[len(h)-1])
					}
				}
				if !slices.IsSorted(r.Values) || len(r.Values) == 0 {
					rt.Fatalf("%s has the values %q", r.Key, r.Values)
				}
			}
			if listed != len(h[len(h)-1]) {
				rt.Fatalf("%d records are listed, the zone is %v", listed, h[len(h)-1])
			}
		}
	})
}
