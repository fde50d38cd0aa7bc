package azuredns_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate is a self-signed one with its key, in PEM.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "spokedns"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Each way goes through the SDK's own credential to the endpoints that credential asks.
func TestWaysToAuthenticate(t *testing.T) {
	a := start(t, azurednstest.Options{})
	a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Public), "seen")
	principal := azuredns.Auth{TenantID: azurednstest.Tenant, ClientID: azurednstest.ClientID}
	with := func(change func(*azuredns.Auth)) azuredns.Auth {
		auth := principal
		change(&auth)
		return auth
	}
	managed := map[string]string{}
	for _, env := range a.IdentityEnvironment() {
		name, value, _ := strings.Cut(env, "=")
		managed[name] = value
	}
	for _, c := range []struct {
		name string
		auth azuredns.Auth
		env  map[string]string
	}{
		{"a secret", with(func(a *azuredns.Auth) { a.ClientSecret = azurednstest.ClientSecret }), nil},
		{"a secret in a file", with(func(a *azuredns.Auth) { a.ClientSecretFile = file(t, azurednstest.ClientSecret+"\n") }), nil},
		{"a secret in the environment", azuredns.Auth{}, map[string]string{
			"AZURE_TENANT_ID": azurednstest.Tenant, "AZURE_CLIENT_ID": azurednstest.ClientID, "AZURE_CLIENT_SECRET": azurednstest.ClientSecret}},
		{"a certificate", with(func(a *azuredns.Auth) { a.ClientCertificateFile = file(t, certificate(t)) }), nil},
		{"workload identity", with(func(a *azuredns.Auth) { a.TokenFile = file(t, azurednstest.FederatedToken) }), nil},
		{"workload identity as its webhook injects it", azuredns.Auth{}, map[string]string{
			"AZURE_TENANT_ID": azurednstest.Tenant, "AZURE_CLIENT_ID": azurednstest.ClientID, "AZURE_AUTHORITY_HOST": a.URL() + "/",
			"AZURE_FEDERATED_TOKEN_FILE": file(t, azurednstest.FederatedToken)}},
		{"the machine's managed identity", azuredns.Auth{}, managed},
		{"a user-assigned managed identity", azuredns.Auth{ManagedIdentityClientID: azurednstest.ClientID}, managed},
		{"a managed identity although a secret is there", azuredns.Auth{Method: "managedIdentity", ClientSecret: "other"}, managed},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			config := a.config()
			config.Auth = c.auth
			if c.env["AZURE_AUTHORITY_HOST"] != "" {
				config.Authority = ""
			}
			requireMark(t, a.open(t, config), "seen")
		})
	}
}

// A pod without App Service's endpoint asks the metadata service of its machine, at an address that only a
// proxy can stand in for.
func TestManagedIdentityOfAVirtualMachine(t *testing.T) {
	a := start(t, azurednstest.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		a.IdentityURL()+"/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x&client_id="+azurednstest.ClientID, nil)
	if err != nil {
		t.Fatal(err)
	}
	for metadata, want := range map[string]int{"true": http.StatusOK, "": http.StatusBadRequest} {
		req.Header.Set("Metadata", metadata)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with Metadata %q: %s, want %d", metadata, resp.Status, want)
		}
	}
}

func TestWrongCredentialsAreDeniedInOneLine(t *testing.T) {
	a := start(t, azurednstest.Options{})
	a.AddZone(sub, group, "zone.example", azurednstest.Public)
	good := a.config().Auth
	with := func(change func(*azuredns.Auth)) azuredns.Auth {
		auth := good
		change(&auth)
		return auth
	}
	for _, c := range []struct {
		auth azuredns.Auth
		says string
	}{
		{with(func(a *azuredns.Auth) { a.ClientSecret = "wrong" }), "no token: AADSTS7000215: Invalid client secret provided."},
		{with(func(a *azuredns.Auth) { a.ClientID = "33333333-3333-3333-3333-333333333333" }), "no token: AADSTS700016"},
		{with(func(a *azuredns.Auth) { a.TenantID = "33333333-3333-3333-3333-333333333333" }), "no token: AADSTS90002"},
		{with(func(a *azuredns.Auth) { a.ClientSecret, a.TokenFile = "", file(t, "forged") }), "no token: AADSTS700213"},
	} {
		config := a.config()
		config.Auth = c.auth
		b := a.open(t, config)
		_, err := b.List(t.Context(), "zone.example")
		requireZoneError(t, err, backend.Denied, c.says)
		www := rrset("www.zone.example", "A", "192.0.2.1")
		requireZoneError(t, b.Apply(t.Context(), "zone.example", []backend.Change{{New: &www}}), backend.Denied, c.says)
	}
}

func TestAnAuthorityThatIsNotThereIsTemporary(t *testing.T) {
	a := start(t, azurednstest.Options{})
	config := a.config()
	config.Authority = "https://127.0.0.1:1/"
	_, err := a.open(t, config).List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Temporary, "no token: ClientSecretCredential: ", "connection refused")
}

// Secrets are in no message.
func TestSecretsAreNotInMessages(t *testing.T) {
	a := start(t, azurednstest.Options{})
	config := a.config()
	config.Auth.ClientSecret = "a-very-secret-secret"
	_, err := a.open(t, config).List(t.Context(), "zone.example")
	if err == nil || strings.Contains(err.Error(), "a-very-secret-secret") {
		t.Errorf("got %v", err)
	}
}

func TestExpiredTokensAreRenewed(t *testing.T) {
	a := start(t, azurednstest.Options{TokenLife: 2 * time.Second}) // the SDK renews well before
	a.AddZone(sub, group, "zone.example", azurednstest.Public)
	b := a.open(t, a.config())
	for range 3 {
		list(t, b, "zone.example")
		time.Sleep(time.Second)
	}
	if a.Counts()["Token"] < 2 {
		t.Errorf("%d tokens were asked for, want one after the other", a.Counts()["Token"])
	}
}

func TestRevokedTokensAreDenied(t *testing.T) {
	a, b, id := served(t, azurednstest.Public)
	a.RevokeTokens()
	_, err := b.List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Denied, "401 InvalidAuthenticationToken")
	var changes []backend.Change
	for _, r := range hosts(1000) {
		changes = append(changes, backend.Change{New: &r})
	}
	a.Forget()
	err = b.Apply(t.Context(), "zone.example", changes)
	if err == nil || backend.KindOf(err) != backend.Denied {
		t.Errorf("got %v", err)
	}
	if n := a.Counts()["RecordSets_CreateOrUpdate"]; n > 50 {
		t.Errorf("%d of 1000 changes were tried without a token that is taken", n)
	}
	a.requireHeld(t, id)
}

func TestRightsOnAZoneThatAreMissing(t *testing.T) {
	a, b, id := served(t, azurednstest.Public)
	other := a.AddZone(sub, group, "other.example", azurednstest.Public)
	a.Deny(id)
	_, err := b.List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Denied, "403 AuthorizationFailed: The client")
	www := rrset("www.zone.example", "A", "192.0.2.1")
	requireKinds(t, b.Apply(t.Context(), "zone.example", []backend.Change{{New: &www}}), backend.Denied, www.Key)
	www.Name = "www.other.example"
	if err := b.Apply(t.Context(), "other.example", []backend.Change{{New: &www}}); err != nil {
		t.Errorf("the other zone: %v", err)
	}
	if len(a.Records(other)) != 1 {
		t.Error("the other zone was not written")
	}
}

func TestBrokenTLSIsDeniedAtOnce(t *testing.T) {
	a := start(t, azurednstest.Options{})
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &other.PublicKey, other)
	if err != nil {
		t.Fatal(err)
	}
	config := a.config()
	config.TLS.CAFile = file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	_, err = a.open(t, config).List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Denied, "x509: certificate")

	for _, env := range a.IdentityEnvironment() { // a token comes over plain HTTP, and Resource Manager's TLS is broken
		name, value, _ := strings.Cut(env, "=")
		t.Setenv(name, value)
	}
	config.Auth = azuredns.Auth{}
	_, err = a.open(t, config).List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Denied, "x509: certificate")
	if got := a.Counts(); got["Zones_List"] != 0 {
		t.Errorf("requests went over broken TLS: %v", got)
	}
}
