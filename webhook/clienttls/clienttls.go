// Package clienttls owns how a client is told whom to trust over TLS and who it is itself: by files, as
// Kubernetes mounts them.
package clienttls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/spokedns/spokedns/webhook/setting"
)

// Files are the settings. The zero value trusts the system's authorities and shows no certificate.
type Files struct {
	CAFile     string `yaml:"caFile"     name:"ca-file"     help:"Certificate authorities to trust instead of the system's, in PEM. Read at start and at each reload." placeholder:"FILE"`
	CertFile   string `yaml:"certFile"   name:"cert-file"   help:"Client certificate, in PEM. A renewed one is used from the next connection on." placeholder:"FILE"`
	KeyFile    string `yaml:"keyFile"    name:"key-file"    help:"Key of the client certificate, in PEM." placeholder:"FILE"`
	ServerName string `yaml:"serverName" name:"server-name" help:"Name in the server's certificate, when it is not the host it is reached by." placeholder:"NAME"`
}

// Validate reports every wrong setting as a *setting.Error. It does not read the files.
func (f Files) Validate() error {
	if (f.CertFile == "") == (f.KeyFile == "") {
		return nil
	}
	missing := "keyFile"
	if f.CertFile == "" {
		missing = "certFile"
	}
	return &setting.Error{Field: missing, Want: "want certFile and keyFile together, or neither"}
}

// Config reads the files, so that a mistake in one shows at once, and returns the TLS configuration of a
// client. The client certificate is read again at every handshake, so that a renewed one needs no
// restart. Errors are *setting.Error.
func (f Files) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	var errs []error
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		c.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			errs = append(errs, &setting.Error{Field: "caFile", Value: f.CAFile, Want: "want a readable file: " + err.Error()})
		case !c.RootCAs.AppendCertsFromPEM(pem):
			errs = append(errs, &setting.Error{Field: "caFile", Value: f.CAFile, Want: "want certificates in PEM"})
		}
	}
	if f.CertFile != "" {
		if _, err := f.certificate(nil); err != nil {
			errs = append(errs, &setting.Error{Field: "certFile", Value: f.CertFile, Want: "want a certificate and its key in PEM: " + err.Error()})
		}
		c.GetClientCertificate = f.certificate
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// certificate is for tls.Config.GetClientCertificate.
func (f Files) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	return &pair, err
}
