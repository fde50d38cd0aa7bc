package azurednstest

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"encoding/pem"
)

// listening is the server's presence on loopback.
type listening struct {
	https *httptest.Server
	http  *httptest.Server
	dir   string
}

// Start returns a server without zones that listens on loopback: HTTPS for Resource Manager and the
// authority, and plain HTTP for managed identity, which is never asked over TLS.
func Start(o Options) (*Server, error) {
	dir, err := os.MkdirTemp("", "azurednstest")
	if err != nil {
		return nil, err
	}
	s := New(o)
	l := &listening{dir: dir, https: httptest.NewUnstartedServer(s), http: httptest.NewServer(s)}
	l.https.EnableHTTP2 = true
	l.https.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients that do not trust us say so themselves
	l.https.StartTLS()
	s.listening = l
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.https.Certificate().Raw})
	if err := os.WriteFile(s.CAFile(), ca, 0o600); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is where Resource Manager and the authority are: "https://127.0.0.1:port".
func (s *Server) URL() string { return s.listening.https.URL }

// CAFile is a file with the certificate to trust.
func (s *Server) CAFile() string { return filepath.Join(s.listening.dir, "ca.crt") }

// IdentityEnvironment is what App Service sets where managed identity can be used, NAME=value: the one
// managed identity endpoint whose address the SDK takes from outside.
func (s *Server) IdentityEnvironment() []string {
	return []string{"IDENTITY_ENDPOINT=" + s.listening.http.URL + "/msi/token", "IDENTITY_HEADER=" + IdentityHeader}
}

// IdentityURL answers like the metadata service of a virtual machine, which is asked at a fixed address:
// as HTTP_PROXY it stands in for it.
func (s *Server) IdentityURL() string { return s.listening.http.URL }

// Client returns a client that trusts the server.
func (s *Server) Client() *http.Client { return s.listening.https.Client() }

// Close ends what Start began.
func (s *Server) Close() error {
	if s.listening == nil {
		return nil
	}
	s.listening.https.CloseClientConnections()
	s.listening.https.Close()
	s.listening.http.Close()
	return os.RemoveAll(s.listening.dir)
}
