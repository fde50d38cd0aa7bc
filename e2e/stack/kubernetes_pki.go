package stack

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

// key is a private key; ECDSA because making one takes no time.
type key struct{ *ecdsa.PrivateKey }

func newKey() (key, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return key{k}, err
}

func (k key) pem() (private, public []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	pub, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}), nil
}

// authority signs the certificates of one cluster, of servers and of clients.
type authority struct {
	certPEM []byte
	cert    *x509.Certificate
	key     key
}

// subject is who a certificate is for; Kubernetes reads the name as the user, the groups as its groups.
type subject struct {
	name   string
	groups []string
	hosts  []string // names and addresses a server answers to
}

// keyPair is a certificate with its private key, both PEM.
type keyPair struct{ certPEM, keyPEM []byte }

func newAuthority(name string) (*authority, error) {
	k, err := newKey()
	if err != nil {
		return nil, err
	}
	template := certificate(subject{name: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k.PrivateKey)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert: cert, key: k}, nil
}

func (a *authority) issue(s subject) (keyPair, error) {
	k, err := newKey()
	if err != nil {
		return keyPair{}, err
	}
	template := certificate(s)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key.PrivateKey)
	if err != nil {
		return keyPair{}, err
	}
	private, _, err := k.pem()
	return keyPair{certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM: private}, err
}

func certificate(s subject) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: s.name, Organization: s.groups},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(24 * time.Hour),
	}
	for _, host := range s.hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	return c
}
