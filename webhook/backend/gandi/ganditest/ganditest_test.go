package ganditest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
)

func started(t *testing.T, o ganditest.Options) *ganditest.Server {
	t.Helper()
	o.Domains = append(o.Domains, "example.org")
	s, err := ganditest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// call sends one request as a client with all rights, unless authorization says otherwise.
func call(t *testing.T, s *ganditest.Server, method, path, body string, authorization ...string) (reply, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/v5/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", append(authorization, "Bearer "+ganditest.Token)[0])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(answer)
}

// reply is what an answer says before its body.
type reply struct {
	status int
	Header http.Header
}

const records = "livedns/domains/example.org/records"

func rrset(name, typ string, ttl int, values ...string) string {
	b, _ := json.Marshal(ganditest.Record{Name: name, Type: typ, TTL: ttl, Values: values})
	return string(b)
}

// Every refusal of the service; where it is documented stands beside it in the code.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := started(t, ganditest.Options{ReadToken: "reader"})
	s.Put("example.org", ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	s.Put("example.org", ganditest.Record{Name: "alias", Type: "CNAME", TTL: 300, Values: []string{"www"}})
	before := s.Records("example.org")
	long := `"` + strings.Repeat("x", 256) + `"`
	for _, tt := range []struct {
		name, method, path, body, as string
		status                       int
		want                         string
	}{
		{"no credentials", "GET", records, "", " ", 401, `"object":"HTTPUnauthorized"`},
		{"a wrong token", "GET", records, "", "Bearer wrong", 401, `"cause":"Unauthorized"`},
		{"a token as a key", "GET", records, "", "Apikey " + ganditest.Token, 401, `"code":401`},
		{"a token that may only read", "PUT", records + "/www/A", rrset("", "", 300, "192.0.2.2"), "Bearer reader", 403, "Access was denied"},
		{"an unknown domain", "GET", "livedns/domains/example.net/records", "", "", 404, "could not be found"},
		{"a TTL below 300", "POST", records, rrset("new", "A", 60, "192.0.2.1"), "", 400, `"description":"60 is less than minimum value 300"`},
		{"a TTL above 30 days", "PUT", records + "/www/A", rrset("", "", 2592001, "192.0.2.1"), "", 400, "2592001 is greater than maximum value 2592000"},
		{"a record that is there", "POST", records, rrset("www", "A", 300, "192.0.2.9"), "", 409, "already exists"},
		{"an address that is none", "PUT", records + "/www/A", rrset("", "", 300, "192.0.2.256"), "", 400, "'192.0.2.256': invalid IP address"},
		{"an IPv6 address as A", "PUT", records + "/www/A", rrset("", "", 300, "2001:db8::1"), "", 400, "invalid IP address"},
		{"a host that is an address", "PUT", records + "/mail/MX", rrset("", "", 300, "10 192.0.2.1."), "", 400, "invalid hostname"},
		{"an MX without a preference", "PUT", records + "/mail/MX", rrset("", "", 300, "mail"), "", 400, "invalid MX value"},
		{"no values", "PUT", records + "/www/A", rrset("", "", 300), "", 400, "rrset_values"},
		{"a value twice", "PUT", records + "/www/A", rrset("", "", 300, "192.0.2.1", "192.0.2.1"), "", 400, "duplicate"},
		{"text of 256 bytes in one string", "PUT", records + "/t/TXT", rrset("", "", 300, long), "", 400, "256 bytes"},
		{"open quotes", "PUT", records + "/t/TXT", rrset("", "", 300, `"open`), "", 400, "invalid quotes"},
		{"a type it does not know", "POST", records, rrset("x", "HTTPS", 300, "1 ."), "", 400, "rrset_type"},
		{"a CNAME beside an address", "POST", records, rrset("www", "CNAME", 300, "elsewhere"), "", 400, "coexist"},
		{"an address beside a CNAME", "PUT", records + "/alias/A", rrset("", "", 300, "192.0.2.1"), "", 400, "coexist"},
		{"both in one step", "PUT", records + "/both", `{"items":[` + rrset("", "A", 300, "192.0.2.1") + `,` + rrset("", "CNAME", 300, "x") + `]}`, "", 400, "coexist"},
		{"two values of a CNAME", "PUT", records + "/c/CNAME", rrset("", "", 300, "one", "two"), "", 400, "one value"},
		{"a CNAME at the domain's own name", "PUT", records + "/@/CNAME", rrset("", "", 300, "x"), "", 400, "own name"},
		{"NS at the domain's own name", "PUT", records + "/@/NS", rrset("", "", 300, "ns1.example.net."), "", 400, "own name"},
		{"ALIAS below the domain", "PUT", records + "/x/ALIAS", rrset("", "", 300, "y.example.net."), "", 400, "only '@'"},
		{"nothing at a name", "PUT", records + "/www", `{"items":[]}`, "", 400, "items"},
		{"no JSON", "POST", records, "{", "", 400, "not valid JSON"},
		{"a delete of nothing", "DELETE", records + "/nothing/A", "", "", 404, "could not be found"},
		{"a page that is no number", "GET", records + "?page=x", "", "", 400, "querystring"},
		{"another path", "GET", "livedns/zones", "", "", 404, "could not be found"},
	} {
		var as []string
		if tt.as != "" {
			as = []string{tt.as}
		}
		resp, body := call(t, s, tt.method, tt.path, tt.body, as...)
		if resp.status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %d and %q", tt.name, resp.status, body, tt.status, tt.want)
		}
	}
	if diff := cmp.Diff(before, s.Records("example.org")); diff != "" {
		t.Errorf("what was refused changed something (-before +after):\n%s", diff)
	}
}

func TestWrites(t *testing.T) {
	t.Parallel()
	s := started(t, ganditest.Options{})
	for _, step := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", records, rrset("www", "A", 300, "192.0.2.1"), 201, "www A 300 [192.0.2.1]"},
		{"PUT", records + "/www/A", rrset("", "", 600, "192.0.2.2", "192.0.2.3"), 201, "www A 600 [192.0.2.2 192.0.2.3]"},
		{"PUT", records + "/www/TXT", rrset("", "", 300, "plain"), 201, `www A 600 [192.0.2.2 192.0.2.3], www TXT 300 ["plain"]`},
		{"PUT", records + "/www", `{"items":[` + rrset("", "CNAME", 300, "lb.example.net.") + `]}`, 201, "www CNAME 300 [lb.example.net.]"},
		{"DELETE", records + "/www", "", 204, ""},
		{"PUT", records + "/%40/TXT", rrset("", "", 0, `"grün\" \092" "two"`), 201, `@ TXT 10800 ["gr\195\188n\" \\" "two"]`},
		{"DELETE", records + "/@/TXT", "", 204, ""},
	} {
		resp, body := call(t, s, step.method, step.path, step.body)
		var all []string
		for _, r := range s.Records("example.org") {
			all = append(all, fmt.Sprint(r.Name, " ", r.Type, " ", r.TTL, " ", r.Values))
		}
		if got := strings.Join(all, ", "); resp.status != step.status || got != step.want {
			t.Errorf("%s %s: %d %s, then %q; want %d and %q", step.method, step.path, resp.status, body, got, step.status, step.want)
		}
	}
	want := map[string]int{"POST records": 1, "PUT rrset": 3, "PUT name": 1, "DELETE name": 1, "DELETE rrset": 1}
	if diff := cmp.Diff(want, s.Requests()); diff != "" || s.Total() != 7 {
		t.Errorf("counted %d requests (-want +got):\n%s", s.Total(), diff)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := started(t, ganditest.Options{PerPage: 2, MaxPerPage: 3})
	for i := range 7 {
		s.Put("example.org", ganditest.Record{Name: fmt.Sprint("h", i), Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	}
	for _, tt := range []struct {
		query string
		names string
		next  string
	}{
		{"", "h0 h1", "page=2"},
		{"?page=4", "h6", ""},
		{"?per_page=3&page=2", "h3 h4 h5", "page=3&per_page=3"},
		{"?per_page=500", "h0 h1 h2", "page=2&per_page=500"},
		{"?page=9", "", ""},
	} {
		resp, body := call(t, s, "GET", records+tt.query, "")
		var page []ganditest.Record
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range page {
			names = append(names, r.Name)
		}
		next := ""
		if link := resp.Header.Get("Link"); link != "" {
			next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"+s.URL()+"/v5/"+records+"?"), `>; rel="next"`)
		}
		if got := strings.Join(names, " "); got != tt.names || next != tt.next || resp.Header.Get("Total-Count") != "7" {
			t.Errorf("%q: %q, next %q, total %q; want %q, next %q, total 7", tt.query, got, next, resp.Header.Get("Total-Count"), tt.names, tt.next)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := started(t, ganditest.Options{})
	status := func(method string) int {
		t.Helper()
		resp, _ := call(t, s, method, records+"/www/A", rrset("", "", 300, "192.0.2.1"))
		return resp.status
	}
	s.Throttle(1, 7*time.Second)
	if resp, _ := call(t, s, "GET", records, ""); resp.status != 429 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("throttled: %d, wait %q", resp.status, resp.Header.Get("Retry-After"))
	}
	s.Fail(1, 503)
	if got := status("GET"); got != 503 {
		t.Errorf("failing: %d", got)
	}
	s.Break(1)
	if resp, body := call(t, s, "GET", records, ""); resp.status != 502 || !strings.HasPrefix(body, "<html>") {
		t.Errorf("broken: %d %s", resp.status, body)
	}
	s.FailWrites(1, 1, 500)
	if got := []int{status("PUT"), status("GET"), status("PUT"), status("PUT")}; !cmp.Equal(got, []int{201, 200, 500, 201}) {
		t.Errorf("the second write failing: %v", got)
	}
	s.Expire(true)
	if got := status("GET"); got != 403 {
		t.Errorf("expired: %d", got)
	}
	s.Expire(false)
	s.Remove("example.org", "www", "A")
	s.LoseReply(1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL()+"/v5/"+records+"/www/A", bytes.NewReader([]byte(rrset("", "", 300, "192.0.2.1"))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ganditest.Token)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Errorf("a lost reply arrived: %d", resp.StatusCode)
	}
	if len(s.Records("example.org")) != 1 {
		t.Error("the write whose reply was lost was not made")
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := started(t, ganditest.Options{PerMinute: 2})
	var got []int
	for range 3 {
		resp, _ := call(t, s, "GET", records, "")
		got = append(got, resp.status)
	}
	if !cmp.Equal(got, []int{200, 200, 429}) {
		t.Errorf("three requests with two allowed: %v", got)
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	s := started(t, ganditest.Options{SharingID: "ours", Domains: []string{"example.net"}})
	for path, want := range map[string]string{
		"livedns/domains":                     `"fqdn":"example.net"`,
		"livedns/domains?sharing_id=ours":     `"fqdn":"example.org"`,
		"livedns/domains?sharing_id=others":   `[]`,
		"livedns/domains/example.org":         `"fqdn":"example.org"`,
		"domain/domains":                      `"current":"livedns"`,
		"domain/domains?per_page=1&page=2":    `"fqdn":"example.org"`,
		"livedns/domains/example.org/records": `[]`,
	} {
		if resp, body := call(t, s, "GET", path, "", "Apikey "+ganditest.APIKey); resp.status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, resp.status, body, want)
		}
	}
	s.RemoveDomain("example.org")
	if resp, _ := call(t, s, "GET", records, ""); resp.status != 404 {
		t.Errorf("a domain that is gone: %d", resp.status)
	}
	s.AddDomain("example.org")
	if resp, _ := call(t, s, "GET", records, ""); resp.status != 200 {
		t.Errorf("a domain that is back: %d", resp.status)
	}
}
