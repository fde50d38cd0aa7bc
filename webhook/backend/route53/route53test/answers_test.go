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
