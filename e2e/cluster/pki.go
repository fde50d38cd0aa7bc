package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one cluster, of servers and of clients. Keys are ECDSA because
// making one takes no time.
type authority struct {
	certPEM []byte
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
}

// subject is who a certificate is for; Kubernetes reads the name as the user, the groups as its groups.
type subject struct {
	name   string
	groups []string
	hosts  []string // names and addresses a server answers to
}

// pair is a certificate with its private key, both PEM.
type pair struct{ cert, key []byte }

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(subject{name: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certPEM: encode("CERTIFICATE", der), cert: cert, key: key}, nil
}

func (a *authority) issue(s subject) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	template := certificate(s)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return pair{}, err
	}
	private, err := privatePEM(key)
	return pair{cert: encode("CERTIFICATE", der), key: private}, err
}

// certificate is good for a month: a cluster for hand work may stay up for a while.
func certificate(s subject) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: s.name, Organization: s.groups},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(30 * 24 * time.Hour),
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

// newServiceAccountKeys makes the pair that signs the tokens of service accounts and checks them.
func newServiceAccountKeys() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	private, err = privatePEM(key)
	return private, encode("PUBLIC KEY", der), err
}

func privatePEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode("PRIVATE KEY", der), err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// writePKI writes every certificate and key of the cluster to <Dir>/pki and a kubeconfig for each client
// to <Dir>/kubeconfig.
func (c *Cluster) writePKI() error {
	ca, err := newAuthority("kubernetes-ca")
	if err != nil {
		return err
	}
	caKey, err := privatePEM(ca.key)
	if err != nil {
		return err
	}
	private, public, err := newServiceAccountKeys()
	if err != nil {
		return err
	}
	serving, err := ca.issue(subject{name: "kube-apiserver", hosts: []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + Domain,
		"localhost", "127.0.0.1", c.NodeIP.String(), c.ServiceCIDR.Addr().Next().String(),
	}})
	if err != nil {
		return err
	}
	toKubelet, err := ca.issue(subject{name: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.crt": ca.certPEM, "ca.key": caKey, "sa.key": private, "sa.pub": public,
		"apiserver.crt": serving.cert, "apiserver.key": serving.key,
		"kubelet-client.crt": toKubelet.cert, "kubelet-client.key": toKubelet.key,
	} {
		if err := os.WriteFile(filepath.Join(c.Dir, "pki", name), content, 0o600); err != nil {
			return err
		}
	}
	return c.writeKubeconfigs(ca, map[string]subject{
		"admin":                   {name: "admin", groups: []string{"system:masters"}},
		string(ControllerManager): {name: "system:kube-controller-manager"},
		string(Scheduler):         {name: "system:kube-scheduler"},
		string(Kubelet):           {name: "system:node:" + c.Name, groups: []string{"system:nodes"}},
		string(KubeProxy):         {name: "system:kube-proxy"},
	})
}
