package clouddns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"google.golang.org/api/dns/v1"
	"google.golang.org/api/googleapi"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	answer := func(code int, reason, message string) error {
		return &googleapi.Error{Code: code, Message: message, Errors: []googleapi.ErrorItem{{Reason: reason, Message: message}}}
	}
	granting := func(status int) error {
		return &url.Error{Op: "Get", URL: "x", Err: &tokenError{&oauth2.RetrieveError{Response: &http.Response{StatusCode: status}}}}
	}
	for _, c := range []struct {
		name string
		err  error
		want meaning
		kind backend.Kind
	}{
		{"success", nil, none, backend.Temporary},
		{"a deletion that does not match", answer(412, "conditionNotMet", "Precondition not met for 'entity.change.deletions[76]'"), stale, backend.Conflict},
		{"an addition that exists", answer(409, "alreadyExists", "x"), stale, backend.Conflict},
		{"a deletion of nothing", answer(404, "notFound", "The 'entity.change.deletions[0]' resource named 'x. (A)' does not exist."), stale, backend.Conflict},
		{"no such zone", answer(404, "notFound", "The 'parameters.managedZone' resource named 'x' does not exist."), gone, backend.Temporary},
		{"a CNAME beside others", answer(400, "cnameResourceRecordSetConflict", "x"), stale, backend.Conflict},
		{"a bad value", answer(400, "invalid", "x"), refused, backend.Rejected},
		{"too large for a request", answer(413, "uploadTooLarge", "x"), refused, backend.Rejected},
		{"too much for a change", answer(403, "quotaExceeded", "The change would exceed quota for additions per change."), refused, backend.Rejected},
		{"a full zone", answer(403, "quotaExceeded", "The change would exceed quota for resource record sets per managed zone."), full, backend.Rejected},
		{"requests used up", answer(403, "quotaExceeded", "Quota exceeded for quota metric 'Write requests'"), throttled, backend.Temporary},
		{"too fast", answer(403, "rateLimitExceeded", "Rate Limit Exceeded"), throttled, backend.Temporary},
		{"too fast for a user", answer(403, "userRateLimitExceeded", "x"), throttled, backend.Temporary},
		{"too fast, says the gateway", answer(429, "rateLimitExceeded", "x"), throttled, backend.Temporary},
		{"no rights", answer(403, "forbidden", "Forbidden"), denied, backend.Denied},
		{"the API is off", answer(403, "accessNotConfigured", "x"), denied, backend.Denied},
		{"no bill is paid", answer(403, "inactiveBillingState", "x"), denied, backend.Denied},
		{"a bad token", answer(401, "authError", "x"), denied, backend.Denied},
		{"a fault", answer(500, "backendError", "x"), faulty, backend.Temporary},
		{"out of service", &googleapi.Error{Code: 503}, faulty, backend.Temporary},
		{"wrapped", fmt.Errorf("project x: %w", answer(403, "forbidden", "x")), denied, backend.Denied},
		{"out of time", fmt.Errorf("x: %w", context.DeadlineExceeded), unheard, backend.Temporary},
		{"connection lost", io.ErrUnexpectedEOF, unheard, backend.Temporary},
		{"no token for that key", granting(400), denied, backend.Denied},
		{"no token today", granting(503), faulty, backend.Temporary},
		{"no token so fast", granting(429), faulty, backend.Temporary},
		{"no token without a network", &tokenError{&net.OpError{Op: "dial", Err: errors.New("refused")}}, unheard, backend.Temporary},
		{"no token by the security token service today", &tokenError{errors.New("oauth2/google: status code 503: x")}, unheard, backend.Temporary},
		{"no token by the security token service so fast", &tokenError{errors.New("oauth2/google: status code 429: x")}, throttled, backend.Temporary},
		{"no subject token", &tokenError{errors.New("oauth2/google/externalaccount: failed to open credential file \"x\"")}, denied, backend.Denied},
		{"no credentials", &tokenError{&credentialsError{errors.New("x")}}, denied, backend.Denied},
		{"no token by the security token service", &tokenError{errors.New("oauth2/google: status code 400: x")}, denied, backend.Denied},
		{"a certificate", &url.Error{Err: &tls.CertificateVerificationError{Err: errors.New("x")}}, denied, backend.Denied},
	} {
		if got := classify(c.err); got != c.want || got.kind() != c.kind {
			t.Errorf("%s: meaning %d, %s; want %d, %s", c.name, got, got.kind(), c.want, c.kind)
		}
	}
}

func TestResultReadsTheBodyAndLeavesIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   apicall.Result
	}{
		{200, `{}`, apicall.OK},
		{403, `{"error":{"code":403,"message":"x","errors":[{"reason":"rateLimitExceeded"}]}}`, apicall.Throttled},
		{403, `{"error":{"code":403,"message":"x","errors":[{"reason":"forbidden"}]}}`, apicall.Denied},
		{401, ``, apicall.Denied},
		{404, `{"error":{"code":404,"message":"The 'parameters.managedZone' resource"}}`, apicall.NotFound},
		{404, `{"error":{"code":404,"message":"The 'entity.change.deletions[0]' resource"}}`, apicall.Conflict},
		{409, ``, apicall.Conflict},
		{412, ``, apicall.Conflict},
		{400, `not JSON`, apicall.Rejected},
		{429, ``, apicall.Throttled},
		{500, ``, apicall.Failed},
	} {
		resp := &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.body))}
		if got := result(resp); got != c.want {
			t.Errorf("%d %s: got %s, want %s", c.status, c.body, got, c.want)
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != c.body {
			t.Errorf("%d: the body is %q (%v) afterwards, want %q", c.status, rest, err, c.body)
		}
	}
}

func TestCulprits(t *testing.T) {
	t.Parallel()
	change := &dns.Change{
		Additions: []*dns.ResourceRecordSet{{Name: "a.zone.example.", Type: "A"}, {Name: "b.zone.example.", Type: "TXT"}},
		Deletions: []*dns.ResourceRecordSet{{Name: "c.zone.example.", Type: "A"}},
	}
	key := func(name, typ string) backend.Key { return backend.Key{Name: name + ".zone.example", Type: typ} }
	for message, want := range map[string][]backend.Key{
		"Precondition not met for 'entity.change.deletions[0]'":                                                     {key("c", "A")},
		"Invalid value for 'entity.change.additions[1].rrdata[0]': 'x'":                                             {key("b", "TXT")},
		"Invalid value for 'entity.change.additions[w.zone.example.][CNAME].rrdata[1]': 'x'":                        {key("w", "CNAME")},
		"The resource 'entity.change.additions[*.w.zone.example.][A]' named '*.w.zone.example. (A)' already exists": {key("*.w", "A")},
		"Precondition not met for 'entity.change.deletions[7]'":                                                     nil,
		"Bad Request": nil,
	} {
		if got := culprits(message, change); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", message, got, want)
		}
	}
	if got := culprits("entity.change.additions[0]", nil); got != nil {
		t.Errorf("without a change: %v", got)
	}
}

func TestExplainSaysWhatIsAboutTheRecord(t *testing.T) {
	t.Parallel()
	err := &googleapi.Error{Code: 400, Message: "first", Errors: []googleapi.ErrorItem{
		{Reason: "invalid", Message: "about 'entity.change.additions[a.zone.example.][A]'"},
		{Reason: "invalid", Message: "about 'entity.change.additions[b.zone.example.][A]'"},
	}}
	for name, want := range map[string]string{"b": "additions[b.zone.example.][A]' (400 invalid)", "c": "additions[a.zone.example.][A]' (400 invalid)"} {
		got := explain(err, &dns.Change{}, backend.Key{Name: name + ".zone.example", Type: "A"})
		if !strings.HasSuffix(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("%s: got %q, want it to end in %q", name, got, want)
		}
	}
	if got := explain(&googleapi.Error{Code: 502, Body: "<html>"}, nil, backend.Key{}).Error(); got != "<html> (502)" {
		t.Errorf("got %q", got)
	}
}
