package fleet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/fleet"
)

// now is the time of all tests here.
func now() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// certificate is a self-signed one with its key, in the base64 of a kubeconfig.
func certificate(t testing.TB, end time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", private)
}

// token is a JWT that ends then.
func token(end time.Time) string {
	return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, end.Unix())) + ".c2ln"
}

func kubeconfig(server, cluster, user string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: it
contexts: [{name: it, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "%s"%s}}]
users: [{name: u, user: {%s}}]
`, server, cluster, user)
}

func TestParse(t *testing.T) {
	cert, key := certificate(t, now().Add(time.Hour))
	old, oldKey := certificate(t, now().Add(-time.Hour))
	_, other := certificate(t, now())
	const server = "https://spoke.example:6443"
	ca := ", certificate-authority-data: " + cert
	for name, c := range map[string]struct {
		text   string
		reason fleet.Reason // empty: good
		says   string
	}{
		"token":             {kubeconfig(server, ca, "token: abc"), "", ""},
		"certificate":       {kubeconfig(server, ca, "client-certificate-data: "+cert+", client-key-data: "+key), "", ""},
		"token of account":  {kubeconfig(server, ca, "token: "+token(now().Add(time.Minute))), "", ""},
		"public authority":  {kubeconfig(server, "", "token: abc"), "", ""},
		"empty":             {" \n", fleet.NoKubeconfig, "empty"},
		"text":              {"hello", fleet.BadKubeconfig, "kubeconfig: "},
		"yaml":              {"a: [", fleet.BadKubeconfig, "kubeconfig: "},
		"other object":      {"apiVersion: v1\nkind: ConfigMap\n", fleet.BadKubeconfig, "kubeconfig: "},
		"no context":        {"apiVersion: v1\nkind: Config\n", fleet.BadKubeconfig, `current-context: ""`},
		"other context":     {strings.Replace(kubeconfig(server, ca, "token: abc"), "current-context: it", "current-context: at", 1), fleet.BadKubeconfig, `current-context: "at": want`},
		"other cluster":     {strings.Replace(kubeconfig(server, ca, "token: abc"), "cluster: c,", "cluster: d,", 1), fleet.BadKubeconfig, `contexts[it].cluster: "d": want`},
		"other user":        {strings.Replace(kubeconfig(server, ca, "token: abc"), "user: u}", "user: v}", 1), fleet.BadKubeconfig, `contexts[it].user: "v": want`},
		"no server":         {kubeconfig("", ca, "token: abc"), fleet.BadKubeconfig, `clusters[c].server: "": want the URL`},
		"http":              {kubeconfig("http://spoke.example", ca, "token: abc"), fleet.BadKubeconfig, `"http://spoke.example": want the URL`},
		"socket":            {kubeconfig("unix:///run/x", ca, "token: abc"), fleet.BadKubeconfig, `https://host:port`},
		"no credentials":    {kubeconfig(server, ca, ""), fleet.BadKubeconfig, "want a token or a client certificate"},
		"half a pair":       {kubeconfig(server, ca, "client-certificate-data: "+cert), fleet.BadKubeconfig, "want both or neither"},
		"foreign key":       {kubeconfig(server, ca, "client-certificate-data: "+cert+", client-key-data: "+other), fleet.BadKubeconfig, "client-certificate-data"},
		"bad authority":     {kubeconfig(server, ", certificate-authority-data: aGVsbG8=", "token: abc"), fleet.BadKubeconfig, "kubeconfig: "},
		"bad base64":        {kubeconfig(server, ", certificate-authority-data: '%'", "token: abc"), fleet.BadKubeconfig, "kubeconfig: "},
		"old certificate":   {kubeconfig(server, ca, "client-certificate-data: "+old+", client-key-data: "+oldKey), fleet.Expired, "valid until 2026-11-21T11:00:00Z"},
		"old token":         {kubeconfig(server, ca, "token: "+token(now().Add(-time.Minute))), fleet.Expired, "users[u].token was valid until 2026-11-21T11:59:00Z"},
		"program":           {kubeconfig(server, ca, "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never}"), fleet.Unsafe, "users[u].exec is set"},
		"auth provider":     {kubeconfig(server, ca, "auth-provider: {name: oidc}"), fleet.Unsafe, "users[u].auth-provider is set"},
		"token file":        {kubeconfig(server, ca, "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token"), fleet.Unsafe, "users[u].tokenFile is set: want the token itself"},
		"certificate files": {kubeconfig(server, ca, "client-certificate: /a, client-key: /b"), fleet.Unsafe, "client-certificate is set"},
		"authority file":    {kubeconfig(server, ", certificate-authority: /a", "token: abc"), fleet.Unsafe, "certificate-authority is set"},
		"trusts anybody":    {kubeconfig(server, ", insecure-skip-tls-verify: true", "token: abc"), fleet.Unsafe, "insecure-skip-tls-verify is set"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, unusable := fleet.Parse([]byte(c.text), now())
			if c.reason == "" {
				if unusable != nil || cfg == nil || cfg.Host != server {
					t.Fatalf("%v, %v: want it taken", cfg, unusable)
				}
				return
			}
			if unusable == nil || cfg != nil {
				t.Fatal("it was taken")
			}
			if unusable.Reason != c.reason || !strings.Contains(unusable.Text, c.says) {
				t.Errorf("%v, want %s and %q", unusable, c.reason, c.says)
			}
		})
	}
}

// FuzzParse: whatever a Secret holds, nothing of this host is used for it.
func FuzzParse(f *testing.F) {
	cert, key := certificate(f, now().Add(time.Hour))
	f.Add([]byte(kubeconfig("https://x", "", "token: abc")))
	f.Add([]byte(kubeconfig("https://x", ", certificate-authority: /a", "tokenFile: /b")))
	f.Add([]byte(kubeconfig("https://x", "", "exec: {command: sh}")))
	f.Add([]byte(kubeconfig("https://x", "", "client-certificate-data: "+cert+", client-key-data: "+key)))
	f.Add([]byte(kubeconfig("https://x", "", "token: "+token(now()))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		cfg, unusable := fleet.Parse(raw, now())
		if (cfg == nil) == (unusable == nil) {
			t.Fatalf("%v and %v", cfg, unusable)
		}
		if cfg == nil {
			return
		}
		if cfg.ExecProvider != nil || cfg.AuthProvider != nil || cfg.BearerTokenFile != "" || cfg.CAFile != "" ||
			cfg.CertFile != "" || cfg.KeyFile != "" || cfg.Insecure || !strings.HasPrefix(strings.ToLower(cfg.Host), "https://") {
			t.Fatalf("taken: %s", raw)
		}
	})
}
