package route53_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

func set(name, typ, id string, a map[string]string, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ, SetID: id}, Values: values, Attrs: a}
}

const (
	elb        = "lb-1.eu-west-1.elb.amazonaws.com"
	cloudfront = "d1.cloudfront.net"
	website    = "www.zone.example.s3-website-eu-west-1.amazonaws.com"
)

func TestAdjust(t *testing.T) {
	t.Parallel()
	alias := func(typ, target string, more ...string) backend.RRset {
		r := set("www.zone.example", typ, "", attrs(append([]string{"alias", "true", "evaluate-target-health", "true"}, more...)...), target)
		r.TTL = 5 * time.Minute
		return r
	}
	plain := func(r backend.RRset) []backend.RRset { return []backend.RRset{r} }
	for _, c := range []struct {
		name string
		in   backend.RRset
		want []backend.RRset
	}{
		{"address", set("www.zone.example", "A", "", nil, "192.0.2.1"), plain(set("www.zone.example", "A", "", nil, "192.0.2.1"))},
		{"CNAME", set("www.zone.example", "CNAME", "", nil, "lb.example.net"), plain(set("www.zone.example", "CNAME", "", nil, "lb.example.net"))},
		{"CNAME that is said to be none", set("www.zone.example", "CNAME", "", attrs("alias", "false"), "lb.example.net"), plain(set("www.zone.example", "CNAME", "", nil, "lb.example.net"))},
		{"CNAME of a load balancer", set("www.zone.example", "CNAME", "", nil, elb), []backend.RRset{alias("A", elb), alias("AAAA", elb)}},
		{"CNAME of a distribution", set("www.zone.example", "CNAME", "", nil, cloudfront), []backend.RRset{alias("A", cloudfront), alias("AAAA", cloudfront)}},
		{"CNAME of a load balancer that stays one", set("www.zone.example", "CNAME", "", attrs("alias", "false"), elb), plain(set("www.zone.example", "CNAME", "", attrs("alias", "false"), elb))},
		{"CNAME of a website", set("www.zone.example", "CNAME", "", nil, website), plain(alias("A", "s3-website-eu-west-1.amazonaws.com"))},
		{"CNAME of another's website", set("other.zone.example", "CNAME", "", nil, website), plain(set("other.zone.example", "CNAME", "", nil, website))},
		{"CNAME of the zone as an alias", set("www.zone.example", "CNAME", "", attrs("alias", "true"), "web.zone.example"), []backend.RRset{alias("A", "web.zone.example"), alias("AAAA", "web.zone.example")}},
		{"alias of somewhere", set("www.zone.example", "A", "", attrs("alias", "true", "target-hosted-zone", "/hostedzone/z0privatelinkexample0"), "x.vpce.example-service.com"),
			plain(alias("A", "x.vpce.example-service.com", "target-hosted-zone", "Z0PRIVATELINKEXAMPLE0"))},
		{"alias with the zone that is known", set("www.zone.example", "A", "", attrs("alias", "true", "target-hosted-zone", "Z32O12XQLNTSW2"), elb), plain(alias("A", elb))},
		{"alias in the zone with its id", set("www.zone.example", "A", "", attrs("alias", "true", "target-hosted-zone", "Z0000000000001TEST"), "web.zone.example"), plain(alias("A", "web.zone.example"))},
		{"address that cannot be an alias", set("www.zone.example", "A", "", attrs("alias", "true", "evaluate-target-health", "false"), "192.0.2.1"), plain(set("www.zone.example", "A", "", nil, "192.0.2.1"))},
		{"text beside an alias", set("a-www.zone.example", "TXT", "", attrs("alias", "true", "evaluate-target-health", "false", "target-hosted-zone", "Z1"), "owner"), plain(set("a-www.zone.example", "TXT", "", nil, "owner"))},
		{"no target health", set("www.zone.example", "A", "", attrs("alias", "true", "evaluate-target-health", "0"), elb), plain(alias("A", elb, "evaluate-target-health", "false"))},
		{"canonical numbers", set("www.zone.example", "A", "blue", attrs("weight", "010"), "192.0.2.1"), plain(set("www.zone.example", "A", "blue", attrs("weight", "10"), "192.0.2.1"))},
		{"canonical codes", set("www.zone.example", "A", "blue", attrs("geolocation-country-code", "us", "geolocation-subdivision-code", "wa"), "192.0.2.1"),
			plain(set("www.zone.example", "A", "blue", attrs("geolocation-country-code", "US", "geolocation-subdivision-code", "WA"), "192.0.2.1"))},
		{"bias of nothing", set("www.zone.example", "A", "blue", attrs("geoproximity-coordinates", "49.220,-74.10"), "192.0.2.1"),
			plain(set("www.zone.example", "A", "blue", attrs("geoproximity-coordinates", "49.22,-74.1", "geoproximity-bias", "0"), "192.0.2.1"))},
		{"no multivalue answer", set("www.zone.example", "A", "", attrs("multi-value-answer", "false"), "192.0.2.1"), plain(set("www.zone.example", "A", "", nil, "192.0.2.1"))},
		{"weighted CNAME of a load balancer", set("www.zone.example", "CNAME", "blue", attrs("weight", "1"), elb), func() []backend.RRset {
			both := []backend.RRset{alias("A", elb, "weight", "1"), alias("AAAA", elb, "weight", "1")}
			both[0].SetID, both[1].SetID = "blue", "blue"
			return both
		}()},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := open(t, route53.Config{Endpoint: "http://127.0.0.1:1"})
			got, err := b.Adjust(t.Context(), "zone.example", []backend.RRset{c.in})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := b.Adjust(t.Context(), "zone.example", got)
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Errorf("adjusted twice (%v):\n%s", err, diff)
			}
		})
	}
}

func TestAdjustRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   backend.RRset
		want string
	}{
		{"weight", set("www.zone.example", "A", "blue", attrs("weight", "256"), "192.0.2.1"), `property webhook/aws-weight is "256": want a number from 0 to 255`},
		{"no weight", set("www.zone.example", "A", "blue", attrs("weight", "heavy"), "192.0.2.1"), `property webhook/aws-weight is "heavy"`},
		{"region", set("www.zone.example", "A", "blue", attrs("region", "Europe"), "192.0.2.1"), `property webhook/aws-region is "Europe": want a region, for example eu-west-1`},
		{"failover", set("www.zone.example", "A", "blue", attrs("failover", "third"), "192.0.2.1"), "want PRIMARY or SECONDARY"},
		{"continent", set("www.zone.example", "A", "blue", attrs("geolocation-continent-code", "XX"), "192.0.2.1"), "want one of AF, AN"},
		{"country", set("www.zone.example", "A", "blue", attrs("geolocation-country-code", "Germany"), "192.0.2.1"), "want two letters of ISO 3166-1"},
		{"subdivision alone", set("www.zone.example", "A", "blue", attrs("geolocation-subdivision-code", "WA"), "192.0.2.1"), "geolocation-country-code=US beside it"},
		{"continent and country", set("www.zone.example", "A", "blue", attrs("geolocation-continent-code", "EU", "geolocation-country-code", "DE"), "192.0.2.1"), "either a continent or a country"},
		{"bias", set("www.zone.example", "A", "blue", attrs("geoproximity-region", "eu-west-1", "geoproximity-bias", "100"), "192.0.2.1"), "want a number from -99 to 99"},
		{"bias of nowhere", set("www.zone.example", "A", "blue", attrs("geoproximity-bias", "1"), "192.0.2.1"), "want one of webhook/aws-geoproximity-region"},
		{"two places", set("www.zone.example", "A", "blue", attrs("geoproximity-region", "eu-west-1", "geoproximity-local-zone-group", "x"), "192.0.2.1"), "geoproximity by 2 properties"},
		{"coordinates", set("www.zone.example", "A", "blue", attrs("geoproximity-coordinates", "91,0"), "192.0.2.1"), `"latitude,longitude" in degrees`},
		{"coordinates too exact", set("www.zone.example", "A", "blue", attrs("geoproximity-coordinates", "1.234,0"), "192.0.2.1"), "at most two digits"},
		{"multivalue", set("www.zone.example", "A", "blue", attrs("multi-value-answer", "maybe"), "192.0.2.1"), `is "maybe": want true or false`},
		{"two policies", set("www.zone.example", "A", "blue", attrs("weight", "1", "region", "eu-west-1"), "192.0.2.1"), "want one routing policy, but the properties also ask for weighted"},
		{"policy without identifier", set("www.zone.example", "A", "", attrs("weight", "1"), "192.0.2.1"), "routing policy weighted without a set identifier"},
		{"identifier without policy", set("www.zone.example", "A", "blue", nil, "192.0.2.1"), `set identifier "blue" without a routing policy: want one beside it, for example webhook/aws-weight`},
		{"policy of NS", set("sub.zone.example", "NS", "blue", attrs("weight", "1"), "ns.example.net"), "NS records cannot have routing policy weighted"},
		{"multivalue CNAME", set("www.zone.example", "CNAME", "blue", attrs("multi-value-answer", "true"), "x.example.net"), "want no CNAME"},
		{"multivalue alias", set("www.zone.example", "CNAME", "blue", attrs("multi-value-answer", "true", "alias", "true"), elb), "want no "},
		{"alias that is neither", set("www.zone.example", "CNAME", "", attrs("alias", "perhaps"), elb), `property alias is "perhaps": want true or false`},
		{"alias of nowhere", set("www.zone.example", "CNAME", "", attrs("alias", "true"), "lb.example.net"), "want property webhook/aws-target-hosted-zone"},
		{"alias in the wrong zone", set("www.zone.example", "A", "", attrs("alias", "true", "target-hosted-zone", "Z1"), elb), "want Z32O12XQLNTSW2, the hosted zone that holds"},
		{"zone id", set("www.zone.example", "A", "", attrs("alias", "true", "target-hosted-zone", "not an id"), "x.example.net"), "want the id of the hosted zone"},
		{"alias of itself", set("www.zone.example", "A", "", attrs("alias", "true"), "www.zone.example"), "an alias of itself"},
		{"target health", set("www.zone.example", "A", "", attrs("alias", "true", "evaluate-target-health", "often"), elb), `is "often": want true or false`},
		{"addresses and names", set("www.zone.example", "A", "", attrs("alias", "true"), "192.0.2.1", "lb.example.net"), "or an alias of one name"},
		{"health check", set("www.zone.example", "A", "blue", attrs("weight", "1", "health-check-id", strings.Repeat("x", 65)), "192.0.2.1"), "want the id of a health check"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := open(t, route53.Config{Endpoint: "http://127.0.0.1:1"})
			good := set("good.zone.example", "A", "", nil, "192.0.2.9")
			got, err := b.Adjust(t.Context(), "zone.example", []backend.RRset{c.in, good})
			if diff := cmp.Diff([]backend.RRset{good}, got); diff != "" {
				t.Errorf("the rest: -want +got:\n%s", diff)
			}
			errs := backend.Errors(err)
			if len(errs) != 1 || errs[0].Kind != backend.Rejected || errs[0].Key != c.in.Key || !strings.Contains(errs[0].Error(), c.want) {
				t.Errorf("got %v, want a refusal of %s with %q", err, c.in.Key, c.want)
			}
		})
	}
}

func TestSettingsOfAliases(t *testing.T) {
	t.Parallel()
	b := open(t, route53.Config{PreferCNAME: true, IgnoreTargetHealth: true, DefaultTTL: time.Minute})
	got, err := b.Adjust(t.Context(), "zone.example", []backend.RRset{
		set("a.zone.example", "CNAME", "", nil, elb),
		set("b.zone.example", "CNAME", "", attrs("alias", "true"), elb),
	})
	if err != nil {
		t.Fatal(err)
	}
	stays := set("a.zone.example", "CNAME", "", attrs("alias", "false"), elb)
	becomes := set("b.zone.example", "A", "", attrs("alias", "true", "evaluate-target-health", "false"), elb)
	becomes.TTL = time.Minute
	if diff := cmp.Diff([]backend.RRset{stays, becomes}, got[:2]); diff != "" || len(got) != 3 {
		t.Errorf("-want +got (%d):\n%s", len(got), diff)
	}
}

func TestAddressesBesideACNAMEThatBecomesOne(t *testing.T) {
	t.Parallel()
	b := open(t, route53.Config{})
	address := set("www.zone.example", "A", "", nil, "192.0.2.1")
	got, err := b.Adjust(t.Context(), "zone.example", []backend.RRset{address, set("www.zone.example", "CNAME", "", nil, elb)})
	if diff := cmp.Diff([]backend.RRset{address}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if errs := backend.Errors(err); len(errs) != 1 || errs[0].Key.Type != "CNAME" || errs[0].Kind != backend.Rejected {
		t.Errorf("got %v, want the CNAME refused", err)
	}
}

// TestAliasesInTheZone are of the types their targets have.
func TestAliasesInTheZone(t *testing.T) {
	t.Parallel()
	s, b, id, _ := start(t, route53test.Options{})
	s.Put(id, recordSet(set("six.zone.example", "AAAA", "", nil, "2001:db8::1")))
	list(t, b)
	got, err := b.Adjust(t.Context(), "zone.example", []backend.RRset{
		set("four.zone.example", "A", "blue", attrs("weight", "1"), "192.0.2.1"),
		set("lb.zone.example", "CNAME", "", nil, elb),
		set("a.zone.example", "CNAME", "", attrs("alias", "true"), "four.zone.example"),
		set("b.zone.example", "CNAME", "", attrs("alias", "true"), "six.zone.example"),
		set("c.zone.example", "CNAME", "", attrs("alias", "true"), "lb.zone.example"),
		set("d.zone.example", "CNAME", "", attrs("alias", "true"), "nothing.zone.example"),
	})
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, r := range got {
		types[r.Name] += " " + r.Type
	}
	want := map[string]string{
		"four.zone.example": " A", "lb.zone.example": " A AAAA", "a.zone.example": " A", "b.zone.example": " AAAA", "c.zone.example": " A AAAA", "d.zone.example": " A AAAA",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
