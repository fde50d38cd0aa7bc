package clienttls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// field returns the field a setting error names.
func field(err error) string {
	var e *setting.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

func TestValidate(t *testing.T) {
	for want, f := range map[string]clienttls.Files{
		"":         {CAFile: "ca", CertFile: "c", KeyFile: "k", ServerName: "n"},
		"keyFile":  {CertFile: "c"},
		"certFile": {KeyFile: "k"},
	} {
		if got := field(f.Validate()); got != want {
			t.Errorf("%+v: error about %q, want %q", f, got, want)
		}
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	nonsense := filepath.Join(t.TempDir(), "nonsense")
	if err := os.WriteFile(nonsense, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files clienttls.Files
		want  string
	}{
		{clienttls.Files{CAFile: nonsense}, "caFile"},
		{clienttls.Files{CAFile: nonsense + "-missing"}, "caFile"},
		{clienttls.Files{CertFile: nonsense, KeyFile: nonsense}, "certFile"},
	} {
		if _, err := c.files.Config(); field(err) != c.want {
			t.Errorf("%+v: %v, want an error about %s", c.files, err, c.want)
		}
	}
}

// issue writes a self-signed certificate of an hour and its key, and returns it parsed.
func issue(t *testing.T, name, certFile, keyFile string) *x509.Certificate {
	t.Helper()
	return issueUntil(t, name, certFile, keyFile, time.Now().Add(time.Hour))
}

func issueUntil(t *testing.T, name, certFile, keyFile string, end time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: end, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestARenewedCertificateIsUsed(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].DNSNames[0]))
	}))
	ca, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	issue(t, "server.test", ca, key)
	pair, err := tls.LoadX509KeyPair(ca, key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()

	files := clienttls.Files{CAFile: ca, CertFile: filepath.Join(dir, "client.crt"), KeyFile: filepath.Join(dir, "client.key"), ServerName: "server.test"}
	issue(t, "first", files.CertFile, files.KeyFile)
	config, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "renewed"} {
		issue(t, name, files.CertFile, files.KeyFile)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 20)
		n, _ := resp.Body.Read(got)
		_ = resp.Body.Close()
		client.CloseIdleConnections()
		if string(got[:n]) != name {
			t.Errorf("the server saw %q, want %q", got[:n], name)
		}
	}
}
