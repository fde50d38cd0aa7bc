// Package pki owns the certificates of the parts that tests start: an authority for each, and what it signs for servers
// and for clients.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// Authority signs certificates, of servers and of clients. Keys are ECDSA because making one takes no time.
type Authority struct {
	PEM  []byte // its certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	life time.Duration
}

// Subject is who a certificate is for; Kubernetes reads the name as the user, the groups as its groups.
type Subject struct {
	Name   string
	Groups []string
	Hosts  []string // names and addresses a server answers to
}

// Pair is a certificate with its private key, both PEM.
type Pair struct{ Cert, Key []byte }

// PerTest is how long a certificate is good that a test needs.
const PerTest = 24 * time.Hour

// New makes an authority whose certificates are good for so long.
func New(name string, life time.Duration) (*Authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{key: key, life: life}
	template := a.certificate(Subject{Name: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a.PEM = encode("CERTIFICATE", der)
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// Key is the authority's own private key, PEM.
func (a *Authority) Key() ([]byte, error) { return private(a.key) }

// Issue signs a certificate that serves as a server's and as a client's.
func (a *Authority) Issue(s Subject) (Pair, error) {
	key, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	template := a.certificate(s)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return Pair{}, err
	}
	own, err := private(key)
	return Pair{Cert: encode("CERTIFICATE", der), Key: own}, err
}

func (a *Authority) certificate(s Subject) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: s.Name, Organization: s.Groups},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(a.life),
	}
	for _, host := range s.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	return c
}

// Keys makes a key that signs and its public half that checks, both PEM: those of Kubernetes' service accounts.
func Keys() (signing, public []byte, err error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	signing, err = private(key)
	return signing, encode("PUBLIC KEY", der), err
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func private(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode("PRIVATE KEY", der), err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
