package e2e_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

// cloud is a service under test, with cloudZone in it, and empty.
type cloud struct {
	section string                 // of the webhook's configuration: the backend
	env     []string               // of the webhook
	records func() []backend.RRset // what the zone holds, without what belongs to the zone itself
	// What goes wrong from now on, or does so no longer: every request is throttled, those that write are
	// refused, or all of them for want of rights.
	throttle, refuseWrites, deny func(on bool)
}

// clouds are the services, by name.
func clouds() map[string]func(t *testing.T) *cloud {
	return map[string]func(t *testing.T) *cloud{
		"azuredns": publicAzure, "azuredns private": privateAzure, "clouddns": google, "route53": aws, "gandi": gandi,
	}
}

func publicAzure(t *testing.T) *cloud { return azure(t, azurednstest.Public) }

func privateAzure(t *testing.T) *cloud { return azure(t, azurednstest.Private) }

// azure is asked by a service principal about public zones, and by a workload identity about private ones.
func azure(t *testing.T, kind azurednstest.Kind) *cloud {
	t.Helper()
	const subscription = "33333333-3333-3333-3333-333333333333"
	fake := azurednstest.New(azurednstest.Options{})
	zone := fake.AddZone(subscription, "dns", cloudZone, kind)
	g := &gate{Handler: fake}
	server := g.serve(t, (*httptest.Server).StartTLS)
	ca := fileWith(t, "ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	auth := fmt.Sprintf("{method: clientSecret, clientSecretFile: %q}", fileWith(t, "secret", []byte(azurednstest.ClientSecret)))
	if kind == azurednstest.Private {
		auth = fmt.Sprintf("{method: workloadIdentity, tokenFile: %q}", fileWith(t, "token", []byte(azurednstest.FederatedToken)))
	}
	return &cloud{
		section: fmt.Sprintf("azuredns:\n  subscriptions: [%s]\n  resourceGroups: [dns]\n  type: %s\n  endpoint: %s\n  authority: %s\n  tls: {caFile: %q}\n  auth: %s",
			subscription, kind, server.URL, server.URL, ca, auth),
		env:          []string{"AZURE_TENANT_ID=" + azurednstest.Tenant, "AZURE_CLIENT_ID=" + azurednstest.ClientID},
		records:      func() []backend.RRset { return fake.Records(zone) },
		throttle:     g.all("/subscriptions/", false, http.StatusTooManyRequests, `{"error": {"code": "TooManyRequests", "message": "The request was throttled."}}`),
		refuseWrites: g.all("/subscriptions/", true, http.StatusForbidden, `{"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}}`),
		deny: func(on bool) {
			if on {
				fake.Deny("/subscriptions/" + subscription)
			} else {
				fake.Allow()
			}
		},
	}
}

// google is asked with a key file.
func google(t *testing.T) *cloud {
	t.Helper()
	const project, zone = "platform-test", "cloud"
	fake, err := clouddnstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fake.Close() })
	fake.AddZone(clouddnstest.Zone{Project: project, Name: zone, DNSName: cloudZone})
	const always = 1 << 30
	failing := func(f clouddnstest.Fault) func(on bool) {
		return func(on bool) {
			if on {
				fake.Fail(f)
			} else {
				fake.Heal()
			}
		}
	}
	return &cloud{
		section: fmt.Sprintf("clouddns:\n  projects: [%s]\n  endpoint: %s\n  credentialsFile: %q",
			project, fake.URL(), fileWith(t, "key.json", fake.KeyFile(project))),
		records: func() []backend.RRset {
			var all []backend.RRset
			for _, r := range fake.Records(project, zone) {
				all = append(all, held(t, r.Name, r.Type, r.Rrdatas)...)
			}
			return all
		},
		throttle:     failing(clouddnstest.Throttled(always)),
		refuseWrites: failing(clouddnstest.Fault{Operation: "changes.create", Times: always, Status: http.StatusForbidden, Reason: "forbidden", Message: "Forbidden"}),
		deny:         fake.Deny,
	}
}

// aws is asked by a pod that changes its projected token for a role's credentials.
func aws(t *testing.T) *cloud {
	t.Helper()
	const role, token = "arn:aws:iam::" + route53test.Account + ":role/dns", "projected-token"
	fake := route53test.New(route53test.Options{})
	t.Cleanup(fake.Close)
	fake.AddRole(role, "", "*")
	fake.AddToken(token, role)
	zone := fake.AddZone(route53test.Zone{Name: cloudZone})
	g := &gate{Handler: fake}
	server := g.serve(t, (*httptest.Server).Start)
	said := func(code string) string {
		return `<ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type><Code>` + code +
			`</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>`
	}
	return &cloud{
		section: fmt.Sprintf("route53:\n  region: eu-central-1\n  endpoint: %s\n  stsEndpoint: %s\n  webIdentity: {role: %q, tokenFile: %q}",
			server.URL, server.URL, role, fileWith(t, "token", []byte(token))),
		env: []string{"AWS_CONFIG_FILE=" + fileWith(t, "config", nil), "AWS_SHARED_CREDENTIALS_FILE=" + fileWith(t, "credentials", nil)},
		records: func() []backend.RRset {
			var all []backend.RRset
			for _, r := range fake.Records(zone) {
				all = append(all, held(t, r.Name, r.Type, r.Values)...)
			}
			return all
		},
		throttle:     g.all("/2013-04-01/", false, http.StatusBadRequest, said("Throttling")),
		refuseWrites: g.all("/2013-04-01/", true, http.StatusForbidden, said("AccessDenied")),
		deny:         g.all("/2013-04-01/", false, http.StatusForbidden, said("AccessDenied")),
	}
}

// gandi is asked with a personal access token.
func gandi(t *testing.T) *cloud {
	t.Helper()
	fake, err := ganditest.New(ganditest.Options{Domains: []string{cloudZone}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fake.Close() })
	g := &gate{Handler: fake}
	server := g.serve(t, (*httptest.Server).Start)
	said := func(status int, object string) (int, string) {
		return status, fmt.Sprintf(`{"code": %d, "object": %q, "message": "no", "cause": %q}`, status, object, http.StatusText(status))
	}
	tooMany, limited := said(http.StatusTooManyRequests, "HTTPTooManyRequests")
	forbidden, refused := said(http.StatusForbidden, "HTTPForbidden")
	return &cloud{
		section: fmt.Sprintf("gandi:\n  endpoint: %s\n  personalAccessTokenFile: %q", server.URL, fileWith(t, "token", []byte(ganditest.Token))),
		records: func() []backend.RRset {
			var all []backend.RRset
			for _, r := range fake.Records(cloudZone) {
				name := strings.TrimPrefix(r.Name+"."+cloudZone, "@.")
				all = append(all, held(t, name, r.Type, r.Values)...)
			}
			return all
		},
		throttle:     g.all("/v5/", false, tooMany, limited),
		refuseWrites: g.all("/v5/", true, forbidden, refused),
		deny:         fake.Expire,
	}
}

// held is an RRset as a service holds it, in our form; none for what belongs to the zone itself.
func held(t *testing.T, name, typ string, values []string) []backend.RRset {
	t.Helper()
	if typ == "SOA" || typ == "NS" {
		return nil
	}
	r := backend.RRset{Key: backend.Key{Name: name, Type: typ}}
	for _, v := range values {
		if typ == "TXT" {
			v = backend.Text(v)
		}
		r.Values = append(r.Values, v)
	}
	r, err := backend.Canonical(r)
	if err != nil {
		t.Error(err)
	}
	return []backend.RRset{r}
}

// gate lets requests through to a service, or answers itself what the service would say.
type gate struct {
	http.Handler
	closed atomic.Pointer[closed]
}

// closed is how a gate answers requests to an API; only those that write, if writes.
type closed struct {
	api    string
	writes bool
	status int
	body   string
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := g.closed.Load()
	if c == nil || !strings.HasPrefix(r.URL.Path, c.api) || c.writes && r.Method == http.MethodGet {
		g.Handler.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", map[bool]string{true: "text/xml", false: "application/json"}[strings.HasPrefix(c.body, "<")])
	if c.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.body)
}

// all returns what closes the gate so, and opens it again.
func (g *gate) all(api string, writes bool, status int, body string) func(on bool) {
	return func(on bool) {
		if on {
			g.closed.Store(&closed{api, writes, status, body})
		} else {
			g.closed.Store(nil)
		}
	}
}

// serve starts a server of the gate.
func (g *gate) serve(t *testing.T, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(g)
	start(server)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

func fileWith(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
