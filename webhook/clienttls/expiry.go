package clienttls

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"
)

// Expiry is when what the files hold is no longer good: the last of the authorities, and the client certificate. Zero
// is what there is no file for, or none that can be read.
func (f Files) Expiry() (authorities, client time.Time) {
	for _, c := range certificates(f.CAFile) {
		if c.NotAfter.After(authorities) { // while one is being replaced the file holds both
			authorities = c.NotAfter
		}
	}
	return authorities, Expiry(f.CertFile)
}

// Expiry is when the first certificate of a file ends, which is the one shown to others: those behind it lead to an
// authority. Zero if there is no such file, or none that can be read.
func Expiry(file string) time.Time {
	if chain := certificates(file); len(chain) > 0 {
		return chain[0].NotAfter
	}
	return time.Time{}
}

// certificates are those of a file in PEM, in its order.
func certificates(file string) (out []*x509.Certificate) {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			out = append(out, c)
		}
	}
	return out
}
