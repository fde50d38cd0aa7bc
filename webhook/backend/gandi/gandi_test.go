package gandi_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
)

// fast is a pace that no test notices.
const fast = 60_000_000

func TestConformance(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness("zone.example", "other.example", ganditest.Options{Domains: []string{"zone.example", "other.example"}}))
}

// Zones below domains, pages of twenty records whatever is asked for, and the other answer about a name
// that has nothing.
func TestConformanceBelowADomain(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, harness("home.zone.example", "a.b.other.example", ganditest.Options{
		Domains: []string{"zone.example", "other.example"}, PerPage: 20, MaxPerPage: 20, MissingName: true,
	}))
}

func harness(zone, other string, o ganditest.Options) backendtest.Harness {
	return backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			s := served(t, o)
			return backendtest.Subject{
				Backend: opened(t, s, gandi.Config{}),
				Zone:    zone,
				Other:   other,
				Verify:  func(t *testing.T, zone string, want []backend.RRset) { verify(t, s, domainOf(zone), want) },
				Put: func(_ *testing.T, zone string, r backend.RRset) {
					s.Put(domainOf(zone), shown(domainOf(zone), r))
				},
				Remove: func(_ *testing.T, zone string, k backend.Key) {
					s.Remove(domainOf(zone), label(domainOf(zone), k.Name), k.Type)
				},
				Reopen: func(t *testing.T) backend.Backend { return opened(t, s, gandi.Config{}) },
			}
		},
	}
}

// domainOf is the last two labels of a zone.
func domainOf(zone string) string {
	labels := strings.Split(zone, ".")
	return strings.Join(labels[len(labels)-2:], ".")
}

func served(t *testing.T, o ganditest.Options) *ganditest.Server {
	t.Helper()
	s, err := ganditest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// opened is a backend on the server, with all rights unless c says otherwise.
func opened(t *testing.T, s *ganditest.Server, c gandi.Config) *gandi.Backend {
	t.Helper()
	if c.Endpoint == "" {
		c.Endpoint = s.URL()
	}
	if c.RequestsPerMinute == 0 {
		c.RequestsPerMinute = fast
	}
	if c.APIKey == "" && c.PersonalAccessToken == "" && c.PersonalAccessTokenFile == "" && c.APIKeyFile == "" {
		c.PersonalAccessToken = ganditest.Token
	}
	b, err := gandi.New(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func label(domain, name string) string {
	if name == domain {
		return "@"
	}
	return strings.TrimSuffix(name, "."+domain)
}

// shown is an RRset as others may have entered it: names relative where they can be, text in short
// strings with every unusual byte escaped.
func shown(domain string, r backend.RRset) ganditest.Record {
	out := ganditest.Record{Name: label(domain, r.Name), Type: r.Type, TTL: int(r.TTL / time.Second)}
	for _, v := range r.Values {
		switch r.Type {
		case "CNAME", "MX", "NS", "PTR", "SRV", "NAPTR":
			cut := strings.LastIndexByte(v, ' ') + 1
			switch host := v[cut:]; {
			case host == ".":
			case strings.HasSuffix(host, "."+domain):
				v = v[:cut] + label(domain, host)
			default:
				v += "."
			}
		case "TXT":
			var b strings.Builder
			for part := range slices.Chunk([]byte(v), 100) {
				b.WriteString(` "`)
				for _, c := range part {
					if 'a' <= c && c <= 'z' || c >= 0x80 && len(part) == len(v) {
						b.WriteByte(c)
					} else {
						fmt.Fprintf(&b, `\%03d`, c)
					}
				}
				b.WriteString(`"`)
			}
			v = strings.TrimPrefix(b.String(), " ")
			if v == "" {
				v = `""`
			}
		}
		out.Values = append(out.Values, v)
	}
	return out
}

// verify answers for the domain as a name server would (RFC 1034 §4.3.2), and compares.
func verify(t *testing.T, s *ganditest.Server, domain string, want []backend.RRset) {
	t.Helper()
	zone := map[string]map[string][]string{} // name → type → canonical values
	exists := map[string]bool{}
	for _, r := range s.Records(domain) {
		name := r.Name + "." + domain
		if r.Name == "@" {
			name = domain
		}
		if zone[name] == nil {
			zone[name] = map[string][]string{}
		}
		zone[name][r.Type] = canonical(t, domain, r)
		for n := name; n != domain; _, n, _ = strings.Cut(n, ".") {
			exists[n] = true
		}
	}
	for _, w := range want {
		name := w.Name
		for n := name; !exists[n] && n != domain && strings.Contains(n, "."); {
			_, n, _ = strings.Cut(n, ".")
			if exists["*."+n] {
				name = "*." + n
			}
			if exists[n] || exists["*."+n] {
				break
			}
		}
		got := zone[name][w.Type]
		if diff := cmp.Diff(slices.Sorted(slices.Values(w.Values)), got); diff != "" {
			t.Errorf("%s is not answered as wanted (-want +got):\n%.2000s", w.Key, diff)
		}
	}
}

// canonical reads the values of a record with another parser than the backend's.
func canonical(t *testing.T, domain string, r ganditest.Record) []string {
	t.Helper()
	set := backend.RRset{Key: backend.Key{Name: "x.example", Type: r.Type}}
	for _, v := range r.Values {
		rr, err := dns.NewRR("$ORIGIN " + domain + ".\nx 300 IN " + r.Type + " " + v)
		if err != nil {
			t.Fatalf("%s %s is %q: %v", r.Name, r.Type, v, err)
		}
		if r.Type == "TXT" {
			wire := make([]byte, dns.MaxMsgSize)
			end, err := dns.PackRR(rr, wire, 0, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			data, text := wire[len(domain)+2+2+10:end], ""
			for len(data) > 0 {
				end := 1 + int(data[0])
				text += string(data[1:end])
				data = data[end:]
			}
			set.Values = append(set.Values, text)
			continue
		}
		_, data, _ := strings.Cut(rr.String(), "\t"+r.Type+"\t")
		set.Values = append(set.Values, data)
	}
	set, err := backend.Canonical(set)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(set.Values))
}

func rr(name, typ string, ttl time.Duration, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: ttl, Values: values}
}

func list(t *testing.T, b backend.Backend, zone string) []backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

func names(sets []backend.RRset) []string {
	all := map[string]bool{}
	for _, s := range sets {
		all[s.Key.String()] = true
	}
	return slices.Sorted(maps.Keys(all))
}
