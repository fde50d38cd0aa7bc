package route53test_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
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

func TestPagesInOrder(t *testing.T) {
	t.Parallel()
	s, api, zone := start(t, route53test.Options{PageSize: 2})
	s.Put(zone, route53test.RecordSet{Name: "*.zone.example", Type: "A", TTL: aws.Int64(1), Values: []string{"192.0.2.1"}})
	s.Put(zone, route53test.RecordSet{Name: "0/25.zone.example", Type: "PTR", TTL: aws.Int64(1), Values: []string{"x.example"}})
	s.Put(zone, route53test.RecordSet{Name: "b.zone.example", Type: "A", SetIdentifier: "two", Weight: aws.Int64(1), TTL: aws.Int64(1), Values: []string{"192.0.2.1"}})
	s.Put(zone, route53test.RecordSet{Name: "b.zone.example", Type: "A", SetIdentifier: "one", Weight: aws.Int64(1), TTL: aws.Int64(1), Values: []string{"192.0.2.1"}})
	s.Put(zone, route53test.RecordSet{Name: "a.b.zone.example", Type: "TXT", TTL: aws.Int64(1), Values: []string{`"x"`}})
	s.Put(zone, route53test.RecordSet{Name: "c.zone.example", Type: "A", TTL: aws.Int64(1), Values: []string{"192.0.2.1"}})

	var got []string
	pages := route53.NewListResourceRecordSetsPaginator(api, &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.ResourceRecordSets {
			got = append(got, *r.Name+" "+string(r.Type)+" "+aws.ToString(r.SetIdentifier))
		}
	}
	want := []string{
		"zone.example. NS ", "zone.example. SOA ", `0\05725.zone.example. PTR `, `\052.zone.example. A `,
		"b.zone.example. A one", "b.zone.example. A two", "a.b.zone.example. TXT ", "c.zone.example. A ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := s.Counts()["ListResourceRecordSets"]; n != 4 {
		t.Errorf("%d pages, want 4", n)
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	s, api, _ := start(t, route53test.Options{PageSize: 1})
	private := s.AddZone(route53test.Zone{Name: "zone.example", Private: true, VPCs: []route53test.VPC{{Region: "eu-west-1", ID: "vpc-1"}}, Tags: map[string]string{"team": "dns"}})
	n := 0
	for pages := route53.NewListHostedZonesPaginator(api, &route53.ListHostedZonesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.HostedZones)
	}
	if n != 2 {
		t.Errorf("%d zones, want 2", n)
	}
	named, err := api.ListHostedZonesByName(t.Context(), &route53.ListHostedZonesByNameInput{DNSName: aws.String("zone.example")})
	if err != nil || len(named.HostedZones) != 1 || !named.IsTruncated {
		t.Errorf("by name: %+v, %v", named, err)
	}
	ofVPC, err := api.ListHostedZonesByVPC(t.Context(), &route53.ListHostedZonesByVPCInput{VPCId: aws.String("vpc-1"), VPCRegion: "eu-west-1"})
	if err != nil || len(ofVPC.HostedZoneSummaries) != 1 || *ofVPC.HostedZoneSummaries[0].HostedZoneId != private {
		t.Errorf("by VPC: %+v, %v", ofVPC, err)
	}
	tags, err := api.ListTagsForResources(t.Context(), &route53.ListTagsForResourcesInput{ResourceType: types.TagResourceTypeHostedzone, ResourceIds: []string{private}})
	if err != nil || len(tags.ResourceTagSets) != 1 || *tags.ResourceTagSets[0].Tags[0].Value != "dns" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	one, err := api.GetHostedZone(t.Context(), &route53.GetHostedZoneInput{Id: &private})
	if err != nil || len(one.VPCs) != 1 || !one.HostedZone.Config.PrivateZone {
		t.Errorf("one: %+v, %v", one, err)
	}
	s.RemoveZone(private)
	if _, err := api.GetHostedZone(t.Context(), &route53.GetHostedZoneInput{Id: &private}); !strings.Contains(text(err), "NoSuchHostedZone") {
		t.Errorf("removed: %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	list := func(ctx context.Context, api *route53.Client, zone string) error {
		_, err := api.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
		return err
	}
	code := func(err error) string {
		var api smithy.APIError
		if errors.As(err, &api) {
			return api.ErrorCode()
		}
		return fmt.Sprint(err)
	}
	s, api, zone := start(t, route53test.Options{SyncAfter: time.Hour})
	s.Inject(route53test.Throttled("", 1))
	if got := code(list(t.Context(), api, zone)); got != "Throttling" {
		t.Errorf("throttled: %s", got)
	}
	s.Inject(route53test.Fault{Operation: "ListResourceRecordSets", After: 1, Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"})
	if err := list(t.Context(), api, zone); err != nil {
		t.Errorf("before the fault: %v", err)
	}
	if got := code(list(t.Context(), api, zone)); got != "ServiceUnavailable" {
		t.Errorf("fault: %s", got)
	}
	s.Inject(route53test.Busy(1))
	if got := code(apply(t.Context(), api, zone, create(set("www.zone.example", "A", "192.0.2.1")))); got != "PriorRequestNotComplete" {
		t.Errorf("busy: %s", got)
	}
	s.Inject(route53test.Lost("ChangeResourceRecordSets"))
	if err := apply(t.Context(), api, zone, create(set("www.zone.example", "A", "192.0.2.1"))); err == nil {
		t.Error("a lost reply came")
	}
	if n := len(s.Records(zone)); n != 3 {
		t.Errorf("%d record sets, want that of the lost reply as well", n)
	}
	s.Deny("ListResourceRecordSets")
	if got := code(list(t.Context(), api, zone)); got != "AccessDenied" {
		t.Errorf("denied: %s", got)
	}
	s.Deny("locked.zone.example")
	if got := code(apply(t.Context(), api, zone, create(set("locked.zone.example", "A", "192.0.2.1")))); got != "AccessDenied" {
		t.Errorf("denied name: %s", got)
	}
	out, err := api.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{
		Changes: []types.Change{create(set("new.zone.example", "A", "192.0.2.1"))}}})
	if err != nil {
		t.Fatal(err)
	}
	change, err := api.GetChange(t.Context(), &route53.GetChangeInput{Id: out.ChangeInfo.Id})
	if err != nil || change.ChangeInfo.Status != types.ChangeStatusPending {
		t.Errorf("change: %+v, %v", change, err)
	}
}

func TestTooManyRequestsAreThrottled(t *testing.T) {
	t.Parallel()
	_, api, zone := start(t, route53test.Options{PerSecond: 2})
	throttled := 0
	for range 6 {
		if _, err := api.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone}); err != nil {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("six requests at once, and none was throttled")
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s, _, zone := start(t, route53test.Options{})
	s.AddRole("arn:aws:iam::1:role/hub", "", "arn:aws:iam::"+route53test.Account+":user/administrator")
	s.AddRole("arn:aws:iam::2:role/dns", "secret handshake", "arn:aws:iam::1:role/hub")
	s.AddToken("a web identity", "arn:aws:iam::1:role/hub")
	administrator := credentials.NewStaticCredentialsProvider(route53test.AccessKeyID, route53test.SecretAccessKey, "")
	of := func(c aws.CredentialsProvider) *sts.Client {
		return sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: &s.URL, Credentials: c, Retryer: aws.NopRetryer{}})
	}
	assume := func(c aws.CredentialsProvider, arn, external string) aws.CredentialsProvider {
		return stscreds.NewAssumeRoleProvider(of(c), arn, func(o *stscreds.AssumeRoleOptions) {
			if external != "" {
				o.ExternalID = &external
			}
		})
	}
	hub := assume(administrator, "arn:aws:iam::1:role/hub", "")
	for _, c := range []struct {
		name  string
		creds aws.CredentialsProvider
		want  string
	}{
		{"user", administrator, ""},
		{"role", hub, ""},
		{"chain", assume(hub, "arn:aws:iam::2:role/dns", "secret handshake"), ""},
		{"chain without its first link", assume(administrator, "arn:aws:iam::2:role/dns", "secret handshake"), "AccessDenied"},
		{"wrong external id", assume(hub, "arn:aws:iam::2:role/dns", "hello"), "AccessDenied"},
		{"web identity", stscreds.NewWebIdentityRoleProvider(of(nil), "arn:aws:iam::1:role/hub", token("a web identity")), ""},
		{"wrong web identity", stscreds.NewWebIdentityRoleProvider(of(nil), "arn:aws:iam::1:role/hub", token("another")), "InvalidIdentityToken"},
		{"unknown key", credentials.NewStaticCredentialsProvider("AKIDNOBODY", "x", ""), "InvalidClientTokenId"},
		{"wrong secret", credentials.NewStaticCredentialsProvider(route53test.AccessKeyID, "x", ""), "SignatureDoesNotMatch"},
		{"no credentials", aws.AnonymousCredentials{}, "MissingAuthenticationToken"},
	} {
		_, err := client(s, c.creds).ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
		if c.want == "" && err != nil || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	cached := client(s, aws.NewCredentialsCache(hub))
	if _, err := cached.ListHostedZones(t.Context(), &route53.ListHostedZonesInput{}); err != nil {
		t.Fatal(err)
	}
	s.Expire()
	if _, err := cached.ListHostedZones(t.Context(), &route53.ListHostedZonesInput{}); !strings.Contains(fmt.Sprint(err), "ExpiredToken") {
		t.Errorf("expired: %v", err)
	}
}

// token is a web identity token.
type token string

func (t token) GetIdentityToken() ([]byte, error) { return []byte(t), nil }
