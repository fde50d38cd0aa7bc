package azurednstest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

const (
	sub   = "00000000-0000-0000-0000-000000000001"
	group = "dns-rg"
)

// azure is a server with a public and a private zone, and the SDK's clients for both.
type azure struct {
	*azurednstest.Server
	public, private string
	records         *armdns.RecordSetsClient
	zones           *armdns.ZonesClient
	privateRecords  *armprivatedns.RecordSetsClient
	privateZones    *armprivatedns.PrivateZonesClient
}

func start(t *testing.T, o azurednstest.Options) *azure {
	t.Helper()
	s, err := azurednstest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &azure{Server: s}
	a.public = s.AddZone(sub, group, "zone.example", azurednstest.Public)
	a.private = s.AddZone(sub, group, "zone.example", azurednstest.Private)
	options := policy.ClientOptions{
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL() + "/", Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: s.URL(), Audience: "https://management.azure.com"}}},
		Transport: s.Client(),
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
	cred, err := azidentity.NewClientSecretCredential(azurednstest.Tenant, azurednstest.ClientID, azurednstest.ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	a.connect(t, cred, &arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true})
	return a
}

func (a *azure) connect(t *testing.T, cred azcore.TokenCredential, o *arm.ClientOptions) {
	t.Helper()
	var errs [4]error
	a.records, errs[0] = armdns.NewRecordSetsClient(sub, cred, o)
	a.zones, errs[1] = armdns.NewZonesClient(sub, cred, o)
	a.privateRecords, errs[2] = armprivatedns.NewRecordSetsClient(sub, cred, o)
	a.privateZones, errs[3] = armprivatedns.NewPrivateZonesClient(sub, cred, o)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

func aSet(ttl int64, addresses ...string) armdns.RecordSet {
	set := armdns.RecordSet{Properties: &armdns.RecordSetProperties{TTL: &ttl}}
	for _, address := range addresses {
		set.Properties.ARecords = append(set.Properties.ARecords, &armdns.ARecord{IPv4Address: &address})
	}
	return set
}

// requireRefused requires an error answer with a status and a code.
func requireRefused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var refused *azcore.ResponseError
	if !errors.As(err, &refused) || refused.StatusCode != status || refused.ErrorCode != code {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
}

func TestEveryWriteHasAnETagAndETagsGuardWrites(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	ctx := t.Context()
	put := func(address string, o *armdns.RecordSetsClientCreateOrUpdateOptions) (string, error) {
		r, err := a.records.CreateOrUpdate(ctx, group, "zone.example", "www", armdns.RecordTypeA, aSet(60, address), o)
		if err != nil {
			return "", err
		}
		return *r.Etag, nil
	}
	first, err := put("192.0.2.1", &armdns.RecordSetsClientCreateOrUpdateOptions{IfNoneMatch: ptr("*")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = put("192.0.2.2", &armdns.RecordSetsClientCreateOrUpdateOptions{IfNoneMatch: ptr("*")})
	requireRefused(t, err, http.StatusPreconditionFailed, "PreconditionFailed")
	second, err := put("192.0.2.2", &armdns.RecordSetsClientCreateOrUpdateOptions{IfMatch: &first})
	if err != nil || second == first {
		t.Fatalf("etag %q after %q, %v", second, first, err)
	}
	_, err = put("192.0.2.3", &armdns.RecordSetsClientCreateOrUpdateOptions{IfMatch: &first})
	requireRefused(t, err, http.StatusPreconditionFailed, "PreconditionFailed")
	_, err = a.records.Delete(ctx, group, "zone.example", "www", armdns.RecordTypeA, &armdns.RecordSetsClientDeleteOptions{IfMatch: &first})
	requireRefused(t, err, http.StatusPreconditionFailed, "PreconditionFailed")
	if _, err = a.records.Delete(ctx, group, "zone.example", "www", armdns.RecordTypeA, &armdns.RecordSetsClientDeleteOptions{IfMatch: &second}); err != nil {
		t.Fatal(err)
	}
	if _, err = a.records.Delete(ctx, group, "zone.example", "www", armdns.RecordTypeA, nil); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
	_, err = a.records.Get(ctx, group, "zone.example", "www", armdns.RecordTypeA, nil)
	requireRefused(t, err, http.StatusNotFound, "NotFound")
	_, err = put("192.0.2.3", &armdns.RecordSetsClientCreateOrUpdateOptions{IfMatch: &second})
	requireRefused(t, err, http.StatusPreconditionFailed, "PreconditionFailed")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{MaxRecordSets: 5})
	a.Put(a.public, backend.RRset{Key: backend.Key{Name: "alias.zone.example", Type: "CNAME"}, TTL: time.Minute, Values: []string{"lb.example.net"}})
	a.Put(a.public, backend.RRset{Key: backend.Key{Name: "host.zone.example", Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}})
	texts := func(values ...string) armdns.RecordSet {
		set := armdns.RecordSet{Properties: &armdns.RecordSetProperties{TTL: ptr(int64(60))}}
		for _, v := range values {
			set.Properties.TxtRecords = append(set.Properties.TxtRecords, &armdns.TxtRecord{Value: []*string{&v}})
		}
		return set
	}
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.2.%d", i)
	}
	cname := armdns.RecordSet{Properties: &armdns.RecordSetProperties{TTL: ptr(int64(60)), CnameRecord: &armdns.CnameRecord{Cname: ptr("x.example.net")}}}
	ns := armdns.RecordSet{Properties: &armdns.RecordSetProperties{TTL: ptr(int64(60)), NsRecords: []*armdns.NsRecord{{Nsdname: ptr("ns.example.net")}}}}
	for _, c := range []struct {
		why, name string
		typ       armdns.RecordType
		set       armdns.RecordSet
		status    int
		code      string
	}{
		{"TTL of 0", "www", "A", aSet(0, "192.0.2.1"), 400, "BadRequest"},
		{"TTL too high", "www", "A", aSet(1<<31, "192.0.2.1"), 400, "BadRequest"},
		{"21 records", "www", "A", aSet(60, many...), 400, "BadRequest"},
		{"no address", "www", "A", aSet(60, "host"), 400, "BadRequest"},
		{"an address of the other family", "www", "A", aSet(60, "2001:db8::1"), 400, "BadRequest"},
		{"records of another type", "www", "AAAA", aSet(60, "192.0.2.1"), 400, "BadRequest"},
		{"a star inside a name", "a-*.apps", "TXT", texts("x"), 400, "BadRequest"},
		{"a star behind a label", "apps.*", "TXT", texts("x"), 400, "BadRequest"},
		{"a space in a name", "a%20b", "TXT", texts("x"), 400, "BadRequest"},
		{"a long label", strings.Repeat("l", 64), "TXT", texts("x"), 400, "BadRequest"},
		{"a wildcard NS", "*.sub", "NS", ns, 400, "BadRequest"},
		{"an alias at the apex", "@", "CNAME", cname, 400, "BadRequest"},
		{"an alias without a target", "www", "CNAME", aSet(60), 400, "BadRequest"},
		{"an alias beside an address", "host", "CNAME", cname, 409, "Conflict"},
		{"an address beside an alias", "alias", "A", aSet(60, "192.0.2.1"), 409, "Conflict"},
		{"a string of 256 bytes", "www", "TXT", texts(strings.Repeat("x", 256)), 400, "BadRequest"},
		{"an empty text", "www", "TXT", texts(""), 400, "BadRequest"},
		{"too much text", "www", "TXT", texts(strings.Split(strings.Repeat(strings.Repeat("x", 250)+" ", 17), " ")[:17]...), 400, "BadRequest"},
		{"a type that is created with the zone", "www", "SOA", aSet(60), 400, "BadRequest"},
	} {
		_, err := a.records.CreateOrUpdate(t.Context(), group, "zone.example", c.name, c.typ, c.set, nil)
		t.Log(c.why)
		requireRefused(t, err, c.status, c.code)
	}
	if _, err := a.records.CreateOrUpdate(t.Context(), group, "zone.example", "fifth", armdns.RecordTypeA, aSet(60, "192.0.2.1"), nil); err != nil {
		t.Fatal(err)
	}
	_, err := a.records.CreateOrUpdate(t.Context(), group, "zone.example", "sixth", armdns.RecordTypeA, aSet(60, "192.0.2.1"), nil)
	requireRefused(t, err, http.StatusBadRequest, "BadRequest")
	for _, typ := range []armdns.RecordType{armdns.RecordTypeNS, armdns.RecordTypeSOA} {
		_, err := a.records.Delete(t.Context(), group, "zone.example", "@", typ, nil)
		requireRefused(t, err, http.StatusBadRequest, "BadRequest")
	}
	_, err = a.privateRecords.CreateOrUpdate(t.Context(), group, "zone.example", armprivatedns.RecordType("NS"), "sub", armprivatedns.RecordSet{
		Properties: &armprivatedns.RecordSetProperties{TTL: ptr(int64(60))}}, nil)
	requireRefused(t, err, http.StatusBadRequest, "BadRequest")
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	_, err := a.records.CreateOrUpdate(t.Context(), group, "no.example", "www", armdns.RecordTypeA, aSet(60, "192.0.2.1"), nil)
	requireRefused(t, err, http.StatusNotFound, "ParentResourceNotFound")
	_, err = a.records.NewListAllByDNSZonePager(group, "no.example", nil).NextPage(t.Context())
	requireRefused(t, err, http.StatusNotFound, "ResourceNotFound")
	_, err = a.zones.NewListByResourceGroupPager("no-rg", nil).NextPage(t.Context())
	requireRefused(t, err, http.StatusNotFound, "ResourceGroupNotFound")
	_, err = a.zones.Get(t.Context(), group, "no.example", nil)
	requireRefused(t, err, http.StatusNotFound, "ResourceNotFound")
	if z, err := a.privateZones.Get(t.Context(), group, "zone.example", nil); err != nil || *z.ID != a.private {
		t.Errorf("got %v, %v", z.ID, err)
	}
}

func TestTinyPages(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{PageSize: 3})
	for i := range 10 {
		r := backend.RRset{Key: backend.Key{Name: fmt.Sprintf("h%d.zone.example", i), Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}}
		a.Put(a.public, r)
		a.Put(a.private, r)
		a.AddZone(sub, group, fmt.Sprintf("z%d.example", i), azurednstest.Public)
	}
	pages, names := 0, map[string]bool{}
	for p := a.records.NewListAllByDNSZonePager(group, "zone.example", nil); p.More(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range page.Value {
			names[*set.Name+" "+*set.Type] = true
		}
	}
	if pages != 4 || len(names) != 12 || !names["h7 Microsoft.Network/dnszones/A"] || !names["@ Microsoft.Network/dnszones/SOA"] {
		t.Errorf("%d pages with %v", pages, names)
	}
	private := 0
	for p := a.privateRecords.NewListPager(group, "zone.example", nil); p.More(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		private += len(page.Value)
	}
	if private != 11 {
		t.Errorf("%d private record sets", private)
	}
	zones := 0
	for p := a.zones.NewListPager(nil); p.More(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		zones += len(page.Value)
	}
	if zones != 11 {
		t.Errorf("%d zones", zones)
	}
	_, err := a.zones.NewListPager(&armdns.ZonesClientListOptions{Top: ptr(int32(1001))}).NextPage(t.Context())
	requireRefused(t, err, http.StatusBadRequest, "BadRequest")
	if c := a.Counts(); c["RecordSets_ListAllByDNSZone"] != 4 || c["RecordSets_List"] != 4 || c["Zones_List"] != 5 || c["Token"] != 1 {
		t.Errorf("counts %v", c)
	}
}

func TestRightsTokensAndThrottling(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{Bucket: azurednstest.Bucket{Size: 3, PerSecond: 1}})
	get := func(ctx context.Context) error {
		_, err := a.records.Get(ctx, group, "zone.example", "@", armdns.RecordTypeSOA, nil)
		return err
	}
	a.Deny(a.public)
	requireRefused(t, get(t.Context()), http.StatusForbidden, "AuthorizationFailed")
	a.Allow()
	var resp *http.Response
	if err := get(policy.WithCaptureResponse(t.Context(), &resp)); err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("x-ms-ratelimit-remaining-subscription-reads"); got != "2" {
		t.Errorf("%q reads left, want 2", got)
	}
	var err error
	for range 5 {
		if err = get(t.Context()); err != nil {
			break
		}
	}
	requireRefused(t, err, http.StatusTooManyRequests, "TooManyRequests")
	a.Throttle(1, 7*time.Second)
	err = get(t.Context())
	requireRefused(t, err, http.StatusTooManyRequests, "TooManyRequests")
	var refused *azcore.ResponseError
	if errors.As(err, &refused); refused.RawResponse.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After is %q", refused.RawResponse.Header.Get("Retry-After"))
	}
	a.Fail(1, http.StatusServiceUnavailable)
	requireRefused(t, get(t.Context()), http.StatusServiceUnavailable, "InternalServerError")
	a.RevokeTokens()
	requireRefused(t, get(t.Context()), http.StatusUnauthorized, "InvalidAuthenticationToken")
}

func TestALostReplyIsOfAWriteThatWasMade(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.LoseReplies(1)
	if _, err := a.records.CreateOrUpdate(t.Context(), group, "zone.example", "www", armdns.RecordTypeA, aSet(60, "192.0.2.1"), nil); err == nil {
		t.Error("an answer came")
	}
	got := a.Records(a.public)
	if len(got) != 1 || got[0].Name != "www.zone.example" || got[0].TTL != time.Minute || got[0].Values[0] != "192.0.2.1" {
		t.Errorf("the zone holds %v", got)
	}
}

func TestWhatOthersWriteIsShownAsTheAPIShowsIt(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.PutRaw(a.public, "alias", "A", `{"TTL":60,"targetResource":{"id":"/subscriptions/x"}}`)
	a.PutRaw(a.private, "vm", "A", `{"TTL":10,"isAutoRegistered":true,"ARecords":[{"ipv4Address":"10.0.0.4"}],"metadata":{"a":"b"}}`)
	alias, err := a.records.Get(t.Context(), group, "zone.example", "alias", armdns.RecordTypeA, nil)
	if err != nil || *alias.Properties.TargetResource.ID != "/subscriptions/x" || *alias.Properties.Fqdn != "alias.zone.example." {
		t.Errorf("got %+v, %v", alias.Properties, err)
	}
	vm, err := a.privateRecords.Get(t.Context(), group, "zone.example", armprivatedns.RecordTypeA, "vm", nil)
	if err != nil || !*vm.Properties.IsAutoRegistered || *vm.Properties.TTL != 10 || *vm.Properties.ARecords[0].IPv4Address != "10.0.0.4" || *vm.Properties.Metadata["a"] != "b" {
		t.Errorf("got %+v, %v", vm.Properties, err)
	}
	if raw := a.Raw(a.private, "vm", "A"); !strings.Contains(raw, "isAutoRegistered") {
		t.Errorf("raw %s", raw)
	}
}
