package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/spokedns/spokedns/e2e/pki"
)

// EtcdConfig describes an etcd server. The zero value is one with plain HTTP, without users, that syncs
// to disk as a production server does.
type EtcdConfig struct {
	Name         string // of the part, "etcd" when empty
	TLS          bool   // serve https, and want a client certificate signed by the same authority
	RootPassword string // when set, authentication is on and root has this password
	NoSync       bool   // do not wait for the disk; for tests that measure nothing
	QuotaBytes   int    // largest database; 0 for etcd's own default
	// Also are further addresses of this machine to listen at, on the port of the Endpoint, such as those pods reach.
	Also []netip.Addr
}

// Etcd is a running etcd server that can be killed and started again on the same data.
type Etcd struct {
	*Part
	Endpoint                  string // "http://127.0.0.1:port" or "https://…"
	CAFile, CertFile, KeyFile string // what a client needs; empty without TLS

	stack        *Stack
	name         string
	args         []string
	rootPassword string
}

// Etcd starts an etcd server and waits until it answers linearizable reads.
func (s *Stack) Etcd(ctx context.Context, cfg EtcdConfig) (*Etcd, error) {
	if cfg.Name == "" {
		cfg.Name = "etcd"
	}
	clientPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	peerPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.Dir, cfg.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	scheme := "http"
	if cfg.TLS {
		scheme = "https"
	}
	e := &Etcd{Endpoint: fmt.Sprintf("%s://127.0.0.1:%d", scheme, clientPort), stack: s, name: cfg.Name}
	peer := fmt.Sprintf("http://127.0.0.1:%d", peerPort)
	e.args = []string{
		"--name", cfg.Name, "--data-dir", filepath.Join(dir, "data"), "--log-level", "warn",
		"--listen-client-urls", e.Endpoint, "--advertise-client-urls", e.Endpoint,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", cfg.Name + "=" + peer,
	}
	for _, at := range cfg.Also {
		url := scheme + "://" + netip.AddrPortFrom(at, uint16(clientPort)).String() //nolint:gosec // a port
		e.args[slices.Index(e.args, "--listen-client-urls")+1] += "," + url
	}
	if cfg.NoSync {
		e.args = append(e.args, "--unsafe-no-fsync")
	}
	if cfg.QuotaBytes > 0 {
		e.args = append(e.args, "--quota-backend-bytes", fmt.Sprint(cfg.QuotaBytes))
	}
	if cfg.TLS {
		if err := e.issueCertificates(dir); err != nil {
			return nil, err
		}
	}
	if err := e.Restart(ctx); err != nil {
		return nil, err
	}
	if cfg.RootPassword != "" {
		if err := e.enableAuth(ctx, cfg.RootPassword); err != nil {
			return nil, fmt.Errorf("enable authentication of %s: %w", cfg.Name, err)
		}
	}
	return e, nil
}

// Restart starts the server again on the data it had; it must have ended.
func (e *Etcd) Restart(ctx context.Context) error {
	program, err := Tool("etcd")
	if err != nil {
		return err
	}
	e.Part, err = e.stack.Start(ctx, e.name, e.answers, exec.Command(program, e.args...))
	return err
}

// Client returns a client with the rights of root; the caller closes it.
func (e *Etcd) Client() (*clientv3.Client, error) {
	if e.rootPassword == "" {
		return e.ClientAs("", "")
	}
	return e.ClientAs("root", e.rootPassword)
}

// ClientAs returns a client of the given user; the caller closes it.
func (e *Etcd) ClientAs(user, password string) (*clientv3.Client, error) {
	cfg := clientv3.Config{
		Endpoints: []string{e.Endpoint}, Username: user, Password: password,
		DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	}
	if e.CAFile != "" {
		ca, err := os.ReadFile(e.CAFile)
		if err != nil {
			return nil, err
		}
		pair, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		cfg.TLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return clientv3.New(cfg)
}

// AddUser makes a user whose only role may read and write the keys below the prefix.
func (e *Etcd) AddUser(ctx context.Context, user, password, prefix string) error {
	client, err := e.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	_, roleErr := client.RoleAdd(ctx, user)
	_, grantErr := client.RoleGrantPermission(ctx, user, prefix, clientv3.GetPrefixRangeEnd(prefix),
		clientv3.PermissionType(clientv3.PermReadWrite))
	_, userErr := client.UserAdd(ctx, user, password)
	_, joinErr := client.UserGrantRole(ctx, user, user)
	return errors.Join(roleErr, grantErr, userErr, joinErr)
}

func (e *Etcd) enableAuth(ctx context.Context, password string) error {
	client, err := e.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	_, userErr := client.UserAdd(ctx, "root", password)
	_, joinErr := client.UserGrantRole(ctx, "root", "root")
	if err := errors.Join(userErr, joinErr); err != nil {
		return err
	}
	if _, err := client.AuthEnable(ctx); err != nil {
		return err
	}
	e.rootPassword = password
	return nil
}

func (e *Etcd) answers(ctx context.Context) error {
	client, err := e.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = client.Get(ctx, "health")
	return err
}

// issueCertificates makes an authority and one certificate, for the server and its clients alike.
func (e *Etcd) issueCertificates(dir string) error {
	ca, err := pki.New("etcd authority", pki.PerTest)
	if err != nil {
		return err
	}
	pair, err := ca.Issue(pki.Subject{Name: "etcd", Hosts: []string{"127.0.0.1", "localhost", "etcd.internal"}})
	if err != nil {
		return err
	}
	e.CAFile, e.CertFile, e.KeyFile = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, content := range map[string][]byte{e.CAFile: ca.PEM, e.CertFile: pair.Cert, e.KeyFile: pair.Key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	e.args = append(e.args, "--cert-file", e.CertFile, "--key-file", e.KeyFile, "--trusted-ca-file", e.CAFile, "--client-cert-auth")
	return nil
}
