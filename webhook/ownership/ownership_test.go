package ownership_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/setting"
)

// zone is what TXT records hold, by name.
type zone map[string][]string

func (z zone) texts(name string) []string { return z[name] }

const (
	ours   = "heritage=external-dns,external-dns/owner=hub,external-dns/resource=ingress/shop/www"
	theirs = "heritage=external-dns,external-dns/owner=spoke,external-dns/resource=ingress/shop/www"
)

func TestWhoOwnsARecord(t *testing.T) {
	txt := ownership.Config{Registry: "txt", TXTOwnerID: "hub"}
	with := func(change func(*ownership.Config)) ownership.Config {
		c := txt
		change(&c)
		return c
	}
	for _, c := range []struct {
		name   string
		config ownership.Config
		record string // name and type
		zone   zone
		want   bool
	}{
		{"ours", txt, "www.example.org A", zone{"a-www.example.org": {ours}}, true},
		{"another's", txt, "www.example.org A", zone{"a-www.example.org": {theirs}}, false},
		{"of another type", txt, "www.example.org AAAA", zone{"a-www.example.org": {ours}}, false},
		{"IPv6", txt, "www.example.org AAAA", zone{"aaaa-www.example.org": {ours}}, true},
		{"nobody's", txt, "www.example.org A", zone{}, false},
		{"some text", txt, "www.example.org A", zone{"a-www.example.org": {"v=spf1 -all"}}, false},
		{"encrypted", txt, "www.example.org A", zone{"a-www.example.org": {"dGhlIHF1aWNrIGJyb3duIGZveA=="}}, false},
		{"without a type, as before v0.12", txt, "www.example.org A", zone{"www.example.org": {ours}}, false},
		{"an owner that begins alike", txt, "www.example.org A", zone{"a-www.example.org": {strings.Replace(ours, "hub", "hub2", 1)}}, false},
		{"among other texts", txt, "www.example.org A", zone{"a-www.example.org": {"v=spf1 -all", ours}}, true},
		{"a prefix", with(func(c *ownership.Config) { c.TXTPrefix = "edns." }), "www.example.org A", zone{"edns.a-www.example.org": {ours}}, true},
		{"a prefix that was not given", txt, "www.example.org A", zone{"edns.a-www.example.org": {ours}}, false},
		{"a prefix with the type", with(func(c *ownership.Config) { c.TXTPrefix = "edns-%{record_type}." }), "example.org A", zone{"edns-a.example.org": {ours}}, true},
		{"a suffix", with(func(c *ownership.Config) { c.TXTSuffix = "-txt" }), "www.example.org A", zone{"a-www-txt.example.org": {ours}}, true},
		{"a wildcard", txt, "*.example.org A", zone{"a-*.example.org": {ours}}, true},
		{"a wildcard replaced", with(func(c *ownership.Config) { c.TXTWildcardReplacement = "any" }), "*.example.org A", zone{"a-any.example.org": {ours}}, true},
		{"no registry", ownership.Config{Registry: "noop"}, "www.example.org A", zone{}, true},
		{"a registry out of sight", ownership.Config{Registry: "dynamodb", TXTOwnerID: "hub"}, "www.example.org A", zone{"a-www.example.org": {ours}}, false},
		{"not configured", ownership.Config{}, "www.example.org A", zone{"a-www.example.org": {"heritage=external-dns,external-dns/owner="}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, typ, _ := strings.Cut(c.record, " ")
			if got := ownership.New(c.config).Owns(name, typ, c.zone.texts); got != c.want {
				t.Errorf("owned: %t, want %t", got, c.want)
			}
		})
	}
}

// Of reads what external-dns itself reads out of what it writes.
func TestTheOwnerIsReadAsExternalDNSDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := endpoint.Labels{}
		word := rapid.StringMatching(`[a-zA-Z0-9 ./_-]{0,8}`)
		for _, key := range []string{"aardvark", endpoint.OwnerLabelKey, endpoint.ResourceLabelKey} {
			if rapid.Bool().Draw(t, "has "+key) {
				labels[key] = word.Draw(t, key)
			}
		}
		text := labels.SerializePlain(false)
		read, err := endpoint.NewLabelsFromStringPlain(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ownership.Of(text), read[endpoint.OwnerLabelKey]; got != want {
			t.Errorf("%q is owned by %q, want %q", text, got, want)
		}
	})
}

func TestOwnersThatDoNotFit(t *testing.T) {
	r := ownership.New(ownership.Config{Registry: "txt", TXTOwnerID: "hub"})
	if r.Doubts("hub") || !r.Doubts("spoke") {
		t.Error("the owner id is not told from another one")
	}
	if ownership.New(ownership.Config{Registry: "noop"}).Doubts("spoke") {
		t.Error("without a registry there are no owners to doubt")
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		config ownership.Config
		field  string // empty: right
	}{
		{"defaults", ownership.Config{Registry: "txt", TXTOwnerID: "default"}, ""},
		{"noop", ownership.Config{Registry: "noop"}, ""},
		{"unknown", ownership.Config{Registry: "text", TXTOwnerID: "a"}, "registry"},
		{"no owner", ownership.Config{Registry: "txt"}, "txtOwnerID"},
		{"both affixes", ownership.Config{Registry: "txt", TXTOwnerID: "a", TXTPrefix: "x", TXTSuffix: "y"}, "txtSuffix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.config.Validate()
			var mistake *setting.Error
			switch {
			case c.field == "" && err != nil:
				t.Error(err)
			case c.field != "" && (!errors.As(err, &mistake) || mistake.Field != c.field):
				t.Errorf("got %v, want a mistake in %s", err, c.field)
			}
		})
	}
}
