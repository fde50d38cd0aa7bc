package chain_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
	"github.com/spokedns/spokedns/webhook/clienttls"
)

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "provider.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := chaintest.New()
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	b := open(t, chain.Config{URL: "unix://" + path})
	if err := b.Apply(t.Context(), zone, hosts(1)); err != nil || len(list(t, b, zone)) != 2 {
		t.Errorf("%v; listed is %v", err, list(t, b, zone))
	}
}

func TestBasePath(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	mux := http.NewServeMux()
	mux.Handle("/dns/one/", http.StripPrefix("/dns/one", p))
	mux.HandleFunc("/dns/one", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/"
		p.ServeHTTP(w, r)
	})
	url := serve(t, mux)
	for _, path := range []string{"/dns/one", "/dns/one/"} {
		list(t, open(t, chain.Config{URL: url + path}), zone)
	}
	if _, err := open(t, chain.Config{URL: url}).List(t.Context(), zone); backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), "base path") {
		t.Errorf("without the base path: %v", err)
	}
}

// The password is read anew for each request.
func TestBasicAuthentication(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.Replace = func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		if user == "me" && password == "pä:ss" {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	url := serve(t, p)
	list(t, open(t, chain.Config{URL: url, Username: "me", Password: "pä:ss"}), zone)
	if _, err := open(t, chain.Config{URL: url}).List(t.Context(), zone); backend.KindOf(err) != backend.Denied {
		t.Errorf("without a password: %v", err)
	}
	file := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong\n")
	b := open(t, chain.Config{URL: url, Username: "me", PasswordFile: file})
	if _, err := b.List(t.Context(), zone); backend.KindOf(err) != backend.Denied || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with the wrong password: %v", err)
	}
	write("pä:ss\n")
	list(t, b, zone)
}

// Redirects are not followed: a POST would arrive as a GET, and the password somewhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	elsewhere := serve(t, p)
	url := serve(t, http.RedirectHandler(elsewhere, http.StatusMovedPermanently))
	_, err := open(t, chain.Config{URL: url}).List(t.Context(), zone)
	if backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), elsewhere) || len(p.Requests()) != 0 {
		t.Errorf("got %v, want an error that says where it leads", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	server := httptest.NewUnstartedServer(chaintest.New())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(pair.Leaf)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		files clienttls.Files
		kind  backend.Kind
		text  string // empty: it works
	}{
		"all is well":        {clienttls.Files{CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "webhook.internal"}, 0, ""},
		"unknown authority":  {clienttls.Files{CertFile: cert, KeyFile: key, ServerName: "webhook.internal"}, backend.Denied, "unknown authority"},
		"other name":         {clienttls.Files{CAFile: cert, CertFile: cert, KeyFile: key}, backend.Denied, "IP SANs"},
		"no certificate":     {clienttls.Files{CAFile: cert, ServerName: "webhook.internal"}, backend.Denied, "certificate required"},
		"a name of no match": {clienttls.Files{CAFile: cert, ServerName: "other.internal"}, backend.Denied, "other.internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, chain.Config{URL: server.URL, TLS: c.files}).List(t.Context(), zone)
			if c.text == "" && err != nil || c.text != "" && (err == nil || backend.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("got %v, want %s %q", err, c.kind, c.text)
			}
		})
	}
}

// selfSigned is a certificate for webhook.internal, good for servers and clients, and its own authority.
func selfSigned(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"webhook.internal"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
