package content_test

import (
	"slices"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// How external-dns names its marks depends on its flags. Each case is one mark, and what it says of www.example.org.
func TestMarksOfExternalDNS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mark  string
		text  string
		live  string // another record that stands: name and type
		owned []string
	}{
		"its own way":                  {"a-www.example.org", heritage, "", []string{"A"}},
		"in quotes":                    {"a-www.example.org", `"` + heritage + `"`, "", []string{"A"}},
		"of another type":              {"cname-www.example.org", heritage, "", []string{"CNAME"}},
		"IPv6 only":                    {"aaaa-www.example.org", heritage, "", []string{"AAAA"}},
		"before v0.12":                 {"www.example.org", heritage, "", []string{"A", "AAAA", "CNAME", "MX"}},
		"a prefix with a dot":          {"edns.a-www.example.org", heritage, "", []string{"A"}},
		"a prefix with a dash":         {"edns-a-www.example.org", heritage, "", []string{"A"}},
		"a prefix with the type":       {"edns-a.www.example.org", heritage, "", []string{"A"}},
		"the type alone before a dot":  {"a.www.example.org", heritage, "", []string{"A"}},
		"a suffix":                     {"a-www-edns.example.org", heritage, "", []string{"A"}},
		"a name that ends so":          {"a-www-edns.example.org", heritage, "www-edns.example.org A", nil},
		"a name that begins so":        {"a-edns.a-www.example.org", heritage, "edns.a-www.example.org A", nil},
		"another name":                 {"a-www2.example.org", heritage, "", nil},
		"a name below":                 {"a-x.www.example.org", heritage, "", nil},
		"another text":                 {"a-www.example.org", "v=spf1 -all", "", nil},
		"heritage of something else":   {"a-www.example.org", "heritage=external-dnsmasq", "", nil},
		"without an owner":             {"a-www.example.org", "heritage=external-dns,external-dns/resource=x", "", []string{"A"}},
		"no type before the dash":      {"b-www.example.org", heritage, "", nil},
		"a type and nothing behind it": {"a-", heritage, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			live := []backend.RRset{set(c.mark, "TXT", 300, c.text)}
			if c.live != "" {
				s := set("", "A", 300, "192.0.2.1")
				s.Name = c.live[:len(c.live)-2]
				live = append(live, s)
			}
			owner := content.ExternalDNS(live)
			for _, typ := range []string{"A", "AAAA", "CNAME", "MX"} {
				if owned := owner(backend.Key{Name: "www.example.org", Type: typ}) != nil; owned != slices.Contains(c.owned, typ) {
					t.Errorf("%s: owned %v", typ, owned)
				}
			}
			if mark := owner(backend.Key{Name: c.mark, Type: "TXT"}) != nil; mark != (c.text != "v=spf1 -all" && c.text != "heritage=external-dnsmasq") {
				t.Errorf("the mark itself is one: %v", mark)
			}
		})
	}
}
