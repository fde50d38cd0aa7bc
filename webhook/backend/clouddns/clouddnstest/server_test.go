package clouddnstest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2/google"
	"google.golang.org/api/dns/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

const project = "platform"

// service is a server with one zone, and the SDK's client of it.
func service(t *testing.T) (*clouddnstest.Server, *dns.Service) {
	t.Helper()
	s, err := clouddnstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddZone(clouddnstest.Zone{Project: project, Name: "main", DNSName: "zone.example"})
	creds, err := google.CredentialsFromJSONWithType(t.Context(), s.KeyFile(project), google.ServiceAccount, dns.NdevClouddnsReadwriteScope)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dns.NewService(t.Context(), option.WithEndpoint(s.URL()), option.WithCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

func set(name, typ string, ttl int64, rrdatas ...string) *dns.ResourceRecordSet {
	return &dns.ResourceRecordSet{Name: name + ".zone.example.", Type: typ, Ttl: ttl, Rrdatas: rrdatas, ForceSendFields: []string{"Ttl"}}
}

func add(sets ...*dns.ResourceRecordSet) *dns.Change { return &dns.Change{Additions: sets} }

func many(n int, typ, value string) []*dns.ResourceRecordSet {
	sets := make([]*dns.ResourceRecordSet, n)
	for i := range sets {
		sets[i] = set(fmt.Sprintf("h%04d", i), typ, 300, value)
	}
	return sets
}

// values are n addresses.
func values(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("10.0.%d.%d", i>>8, i&255)
	}
	return out
}

// Each refusal has its source beside the code that refuses.
func TestRefusesWhatTheServiceRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change *dns.Change
		code   int
		reason string
	}{
		{"an empty change", &dns.Change{}, 400, "required"},
		{"1,001 additions", add(many(1001, "A", "192.0.2.1")...), 403, "quotaExceeded"},
		{"1,001 deletions", &dns.Change{Deletions: many(1001, "A", "192.0.2.1")}, 403, "quotaExceeded"},
		{"too much data", add(many(400, "TXT", `"`+strings.Repeat("x", 250)+`"`)...), 403, "quotaExceeded"},
		{"101 values", add(set("www", "A", 300, values(101)...)), 403, "quotaExceeded"},
		{"9 name servers", add(set("sub", "NS", 300, "a.example.", "b.example.", "c.example.", "d.example.", "e.example.", "f.example.", "g.example.", "h.example.", "i.example.")), 403, "quotaExceeded"},
		{"a deletion of nothing", &dns.Change{Deletions: []*dns.ResourceRecordSet{set("no", "A", 300, "192.0.2.1")}}, 404, "notFound"},
		{"a deletion with another TTL", &dns.Change{Deletions: []*dns.ResourceRecordSet{set("there", "A", 301, "192.0.2.1")}}, 412, "conditionNotMet"},
		{"a deletion with another value", &dns.Change{Deletions: []*dns.ResourceRecordSet{set("there", "A", 300, "192.0.2.2")}}, 412, "conditionNotMet"},
		{"a deletion of a part", &dns.Change{Deletions: []*dns.ResourceRecordSet{set("two", "A", 300, "192.0.2.1")}}, 412, "conditionNotMet"},
		{"a deletion of a routing policy as if it had values", &dns.Change{Deletions: []*dns.ResourceRecordSet{set("routed", "A", 300)}}, 412, "conditionNotMet"},
		{"an addition of what exists", add(set("there", "A", 300, "192.0.2.1")), 409, "alreadyExists"},
		{"an addition twice", add(set("www", "A", 300, "192.0.2.1"), set("www", "A", 300, "192.0.2.1")), 409, "alreadyExists"},
		{"a CNAME beside others", add(set("there", "CNAME", 300, "x.example.")), 400, "cnameResourceRecordSetConflict"},
		{"an address beside a CNAME", add(set("alias", "A", 300, "192.0.2.1")), 400, "cnameResourceRecordSetConflict"},
		{"a CNAME with two values", add(set("www", "CNAME", 300, "x.example.", "y.example.")), 400, "invalid"},
		{"a CNAME at the apex", add(&dns.ResourceRecordSet{Name: "zone.example.", Type: "CNAME", Ttl: 300, Rrdatas: []string{"x.example."}}), 400, "invalid"},
		{"the apex without NS", &dns.Change{Deletions: []*dns.ResourceRecordSet{{Name: "zone.example.", Type: "NS", Ttl: 21600, Rrdatas: []string{"ns-cloud-a1.googledomains.com.", "ns-cloud-a2.googledomains.com."}}}}, 400, "invalidZoneApex"},
		{"a name of another zone", add(&dns.ResourceRecordSet{Name: "www.otherzone.example.", Type: "A", Ttl: 300, Rrdatas: []string{"192.0.2.1"}}), 400, "invalid"},
		{"a name without its dot", add(&dns.ResourceRecordSet{Name: "www.zone.example", Type: "A", Ttl: 300, Rrdatas: []string{"192.0.2.1"}}), 400, "invalid"},
		{"a label of 64 bytes", add(set(strings.Repeat("x", 64), "A", 300, "192.0.2.1")), 400, "invalid"},
		{"a TTL below zero", add(set("www", "A", -1, "192.0.2.1")), 400, "invalid"},
		{"a TTL beyond 31 bits", add(set("www", "A", 1<<31, "192.0.2.1")), 400, "invalid"},
		{"an unknown type", add(set("www", "LOC", 300, "x")), 400, "invalid"},
		{"no values", add(set("www", "A", 300)), 400, "invalid"},
		{"a value twice", add(set("www", "A", 300, "192.0.2.1", "192.0.2.1")), 400, "invalid"},
		{"an address that is none", add(set("www", "A", 300, "192.0.2.256")), 400, "invalid"},
		{"an address of the other family", add(set("www", "AAAA", 300, "192.0.2.1")), 400, "invalid"},
		{"a target without its dot", add(set("www", "CNAME", 300, "x.example")), 400, "invalid"},
		{"an MX without preference", add(set("www", "MX", 300, "mail.example.")), 400, "invalid"},
		{"an SRV port too high", add(set("_s._tcp", "SRV", 300, "0 0 65536 x.example.")), 400, "invalid"},
		{"a NAPTR without quotes", add(set("tel", "NAPTR", 300, "1 1 u x y .")), 400, "invalid"},
		{"a text string of 256 bytes", add(set("www", "TXT", 300, `"`+strings.Repeat("x", 256)+`"`)), 400, "invalid"},
		{"a text with an open quote", add(set("www", "TXT", 300, `"x`)), 400, "invalid"},
		{"a text with a raw byte", add(set("www", "TXT", 300, "\"\x01\"")), 400, "invalid"},
		{"an ALIAS below the apex", add(set("www", "ALIAS", 300, "x.example.")), 400, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, client := service(t)
			s.Put(project, "main", clouddnstest.Record{Name: "there.zone.example.", Type: "A", TTL: 300, Rrdatas: []string{"192.0.2.1"}})
			s.Put(project, "main", clouddnstest.Record{Name: "two.zone.example.", Type: "A", TTL: 300, Rrdatas: []string{"192.0.2.1", "192.0.2.2"}})
			s.Put(project, "main", clouddnstest.Record{Name: "alias.zone.example.", Type: "CNAME", TTL: 300, Rrdatas: []string{"x.example."}})
			s.Put(project, "main", clouddnstest.Record{Name: "routed.zone.example.", Type: "A", TTL: 300, RoutingPolicy: map[string]any{"kind": "x"}})
			before := s.Records(project, "main")
			_, err := client.Changes.Create(project, "main", c.change).Context(t.Context()).Do()
			requireRefused(t, err, c.code, c.reason)
			if after := s.Records(project, "main"); len(after) != len(before) {
				t.Errorf("%d RRsets before, %d after", len(before), len(after))
			}
		})
	}
}

func requireRefused(t *testing.T, err error, code int, reason string) {
	t.Helper()
	e, ok := err.(*googleapi.Error) //nolint:errorlint // the SDK promises this type
	if !ok || e.Code != code || len(e.Errors) == 0 || e.Errors[0].Reason != reason {
		t.Fatalf("got %v, want %d %s", err, code, reason)
	}
}

func TestAcceptsWhatIsRight(t *testing.T) {
	t.Parallel()
	s, client := service(t)
	c := add(
		set("www", "A", 0, "192.0.2.1", "192.0.2.2"), set("www", "AAAA", 1<<31-1, "2001:db8::1"), set("*.apps", "CNAME", 60, "x.example."),
		set("www", "MX", 60, "0 ."), set("_s._tcp", "SRV", 60, "1 2 3 x.example."), set("sub", "NS", 60, "ns.example."), set("1", "PTR", 60, "x.example."),
		set("tel", "NAPTR", 60, `100 10 "u" "E2U+sip" "!^.*$!sip:\\1@example.org!" .`), set("note", "TXT", 60, `"a \"b\" \\ \255" "c"`), set("bare", "TXT", 60, "two words"),
		set("www", "CAA", 60, `0 issue "ca.example"`),
	)
	if _, err := client.Changes.Create(project, "main", c).Context(t.Context()).Do(); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Records(project, "main")); got != len(c.Additions)+2 {
		t.Errorf("%d RRsets, want those and the SOA and NS", got)
	}
	for _, r := range s.Records(project, "main") {
		if r.Name == "bare.zone.example." && r.Rrdatas[0] != `"two" "words"` {
			t.Errorf("a text without quotes is kept as %q", r.Rrdatas)
		}
	}
	// An RRset is replaced in one change.
	c = &dns.Change{Deletions: []*dns.ResourceRecordSet{set("www", "A", 0, "192.0.2.2", "192.0.2.1")}, Additions: []*dns.ResourceRecordSet{set("www", "A", 60, "192.0.2.3")}}
	if done, err := client.Changes.Create(project, "main", c).Context(t.Context()).Do(); err != nil || done.Status != "pending" {
		t.Errorf("got %v, %v", done, err)
	}
}

func TestZonesAndPages(t *testing.T) {
	t.Parallel()
	s, client := service(t)
	id := s.AddZone(clouddnstest.Zone{Project: project, Name: "inside", DNSName: "zone.example.", Visibility: "private"})
	s.AddZone(clouddnstest.Zone{Project: project, Name: "forward", DNSName: "corp.example.", Visibility: "private", Config: "forwardingConfig"})
	s.AddZone(clouddnstest.Zone{Project: "another", Name: "main", DNSName: "zone.example."})
	s.Limit(func(l *clouddnstest.Limits) { l.ZonesPage, l.Page = 2, 3 })

	var names []string
	pages := 0
	err := client.ManagedZones.List(project).Pages(t.Context(), func(r *dns.ManagedZonesListResponse) error {
		pages++
		for _, z := range r.ManagedZones {
			names = append(names, z.Name+" "+z.Visibility)
			if (z.Name == "forward") != (z.ForwardingConfig != nil) {
				t.Errorf("zone %s has the forwarding configuration %v", z.Name, z.ForwardingConfig)
			}
		}
		return nil
	})
	if want := []string{"forward private", "inside private", "main public"}; err != nil || pages != 2 || !slices.Equal(names, want) {
		t.Errorf("got %q in %d pages, %v; want %q in 2", names, pages, err, want)
	}
	if one, err := client.ManagedZones.List(project).DnsName("corp.example.").Do(); err != nil || len(one.ManagedZones) != 1 {
		t.Errorf("by name: %v, %v", one, err)
	}

	byID := fmt.Sprint(id)
	if _, err := client.Changes.Create(project, byID, add(many(7, "A", "192.0.2.1")...)).Do(); err != nil {
		t.Fatal(err)
	}
	var sets []string
	pages = 0
	err = client.ResourceRecordSets.List(project, byID).Pages(t.Context(), func(r *dns.ResourceRecordSetsListResponse) error {
		pages++
		for _, set := range r.Rrsets {
			sets = append(sets, set.Name+set.Type)
		}
		return nil
	})
	if err != nil || pages != 3 || len(sets) != 9 || !slices.IsSorted(sets) {
		t.Errorf("got %q in %d pages, %v; want 9 sorted in 3", sets, pages, err)
	}
	one, err := client.ResourceRecordSets.List(project, byID).Name("h0003.zone.example.").Type("A").Do()
	if err != nil || len(one.Rrsets) != 1 || one.Rrsets[0].Name != "h0003.zone.example." {
		t.Errorf("one RRset: %v, %v", one, err)
	}
	_, err = client.ResourceRecordSets.List(project, byID).Type("A").Do()
	requireRefused(t, err, 400, "required")
	_, err = client.ResourceRecordSets.List(project, byID).PageToken("made-up").Do()
	requireRefused(t, err, 400, "invalid")
	_, err = client.ResourceRecordSets.List(project, "unknown").Do()
	requireRefused(t, err, 404, "notFound")
	_, err = client.ManagedZones.Get(project, "unknown").Do()
	requireRefused(t, err, 404, "notFound")
	_, err = client.Changes.Create(project, "forward", add(set("www", "A", 1, "192.0.2.1"))).Do()
	requireRefused(t, err, 400, "invalid")
	if calls := s.Calls(); calls["managedZones.list"] != 3 || calls["changes.create"] != 2 {
		t.Errorf("counted %v", calls)
	}
	s.ResetCalls()
	if calls := s.Calls(); len(calls) != 0 {
		t.Errorf("counted %v after the reset", calls)
	}
}

func TestAZoneMayBeFull(t *testing.T) {
	t.Parallel()
	s, client := service(t)
	s.Limit(func(l *clouddnstest.Limits) { l.SetsPerZone = 3 })
	if _, err := client.Changes.Create(project, "main", add(many(1, "A", "192.0.2.1")...)).Do(); err != nil {
		t.Fatal(err)
	}
	_, err := client.Changes.Create(project, "main", add(set("more", "A", 1, "192.0.2.1"))).Do()
	requireRefused(t, err, 403, "quotaExceeded")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s, client := service(t)
	list := func() error {
		_, err := client.ResourceRecordSets.List(project, "main").Do()
		return err
	}
	s.Fail(clouddnstest.Throttled(2))
	for range 2 {
		requireRefused(t, list(), 403, "rateLimitExceeded")
	}
	s.Fail(clouddnstest.Fault{Operation: "resourceRecordSets.list", After: 1, Status: 500})
	if err := list(); err != nil {
		t.Error(err)
	}
	if e, ok := list().(*googleapi.Error); !ok || e.Code != 500 { //nolint:errorlint // the SDK promises this type
		t.Errorf("got %v, want 500", e)
	}
	s.Fail(clouddnstest.Fault{Operation: "changes.create", LoseReply: true})
	if _, err := client.Changes.Create(project, "main", add(set("www", "A", 300, "192.0.2.1"))).Do(); err == nil {
		t.Error("the reply was not lost")
	}
	if got := len(s.Records(project, "main")); got != 3 {
		t.Errorf("%d RRsets after a lost reply, want 3", got)
	}
	s.Fail(clouddnstest.Fault{Times: 100, Status: 503})
	s.Heal()
	if err := list(); err != nil {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s, client := service(t)
	list := func() error {
		_, err := client.ResourceRecordSets.List(project, "main").Do()
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	s.Deny(true)
	requireRefused(t, list(), 403, "forbidden")
	s.Deny(false)
	s.Expire()
	requireRefused(t, list(), 401, "authError")

	resp, err := http.Get(s.URL() + "/dns/v1/projects/platform/managedZones")
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

func TestTokensAreForThoseWhoProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	wrong, err := s.WrongKeyFile(project)
	if err != nil {
		t.Fatal(err)
	}
	s.SubjectToken("known")
	exchange := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "audience": {"//iam.googleapis.com/projects/1/locations/global"},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "scope": {dns.NdevClouddnsReadwriteScope}, "subject_token": {"known"},
	}
	with := func(key, value string) url.Values {
		v := url.Values{key: {value}}
		for k := range exchange {
			if k != key {
				v[k] = exchange[k]
			}
		}
		return v
	}
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
	}{
		"known subject":   {"/v1/token", exchange, 200},
		"unknown subject": {"/v1/token", with("subject_token", "forged"), 400},
		"another pool":    {"/v1/token", with("audience", "//elsewhere"), 400},
		"read-only scope": {"/v1/token", with("scope", dns.NdevClouddnsReadonlyScope), 400},
		"no assertion":    {"/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"x.y.z"}}, 400},
		"a password":      {"/token", url.Values{"grant_type": {"password"}}, 400},
	} {
		resp, err := http.PostForm(s.URL()+c.path, c.form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !json.Valid(body) {
			t.Errorf("%s: got %d %s, want %d", name, resp.StatusCode, body, c.status)
		}
	}
	creds, err := google.CredentialsFromJSONWithType(t.Context(), wrong, google.ServiceAccount, dns.NdevClouddnsReadwriteScope)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := creds.TokenSource.Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("a deleted key got %v", err)
	}
}

// external-dns's own provider has a fixed endpoint.
func TestTransportSendsEverythingHere(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://dns.googleapis.com/dns/v1/projects/platform/managedZones", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Transport().RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %v, %v; want the server's 401", resp, err)
	}
	_ = resp.Body.Close()
}

func TestMetadataServer(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	get := func(path, flavor string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/computeMetadata/v1/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Metadata-Flavor", flavor)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode, string(body)
	}
	if status, _ := get("project/project-id", "Google"); status != http.StatusNotFound {
		t.Errorf("without a project: %d", status)
	}
	s.Metadata(project)
	if status, body := get("project/project-id", "Google"); status != http.StatusOK || body != project {
		t.Errorf("the project is %d %s", status, body)
	}
	if status, _ := get("project/project-id", ""); status != http.StatusForbidden {
		t.Errorf("without the header: %d", status)
	}
	if status, body := get("instance/service-accounts/default/token", "Google"); status != http.StatusOK || !strings.Contains(body, "access_token") {
		t.Errorf("the token is %d %s", status, body)
	}
	if status, _ := get("universe/universe-domain", "Google"); status != http.StatusNotFound {
		t.Errorf("the universe is %d", status)
	}
}
