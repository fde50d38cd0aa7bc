package route53test_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

// start returns a server with a zone, and the SDK's client of it, which makes each request once.
func start(t *testing.T, o route53test.Options) (*route53test.Server, *route53.Client, string) {
	t.Helper()
	s := route53test.New(o)
	t.Cleanup(s.Close)
	return s, client(s, credentials.NewStaticCredentialsProvider(route53test.AccessKeyID, route53test.SecretAccessKey, "")), s.AddZone(route53test.Zone{Name: "zone.example"})
}

func client(s *route53test.Server, c aws.CredentialsProvider) *route53.Client {
	return route53.New(route53.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: c, Retryer: aws.NopRetryer{}})
}

func set(name, typ string, values ...string) *types.ResourceRecordSet {
	r := &types.ResourceRecordSet{Name: &name, Type: types.RRType(typ), TTL: aws.Int64(300)}
	for _, v := range values {
		r.ResourceRecords = append(r.ResourceRecords, types.ResourceRecord{Value: &v})
	}
	return r
}

func with(r *types.ResourceRecordSet, change func(*types.ResourceRecordSet)) *types.ResourceRecordSet {
	change(r)
	return r
}

func weighted(r *types.ResourceRecordSet, id string, weight int64) *types.ResourceRecordSet {
	r.SetIdentifier, r.Weight = &id, &weight
	return r
}

func alias(name, typ, zone, target string) *types.ResourceRecordSet {
	return &types.ResourceRecordSet{Name: &name, Type: types.RRType(typ), AliasTarget: &types.AliasTarget{HostedZoneId: &zone, DNSName: &target}}
}

func create(r *types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: r}
}

func remove(r *types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: r}
}

func upsert(r *types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: r}
}

func apply(ctx context.Context, c *route53.Client, zone string, changes ...types.Change) error {
	_, err := c.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: changes}})
	return err
}

// text is an error with what an InvalidChangeBatch carries beside its message.
func text(err error) string {
	var invalid *types.InvalidChangeBatch
	if errors.As(err, &invalid) {
		return "InvalidChangeBatch: " + strings.Join(invalid.Messages, "; ")
	}
	return fmt.Sprint(err)
}

func TestRefusesWhatTheServiceRefuses(t *testing.T) {
	t.Parallel()
	many := func(n, length int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf(`"%0*d"`, length-2, i)
		}
		return out
	}
	batch := func(n int, change func(i int) types.Change) []types.Change {
		out := make([]types.Change, n)
		for i := range out {
			out[i] = change(i)
		}
		return out
	}
	www := func() *types.ResourceRecordSet { return set("www.zone.example", "A", "192.0.2.1") }
	for _, c := range []struct {
		name    string
		stands  []*types.ResourceRecordSet
		changes []types.Change
		want    string // in the error; empty: taken
	}{
		{"create", nil, []types.Change{create(www())}, ""},
		{"create what exists", []*types.ResourceRecordSet{www()}, []types.Change{create(www())}, "[name='www.zone.example.', type='A'] but it already exists"},
		{"create in another case", []*types.ResourceRecordSet{www()}, []types.Change{create(set("WWW.Zone.Example.", "A", "192.0.2.2"))}, "already exists"},
		{"delete", []*types.ResourceRecordSet{www()}, []types.Change{remove(www())}, ""},
		{"delete nothing", nil, []types.Change{remove(www())}, "[name='www.zone.example.', type='A'] but it was not found"},
		{"delete twice", []*types.ResourceRecordSet{www()}, []types.Change{remove(www()), remove(www())}, "was not found"},
		{"delete other values", []*types.ResourceRecordSet{www()}, []types.Change{remove(set("www.zone.example", "A", "192.0.2.2"))}, "values provided do not match"},
		{"delete another TTL", []*types.ResourceRecordSet{www()}, []types.Change{remove(with(www(), func(r *types.ResourceRecordSet) { r.TTL = aws.Int64(60) }))}, "values provided do not match"},
		{"delete values in another order", []*types.ResourceRecordSet{set("www.zone.example", "A", "192.0.2.1", "192.0.2.2")}, []types.Change{remove(set("www.zone.example", "A", "192.0.2.2", "192.0.2.1"))}, ""},
		{"replace", []*types.ResourceRecordSet{www()}, []types.Change{remove(www()), create(set("www.zone.example", "CNAME", "lb.example.net"))}, ""},
		{"one bad spoils the batch", nil, []types.Change{create(www()), create(set("bad.zone.example", "A", "nonsense"))}, "not a valid IP address"},
		{"CNAME beside others", []*types.ResourceRecordSet{www()}, []types.Change{create(set("www.zone.example", "CNAME", "lb.example.net"))}, "RRSet of type CNAME with DNS name www.zone.example. is not permitted"},
		{"others beside CNAME", []*types.ResourceRecordSet{set("www.zone.example", "CNAME", "lb.example.net")}, []types.Change{create(www())}, "is not permitted"},
		{"CNAME at the apex", nil, []types.Change{create(set("zone.example", "CNAME", "lb.example.net"))}, "not permitted at apex"},
		{"NS of the zone", nil, []types.Change{remove(set("zone.example", "NS", "ns-1.awsdns-01.org."))}, "at least one NS record"},
		{"outside the zone", nil, []types.Change{create(set("www.otherzone.example", "A", "192.0.2.1"))}, "not permitted in zone zone.example."},
		{"bad escape in a name", nil, []types.Change{create(set(`w\9.zone.example`, "A", "192.0.2.1"))}, "escape codes have the format"},
		{"space in a name", nil, []types.Change{create(set("w w.zone.example", "A", "192.0.2.1"))}, "InvalidDomainName"},
		{"long label", nil, []types.Change{create(set(strings.Repeat("l", 64)+".zone.example", "A", "192.0.2.1"))}, "InvalidDomainName"},
		{"empty label", nil, []types.Change{create(set("a..zone.example", "A", "192.0.2.1"))}, "InvalidDomainName"},
		{"wildcard NS", nil, []types.Change{create(set("*.zone.example", "NS", "ns.example.net"))}, "InvalidName"},
		{"TTL too high", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) { r.TTL = aws.Int64(1 << 31) }))}, "InvalidTTL"},
		{"no TTL", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) { r.TTL = nil }))}, "InvalidTTL"},
		{"duplicate values", nil, []types.Change{create(set("www.zone.example", "A", "192.0.2.1", "192.0.2.1"))}, "Duplicate Resource Record"},
		{"two CNAMEs", nil, []types.Change{create(set("www.zone.example", "CNAME", "a.example.net", "b.example.net"))}, "TooManyValues"},
		{"401 values", nil, []types.Change{create(set("www.zone.example", "TXT", many(401, 10)...))}, "TooManyValues"},
		{"unknown type", nil, []types.Change{create(set("www.zone.example", "LOC", "x"))}, "UnsupportedType"},
		{"MX of one field", nil, []types.Change{create(set("www.zone.example", "MX", "mail.example.net"))}, "InvalidResourceRecord"},
		{"SRV of three fields", nil, []types.Change{create(set("www.zone.example", "SRV", "1 2 host.example.net"))}, "InvalidResourceRecord"},
		{"text without quotes", nil, []types.Change{create(set("www.zone.example", "TXT", "hello"))}, "enclosed in quotation marks"},
		{"text with a raw umlaut", nil, []types.Change{create(set("www.zone.example", "TXT", `"ü"`))}, "have to be escape codes"},
		{"text with escapes", nil, []types.Change{create(set("www.zone.example", "TXT", `"\303\274 \"quoted\" \134"`, `"a" "b"`))}, ""},
		{"text with a bad escape", nil, []types.Change{create(set("www.zone.example", "TXT", `"\9"`))}, "invalid escape"},
		{"text of 256 bytes", nil, []types.Change{create(set("www.zone.example", "TXT", `"`+strings.Repeat("x", 256)+`"`))}, "CharacterString is too long"},
		{"text of 4001 characters", nil, []types.Change{create(set("www.zone.example", "TXT", strings.TrimRight(strings.Repeat(`"`+strings.Repeat("x", 198)+`" `, 20), " ")+` "`))}, "ValueTooLong"},
		{"1001 records", nil, batch(1001, func(i int) types.Change {
			return create(set(fmt.Sprintf("h%d.zone.example", i), "A", "192.0.2.1"))
		}), "records limit of 1000"},
		{"1000 records", nil, batch(1000, func(i int) types.Change {
			return create(set(fmt.Sprintf("h%d.zone.example", i), "A", "192.0.2.1"))
		}), ""},
		{"501 records twice", nil, batch(501, func(i int) types.Change {
			return upsert(set(fmt.Sprintf("h%d.zone.example", i), "A", "192.0.2.1"))
		}), "records limit of 1000"},
		{"32000 characters", nil, batch(320, func(i int) types.Change {
			return create(set(fmt.Sprintf("h%d.zone.example", i), "TXT", many(1, 100)...))
		}), ""},
		{"32100 characters", nil, batch(321, func(i int) types.Change {
			return create(set(fmt.Sprintf("h%d.zone.example", i), "TXT", many(1, 100)...))
		}), "characters limit of 32000"},

		{"weighted", nil, []types.Change{create(weighted(www(), "a", 0)), create(weighted(www(), "b", 255))}, ""},
		{"weight too high", nil, []types.Change{create(weighted(www(), "a", 256))}, "not within 0 to 255"},
		{"policy without identifier", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) { r.Weight = aws.Int64(1) }))}, "Missing field 'SetIdentifier'"},
		{"identifier without policy", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) { r.SetIdentifier = aws.String("a") }))}, "Missing field 'Weight'"},
		{"two policies", nil, []types.Change{create(with(weighted(www(), "a", 1), func(r *types.ResourceRecordSet) { r.Region = "eu-west-1" }))}, "but found more than one"},
		{"simple beside weighted", []*types.ResourceRecordSet{weighted(www(), "a", 1)}, []types.Change{create(www())}, "cannot be created because a non-"},
		{"weighted beside simple", []*types.ResourceRecordSet{www()}, []types.Change{create(weighted(www(), "a", 1))}, "cannot be created because a non-"},
		{"weighted for simple", []*types.ResourceRecordSet{www()}, []types.Change{remove(www()), create(weighted(www(), "a", 1))}, ""},
		{"weighted with another TTL", []*types.ResourceRecordSet{weighted(www(), "a", 1)}, []types.Change{create(with(weighted(www(), "b", 1), func(r *types.ResourceRecordSet) { r.TTL = aws.Int64(60) }))}, "its TTL is not that of the other"},
		{"one region twice", nil, []types.Change{
			create(with(www(), func(r *types.ResourceRecordSet) { r.SetIdentifier, r.Region = aws.String("a"), "eu-west-1" })),
			create(with(www(), func(r *types.ResourceRecordSet) { r.SetIdentifier, r.Region = aws.String("b"), "eu-west-1" })),
		}, "the same latency (eu-west-1) is taken"},
		{"two primaries", nil, []types.Change{
			create(with(www(), func(r *types.ResourceRecordSet) { r.SetIdentifier, r.Failover = aws.String("a"), "PRIMARY" })),
			create(with(www(), func(r *types.ResourceRecordSet) { r.SetIdentifier, r.Failover = aws.String("b"), "PRIMARY" })),
		}, "the same failover (PRIMARY) is taken"},
		{"unknown continent", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.GeoLocation = aws.String("a"), &types.GeoLocation{ContinentCode: aws.String("XX")}
		}))}, "ContinentCode XX"},
		{"continent and country", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.GeoLocation = aws.String("a"), &types.GeoLocation{ContinentCode: aws.String("EU"), CountryCode: aws.String("DE")}
		}))}, "ContinentCode with either"},
		{"subdivision of Germany", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.GeoLocation = aws.String("a"), &types.GeoLocation{CountryCode: aws.String("DE"), SubdivisionCode: aws.String("BY")}
		}))}, "SubdivisionCode without US"},
		{"proximity twice", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.GeoProximityLocation = aws.String("a"), &types.GeoProximityLocation{AWSRegion: aws.String("eu-west-1"), LocalZoneGroup: aws.String("x")}
		}))}, "has one of AWSRegion"},
		{"bias of 100", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.GeoProximityLocation = aws.String("a"), &types.GeoProximityLocation{AWSRegion: aws.String("eu-west-1"), Bias: aws.Int32(100)}
		}))}, "Bias 100"},
		{"latitude of 91", nil, []types.Change{create(with(www(), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.GeoProximityLocation = aws.String("a"), &types.GeoProximityLocation{Coordinates: &types.Coordinates{Latitude: aws.String("91"), Longitude: aws.String("0")}}
		}))}, "out of range"},
		{"multivalue CNAME", nil, []types.Change{create(with(set("www.zone.example", "CNAME", "a.example.net"), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.MultiValueAnswer = aws.String("a"), aws.Bool(true)
		}))}, "cannot have type CNAME"},
		{"weighted NS", nil, []types.Change{create(weighted(set("sub.zone.example", "NS", "ns.example.net"), "a", 1))}, "cannot have a weighted routing policy"},
		{"unknown health check", nil, []types.Change{create(with(weighted(www(), "a", 1), func(r *types.ResourceRecordSet) { r.HealthCheckId = aws.String("none") }))}, "NoSuchHealthCheck"},
		{"known health check", nil, []types.Change{create(with(weighted(www(), "a", 1), func(r *types.ResourceRecordSet) { r.HealthCheckId = aws.String("check") }))}, ""},

		{"alias of a load balancer", nil, []types.Change{create(alias("www.zone.example", "A", "Z32O12XQLNTSW2", "LB-1.eu-west-1.elb.amazonaws.com"))}, ""},
		{"alias in the wrong zone", nil, []types.Change{create(alias("www.zone.example", "A", "Z2FDTNDATAQYW2", "lb-1.eu-west-1.elb.amazonaws.com"))}, "does not lie within the target zone"},
		{"alias in an unknown zone", nil, []types.Change{create(alias("www.zone.example", "A", "ZNOWHERE", "lb-1.eu-west-1.elb.amazonaws.com"))}, "is invalid"},
		{"alias in another own zone", nil, []types.Change{create(alias("www.zone.example", "A", "ZOTHER", "x.other.example"))}, "in another hosted zone"},
		{"alias with values", nil, []types.Change{create(with(alias("www.zone.example", "A", "Z32O12XQLNTSW2", "lb-1.eu-west-1.elb.amazonaws.com"), func(r *types.ResourceRecordSet) { r.TTL = aws.Int64(1) }))}, "but found more than one"},
		{"alias of nothing", nil, []types.Change{create(alias("www.zone.example", "A", "ZONE", "web.zone.example"))}, "that target was not found"},
		{"alias of something", []*types.ResourceRecordSet{set("web.zone.example", "A", "192.0.2.1")}, []types.Change{create(alias("www.zone.example", "A", "ZONE", "web.zone.example"))}, ""},
		{"alias of another type", []*types.ResourceRecordSet{set("web.zone.example", "A", "192.0.2.1")}, []types.Change{create(alias("www.zone.example", "AAAA", "ZONE", "web.zone.example"))}, "that target was not found"},
		{"alias that is NS", nil, []types.Change{create(alias("www.zone.example", "NS", "ZONE", "web.zone.example"))}, "cannot have type NS"},
		{"multivalue alias", nil, []types.Change{create(with(alias("www.zone.example", "A", "Z32O12XQLNTSW2", "lb-1.eu-west-1.elb.amazonaws.com"), func(r *types.ResourceRecordSet) {
			r.SetIdentifier, r.MultiValueAnswer = aws.String("a"), aws.Bool(true)
		}))}, "cannot be alias records"},
		{"AAAA alias of a bucket", nil, []types.Change{create(alias("www.zone.example", "AAAA", "Z1BKCTXD74EZPE", "s3-website-eu-west-1.amazonaws.com"))}, "has type A"},
		{"delete an alias", []*types.ResourceRecordSet{alias("www.zone.example", "A", "Z32O12XQLNTSW2", "LB-1.eu-west-1.elb.amazonaws.com")}, []types.Change{remove(alias("www.zone.example", "A", "Z32O12XQLNTSW2", "lb-1.eu-west-1.elb.amazonaws.com."))}, ""},
		{"unknown action", nil, []types.Change{{Action: "REPLACE", ResourceRecordSet: www()}}, "InvalidInput"},
		{"no changes", nil, []types.Change{}, "InvalidInput"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s := route53test.New(route53test.Options{})
			defer s.Close()
			s.AddHealthCheck("check")
			zone := s.AddZone(route53test.Zone{Name: "zone.example", ID: "ZONE"})
			s.AddZone(route53test.Zone{Name: "other.example", ID: "ZOTHER"})
			api := client(s, credentials.NewStaticCredentialsProvider(route53test.AccessKeyID, route53test.SecretAccessKey, ""))
			for _, r := range c.stands {
				if err := apply(t.Context(), api, zone, create(r)); err != nil {
					t.Fatal(text(err))
				}
			}
			before := s.Records(zone)
			err := apply(t.Context(), api, zone, c.changes...)
			if c.want == "" && err != nil || c.want != "" && !strings.Contains(text(err), c.want) {
				t.Errorf("got %s, want %q", text(err), c.want)
			}
			if diff := cmp.Diff(before, s.Records(zone)); (diff == "") != (c.want != "") {
				t.Errorf("a refused batch changes nothing, another one does:\n%s", diff)
			}
		})
	}
}

func TestCloudFrontIsForPublicZones(t *testing.T) {
	t.Parallel()
	s, api, _ := start(t, route53test.Options{})
	private := s.AddZone(route53test.Zone{Name: "private.example", Private: true})
	if err := apply(t.Context(), api, private, create(alias("www.private.example", "A", "Z2FDTNDATAQYW2", "d1.cloudfront.net"))); !strings.Contains(text(err), "private zone") {
		t.Errorf("got %s", text(err))
	}
}
