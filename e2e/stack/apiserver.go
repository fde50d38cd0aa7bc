package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/spokedns/spokedns/e2e/pki"
)

// APIServerConfig says what is particular about an API server. The zero value is a good one.
type APIServerConfig struct {
	Name  string   // distinguishes several in one stack; default "kube-apiserver"
	Flags []string // further flags of kube-apiserver
}

// APIServer is a real kube-apiserver with RBAC on and an etcd of its own. No controller runs beside it:
// what an object's status says is what a test wrote there.
type APIServer struct {
	*Part
	Config     *rest.Config // of an administrator, without client-side throttling
	Kubeconfig string       // path of a kubeconfig file for the same administrator
	Dynamic    dynamic.Interface

	dir    string
	ca     *pki.Authority
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

// APIServer starts etcd and kube-apiserver and waits until it is ready to serve.
func (s *Stack) APIServer(ctx context.Context, cfg APIServerConfig) (*APIServer, error) {
	if cfg.Name == "" {
		cfg.Name = "kube-apiserver"
	}
	a := &APIServer{dir: filepath.Join(s.Dir, cfg.Name)}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, err
	}
	program, err := Tool("kube-apiserver")
	if err != nil {
		return nil, err
	}
	storage, err := s.Etcd(ctx, EtcdConfig{Name: cfg.Name + "-etcd", NoSync: true}) // nothing outlives the stack
	if err != nil {
		return nil, err
	}
	if a.ca, err = pki.New("spokedns test authority", pki.PerTest); err != nil {
		return nil, err
	}
	credentials, err := a.writeServerCredentials()
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	if err := a.becomeAdmin("https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
		return nil, err
	}
	flags := slices.Concat(credentials, []string{
		"--etcd-servers=" + storage.Endpoint,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
		"--endpoint-reconciler-type=none", // an Endpoints object may not hold a loopback address
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
	}, cfg.Flags)
	cmd := exec.Command(program, flags...)
	cmd.Dir = a.dir
	a.Part, err = s.Start(ctx, cfg.Name, a.ready(), cmd)
	return a, err
}

// writeServerCredentials makes the server's certificate and the key that signs service account tokens,
// and returns the flags naming them.
func (a *APIServer) writeServerCredentials() ([]string, error) {
	serving, err := a.ca.Issue(pki.Subject{Name: "kube-apiserver", Hosts: []string{"127.0.0.1", "localhost"}})
	if err != nil {
		return nil, err
	}
	private, public, err := pki.Keys()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ca.crt": a.ca.PEM, "tls.crt": serving.Cert, "tls.key": serving.Key,
		"sa.key": private, "sa.pub": public,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(a.dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	path := func(name string) string { return filepath.Join(a.dir, name) }
	return []string{
		"--client-ca-file=" + path("ca.crt"),
		"--tls-cert-file=" + path("tls.crt"), "--tls-private-key-file=" + path("tls.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + path("sa.key"), "--service-account-key-file=" + path("sa.pub"),
	}, nil
}

// ready asks /readyz, which also waits for the bootstrap roles of RBAC.
func (a *APIServer) ready() func(context.Context) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.Config.CAData)
	pair, err := tls.X509KeyPair(a.Config.CertData, a.Config.KeyData)
	if err != nil {
		return func(context.Context) error { return err }
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}},
	}}
	return AnswersOK(client, a.Config.Host+"/readyz")
}

// AnswersOK is a readiness check: a GET of the URL answers 200.
func AnswersOK(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status + ": " + string(body))
		}
		return nil
	}
}
