package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spokedns/spokedns/e2e/pki"
)

// Divert is a proxy on loopback that answers for services of the Internet: what a client sends to one of
// its hosts goes to that host's handler, over TLS with a certificate of its own authority. Every other
// host is refused and remembered, so that nothing leaves the machine and nobody believes it did.
type Divert struct {
	URL    string // of the proxy
	CAFile string // certificate of its authority, PEM

	hosts   map[string]http.Handler
	secure  *tls.Config
	proxy   *http.Server
	service *http.Server
	opened  *connections

	mu      sync.Mutex
	refused []string
}

// NewDivert starts a proxy that answers for the hosts; the certificate of its authority goes into dir.
func NewDivert(dir string, hosts map[string]http.Handler) (*Divert, error) {
	ca, err := pki.New("diverted services", pki.PerTest)
	if err != nil {
		return nil, err
	}
	d := &Divert{CAFile: filepath.Join(dir, "divert-ca.pem"), hosts: hosts}
	if err := os.WriteFile(d.CAFile, ca.PEM, 0o600); err != nil {
		return nil, err
	}
	var names []string
	for host := range hosts {
		names = append(names, host)
	}
	pair, err := ca.Issue(pki.Subject{Name: "diverted", Hosts: names})
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, err
	}
	d.secure = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.URL = "http://" + listener.Addr().String()
	d.opened = &connections{queue: make(chan net.Conn), closed: make(chan struct{}), address: listener.Addr()}
	d.proxy = &http.Server{Handler: http.HandlerFunc(d.connect)}
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // a client that does not trust us says so itself
	d.service = &http.Server{Handler: http.HandlerFunc(d.serve), TLSConfig: d.secure, ErrorLog: quiet}
	go func() { _ = d.proxy.Serve(listener) }()
	go func() { _ = d.service.Serve(d.opened) }()
	return d, nil
}

// Close ends the proxy and every connection through it.
func (d *Divert) Close() { _, _ = d.proxy.Close(), d.service.Close() }

// Env is the environment with which a program's requests to the Internet come here. Those to loopback do
// not, whatever it says. The AWS SDK, unlike others, has a variable of its own for authorities.
func (d *Divert) Env() []string {
	return []string{"HTTPS_PROXY=" + d.URL, "HTTP_PROXY=" + d.URL, "NO_PROXY=localhost", "SSL_CERT_FILE=" + d.CAFile, "AWS_CA_BUNDLE=" + d.CAFile}
}

// Adopt makes this very process send its requests to the Internet here, for good: Go reads the proxy and
// the trusted authorities once. It must come before anything else reads them. Programs that are started
// later do not inherit it.
func (d *Divert) Adopt() error {
	var restore []func() error
	for _, setting := range d.Env() {
		name, value, _ := strings.Cut(setting, "=")
		old, was := os.LookupEnv(name)
		restore = append(restore, func() error {
			if !was {
				return os.Unsetenv(name)
			}
			return os.Setenv(name, old)
		})
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	ask, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://service.example/", http.NoBody)
	if err != nil {
		return err
	}
	proxy, err := http.ProxyFromEnvironment(ask)
	if err == nil && (proxy == nil || proxy.String() != d.URL) {
		err = fmt.Errorf("this process took its proxy, %v, before it was told to take %s", proxy, d.URL)
	}
	for host := range d.hosts {
		if err == nil {
			_, err = d.secure.Certificates[0].Leaf.Verify(x509.VerifyOptions{DNSName: host})
		}
	}
	for _, r := range restore {
		err = errors.Join(err, r())
	}
	return err
}

// Refused are the hosts that were asked for and are none of ours, in order.
func (d *Divert) Refused() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.refused)
}

// handler is that of a host, which may carry a port.
func (d *Divert) handler(host string) http.Handler {
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	h := d.hosts[strings.ToLower(name)]
	if h == nil {
		d.mu.Lock()
		d.refused = append(d.refused, host)
		d.mu.Unlock()
	}
	return h
}

// connect serves the proxy: tunnels for https, requests with a whole URL for http.
func (d *Divert) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		d.serve(w, r)
		return
	}
	if d.handler(r.Host) == nil {
		http.Error(w, "this proxy answers for its own hosts only", http.StatusForbidden)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = conn.Close()
		return
	}
	d.opened.add(tls.Server(conn, d.secure))
}

// serve answers a request inside a tunnel, or one to a plain http URL.
func (d *Divert) serve(w http.ResponseWriter, r *http.Request) {
	h := d.handler(r.Host)
	if h == nil {
		http.Error(w, "this proxy answers for its own hosts only", http.StatusForbidden)
		return
	}
	r.URL.Scheme, r.URL.Host = "", "" // as a server gets it
	h.ServeHTTP(w, r)
}

// connections is a net.Listener of connections that are there already.
type connections struct {
	queue   chan net.Conn
	closed  chan struct{}
	once    sync.Once
	address net.Addr
}

func (c *connections) add(conn net.Conn) {
	select {
	case c.queue <- conn:
	case <-c.closed:
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	select {
	case conn := <-c.queue:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (c *connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// Addr implements net.Listener.
func (c *connections) Addr() net.Addr { return c.address }
