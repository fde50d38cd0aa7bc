package azuredns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// response is an answer of the service as the SDK sees it. There is nothing to close.
func response(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: &http.Request{URL: &url.URL{}}}
}

// answered is the SDK's error for an answer.
func answered(status int, body string, header ...string) error {
	resp := response(status, body, header...)
	defer resp.Body.Close()
	return runtime.NewResponseError(resp)
}

func TestKindsAndWordsOfErrors(t *testing.T) {
	t.Parallel()
	arm := func(code, message string) string {
		return fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)
	}
	dns := func(code, message string) string { return fmt.Sprintf(`{"code":%q,"message":%q}`, code, message) }
	for _, c := range []struct {
		err  error
		kind backend.Kind
		says string
	}{
		{answered(400, dns("BadRequest", "The domain name 'x' is invalid.")), backend.Rejected, "400 BadRequest: The domain name 'x' is invalid."},
		{answered(401, arm("ExpiredAuthenticationToken", "expired")), backend.Denied, "401 ExpiredAuthenticationToken: expired"},
		{answered(403, arm("AuthorizationFailed", "no\r\nright")), backend.Denied, "403 AuthorizationFailed: no right"},
		{answered(403, arm("RequestDisallowedByPolicy", "policy")), backend.Denied, "403 RequestDisallowedByPolicy: policy"},
		{answered(404, arm("ParentResourceNotFound", "no zone")), backend.Rejected, "404 ParentResourceNotFound: no zone"},
		{answered(408, ""), backend.Temporary, "408 "},
		{answered(409, dns("Conflict", "a CNAME")), backend.Conflict, "409 Conflict: a CNAME"},
		{answered(409, arm("ScopeLocked", "a lock")), backend.Denied, "409 ScopeLocked: a lock"},
		{answered(412, dns("PreconditionFailed", "etag")), backend.Conflict, "412 PreconditionFailed: etag"},
		{answered(429, arm("TooManyRequests", "slow"), "Retry-After", "17"), backend.Temporary, "throttled: 429 TooManyRequests: slow (retry after 17s)"},
		{answered(500, "<html>oops"), backend.Temporary, "500 "},
		{answered(503, arm("ServiceUnavailable", "later")), backend.Temporary, "503 ServiceUnavailable: later"},
		{errors.New("connection reset by peer"), backend.Temporary, "connection reset by peer"},
		{context.DeadlineExceeded, backend.Temporary, "no answer within the timeout"},
		{&throttledError{90 * time.Second}, backend.Temporary, "throttled: the next request can be sent in 1m30s, later than there is time for"},
	} {
		if got := kindOf(c.err); got != c.kind {
			t.Errorf("%.40v is %s, want %s", c.err, got, c.kind)
		}
		if got := explained(t.Context(), c.err).Error(); got != c.says {
			t.Errorf("says %q, want %q", got, c.says)
		}
	}
}

// waitAsked is retryAfter of an answer with a header.
func waitAsked(header, value string) time.Duration {
	resp := response(429, "", header, value)
	defer resp.Body.Close()
	return retryAfter(resp)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header, value string
		want          time.Duration
	}{
		{"Retry-After", "17", 17 * time.Second},
		{"retry-after-ms", "250", 250 * time.Millisecond},
		{"x-ms-retry-after-ms", "250", 250 * time.Millisecond},
		{"Retry-After", "soon", 0},
		{"Retry-After", "-5", 0},
		{"Other", "1", 0},
	} {
		if got := waitAsked(c.header, c.value); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.header, c.value, got, c.want)
		}
	}
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := waitAsked("Retry-After", at); got < 59*time.Minute || got > time.Hour {
		t.Errorf("Retry-After: %s is %s", at, got)
	}
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(Config{ReadsPerSecond: 25, WritesPerSecond: 10, Burst: 200})
		bucket := p.bucket("sub writes", "writes")
		began := time.Now()
		for range 300 {
			if err := p.wait(t.Context(), bucket, "zone writes"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("300 writes took %s, want 200 at once and 100 in 10 s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var throttled *throttledError
		if err := p.wait(ctx, bucket, "zone writes"); !errors.As(err, &throttled) || ctx.Err() != nil {
			t.Errorf("got %v, want throttled at once", err)
		}

		// The service says that others used most of what is left.
		time.Sleep(time.Minute)
		left := response(200, "", "x-ms-ratelimit-remaining-subscription-writes", "5")
		defer left.Body.Close()
		p.learn(left, bucket, "zone writes", "writes")
		began = time.Now()
		for range 25 {
			if err := p.wait(t.Context(), bucket, "zone writes"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("25 writes with 5 left took %s, want 2 s", took)
		}

		// A zone that was throttled waits, its reads and other zones do not.
		throttling := response(429, "", "Retry-After", "30")
		defer throttling.Body.Close()
		p.learn(throttling, bucket, "zone writes", "writes")
		began = time.Now()
		for zone, want := range map[string]time.Duration{"zone reads": 0, "other writes": 0, "zone writes": 30 * time.Second} {
			if err := p.wait(t.Context(), nil, zone); err != nil || time.Since(began) != want && want > 0 {
				t.Errorf("%s waited %s, %v; want %s", zone, time.Since(began), err, want)
			}
		}

		// An absurd wait does not keep the zone closed for years.
		absurd := response(429, "", "Retry-After", "999999999")
		defer absurd.Body.Close()
		p.learn(absurd, bucket, "zone writes", "writes")
		began = time.Now()
		if err := p.wait(t.Context(), nil, "zone writes"); err != nil || time.Since(began) != time.Hour {
			t.Errorf("the zone was closed for %s, %v; want an hour", time.Since(began), err)
		}
	})
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/subscriptions/S/providers/Microsoft.Network/dnszones":                                   "s subscriptions/s/providers/microsoft.network/dnszones",
		"/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/dnsZones":                  "s subscriptions/s/resourcegroups/g/providers/microsoft.network/dnszones",
		"/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/dnsZones/z.example/all":    "s subscriptions/s/resourcegroups/g/providers/microsoft.network/dnszones/z.example",
		"/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/dnsZones/z.example/A/www":  "s subscriptions/s/resourcegroups/g/providers/microsoft.network/dnszones/z.example",
		"/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/privateDnsZones/z/A/a.b.c": "s subscriptions/s/resourcegroups/g/providers/microsoft.network/privatednszones/z",
		"/": " /",
	} {
		subscription, zone := subjects(path)
		if got := subscription + " " + zone; got != want {
			t.Errorf("%s is about %q, want %q", path, got, want)
		}
	}
}

// A text comes back byte for byte, in strings that JSON and DNS can hold.
func TestPartsOfTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := strings.Repeat(rapid.StringN(0, 40, -1).Draw(t, "text"), rapid.IntRange(1, 30).Draw(t, "times"))
		if rapid.Bool().Draw(t, "quoted") {
			v = `"` + v + `"`
		}
		cut := parts(v)
		for _, p := range cut {
			if len(*p) > maxPart || !utf8.ValidString(*p) {
				t.Fatalf("a string of %d bytes, valid %v", len(*p), utf8.ValidString(*p))
			}
		}
		if got := text(cut); got != v {
			t.Fatalf("got %q, want %q", got, v)
		}
	})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]string{
		"10 mail.example.org": "10 mail.example.org", "0 .": "0 .", "10 60 5060 sip.example.org": "10 60 5060 sip.example.org", "1.2.3.4": "1.2.3.4", "5 10": "5 10",
	} {
		n, host := numbers(v)
		if got := numbersAndHost(host, n...); got != want {
			t.Errorf("%q became %q", v, got)
		}
	}
	if got := numbersAndHost("", new(int32)); got != "0 ." {
		t.Errorf("the root is %q", got)
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config                        Config
		name                          string
		endpoint, authority, audience string
		ownAuthority                  bool
	}{
		{Config{}, publicCloud, "https://management.azure.com", "https://login.microsoftonline.com/", "https://management.core.windows.net/", false},
		{Config{Cloud: "AzurePublicCloud"}, publicCloud, "https://management.azure.com", "https://login.microsoftonline.com/", "https://management.core.windows.net/", false},
		{Config{Cloud: "AzureCloud"}, publicCloud, "https://management.azure.com", "https://login.microsoftonline.com/", "https://management.core.windows.net/", false},
		{Config{Cloud: "AzureChina"}, chinaCloud, "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn/", "https://management.core.chinacloudapi.cn/", false},
		{Config{Cloud: "AzureUSGovernment"}, governmentCloud, "https://management.usgovcloudapi.net", "https://login.microsoftonline.us/", "https://management.core.usgovcloudapi.net/", false},
		{Config{Authority: "https://login.microsoftonline.us/"}, governmentCloud, "https://management.usgovcloudapi.net", "https://login.microsoftonline.us/", "https://management.core.usgovcloudapi.net/", false},
		{Config{Endpoint: "https://arm.example"}, publicCloud, "https://arm.example", "https://login.microsoftonline.com/", "https://management.core.windows.net/", false},
		{Config{Cloud: "custom", Endpoint: "https://arm.example", Authority: "https://id.example"}, customCloud, "https://arm.example", "https://id.example", "https://arm.example", true},
		{Config{Cloud: "AZURESTACKCLOUD", Endpoint: "https://arm.example", Authority: "https://id.example", Audience: "https://a"}, customCloud, "https://arm.example", "https://id.example", "https://a", true},
	} {
		h, err := c.config.home()
		if err != nil {
			t.Fatal(err)
		}
		manager := h.configuration.Services[cloud.ResourceManager]
		got := []any{h.name, manager.Endpoint, h.configuration.ActiveDirectoryAuthorityHost, manager.Audience, h.ownAuthority}
		if diff := cmp.Diff([]any{c.name, c.endpoint, c.authority, c.audience, c.ownAuthority}, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.config, diff)
		}
	}
}

func TestMethodsOfAuthentication(t *testing.T) {
	t.Parallel()
	environment := func(names ...string) func(string) string {
		return func(name string) string {
			for _, n := range names {
				if n == name {
					return "value of " + name
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		auth   Auth
		env    func(string) string
		method string
	}{
		{Auth{}, environment(), managedIdentity},
		{Auth{}, environment("AZURE_CLIENT_ID"), managedIdentity},
		{Auth{}, environment("AZURE_CLIENT_SECRET"), clientSecret},
		{Auth{}, environment("AZURE_CLIENT_CERTIFICATE_PATH"), clientCertificate},
		{Auth{}, environment("AZURE_FEDERATED_TOKEN_FILE"), workloadIdentity},
		{Auth{ManagedIdentityClientID: "x"}, environment("AZURE_FEDERATED_TOKEN_FILE"), managedIdentity},
		{Auth{ClientSecretFile: "x"}, environment("AZURE_FEDERATED_TOKEN_FILE"), clientSecret},
		{Auth{Method: workloadIdentity}, environment("AZURE_CLIENT_SECRET"), workloadIdentity},
	} {
		if got := (Config{Auth: c.auth}).fromEnvironment(c.env).Auth.method(); got != c.method {
			t.Errorf("%+v is %s, want %s", c.auth, got, c.method)
		}
	}
	full := Config{Auth: Auth{TenantID: "t", ClientID: "c", ClientSecret: "s", ClientCertificateFile: "f"}, Authority: "https://a"}
	all := environment("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_AUTHORITY_HOST")
	if got := full.fromEnvironment(all); got.Auth != full.Auth || got.Authority != full.Authority {
		t.Errorf("the environment changed settings: %+v", got)
	}
}

func TestWhatAuthenticationLacksIsNamed(t *testing.T) {
	t.Parallel()
	who := Auth{TenantID: "11111111-1111-1111-1111-111111111111", ClientID: "c"}
	for _, c := range []struct {
		change func(*Auth)
		says   string
	}{
		{func(a *Auth) { a.Method, a.TenantID = clientSecret, "" }, "auth.tenantID: is missing (or AZURE_TENANT_ID); clientSecret needs it"},
		{func(a *Auth) { a.Method, a.ClientID = workloadIdentity, "" }, "auth.clientID: is missing (or AZURE_CLIENT_ID); workloadIdentity needs it"},
		{func(a *Auth) { a.Method = clientSecret }, "auth.clientSecret: is missing"},
		{func(a *Auth) { a.Method = clientCertificate }, "auth.clientCertificateFile: is missing"},
		{func(a *Auth) { a.Method = workloadIdentity }, "auth.tokenFile: is missing (or AZURE_FEDERATED_TOKEN_FILE); does the pod have the label"},
		{func(a *Auth) { a.ClientSecretFile = "/no/such/file" }, `auth.clientSecretFile: "/no/such/file": want a readable file`},
		{func(a *Auth) { a.ClientCertificateFile = "/no/such/file" }, `auth.clientCertificateFile: "/no/such/file": want a readable file`},
		{func(a *Auth) { a.ClientCertificateFile = "azuredns_internal_test.go" }, `auth.clientCertificateFile: "azuredns_internal_test.go": want a certificate and its key in PEM or PKCS #12`},
	} {
		auth := who
		c.change(&auth)
		_, err := open(Config{Subscriptions: []string{"s"}, Auth: auth}, nil, nil, func(string) string { return "" })
		var e *setting.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want %q", err, c.says)
		}
	}
	for file, says := range map[string]string{"/no/such/file": "want a readable file", "azuredns_internal_test.go": "want certificates in PEM"} {
		if _, err := New(Config{Subscriptions: []string{"s"}, TLS: clienttls.Files{CAFile: file}}, nil, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("tls.caFile %s: %v", file, err)
		}
	}
}
