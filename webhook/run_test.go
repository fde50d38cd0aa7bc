package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/extdns"
)

// running is the program at work in this process.
type running struct {
	protocol, operations string // host:port
	log                  *logBuffer
	end                  context.CancelFunc
	ended                chan error
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the program on free ports and waits until it listens.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{log: &logBuffer{}, end: cancel, ended: make(chan error, 1)}
	args = append([]string{"--listen=127.0.0.1:0", "--metrics-listen=localhost:0"}, args...)
	go func() { r.ended <- run(ctx, args, io.Discard, r.log) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	addresses := regexp.MustCompile(`msg=listening protocol=(\S+) operations=(\S+)`)
	eventually(t, "the program listens", func() bool {
		select {
		case err := <-r.ended:
			t.Fatalf("ended before it listened: %v", err)
		default:
		}
		m := addresses.FindStringSubmatch(r.log.String())
		if m != nil {
			r.protocol, r.operations = m[1], m[2]
		}
		return m != nil
	})
	return r
}

// stop ends the program and returns what run returned.
func (r *running) stop(t *testing.T) error {
	t.Helper()
	r.end()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the program does not end")
		return nil
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happened that %s", what)
		}
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// adjust asks what would be published for an Ingress's address.
func (r *running) adjust(t *testing.T) (status int, body string) {
	t.Helper()
	const in = `[{"dnsName":"www.example.org","recordType":"A","targets":["10.0.0.1"],"labels":{"resource":"ingress/shop/front"}}]`
	req, err := http.NewRequest(http.MethodPost, "http://"+r.protocol+"/adjustendpoints", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", extdns.MediaType)
	req.Header.Set("Accept", extdns.MediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// hub is a configuration that rewrites everything to the address.
func hub(address string) string {
	return "views: [{name: public, zones: [example.org], backend: {memory: {}}, rules: [{action: rewrite, target: hub}]}]\n" +
		"targets: {hub: {static: [" + address + "]}}\nkubernetes: {enabled: false}\n"
}

// replace puts a new content in a file's place in one step.
func replace(t *testing.T, path, content string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func TestServesAndEnds(t *testing.T) {
	r := start(t, "--zone=example.org", "--backend=memory", "--custom-ip=203.0.113.10", "--custom-ttl=60", "--no-kubernetes")
	for url, want := range map[string]string{
		"http://" + r.protocol + "/":          `{"include":["example.org"]}`,
		"http://" + r.operations + "/healthz": "ok\n",
		"http://" + r.operations + "/readyz":  "ok\n",
	} {
		if status, body := get(t, url); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want %q", url, status, body, want)
		}
	}
	want := `[{"dnsName":"www.example.org","targets":["203.0.113.10"],"recordType":"A","recordTTL":60,"labels":{"resource":"ingress/shop/front"}}]`
	if status, body := r.adjust(t); status != http.StatusOK || strings.TrimSpace(body) != want {
		t.Errorf("adjust: %d\n%s\nwant\n%s", status, body, want)
	}
	_, metrics := get(t, "http://"+r.operations+"/metrics")
	for _, name := range []string{"spokedns_build_info{", "spokedns_config_last_reload_success 1", "spokedns_requests_total{call=\"adjust\",code=\"200\"} 1", "process_resident_memory_bytes", "go_goroutines"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("no metric %s", name)
		}
	}
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestReloads(t *testing.T) {
	path := configFile(t, hub("203.0.113.10"))
	r := start(t, "--config="+path)
	publishes := func(address string) func() bool {
		return func() bool {
			status, body := r.adjust(t)
			return status == http.StatusOK && strings.Contains(body, `"`+address+`"`)
		}
	}
	eventually(t, "the first configuration is in use", publishes("203.0.113.10"))
	replace(t, path, hub("203.0.113.11"))
	eventually(t, "a new configuration is in use", publishes("203.0.113.11"))
	replace(t, path, hub("not-an-address!"))
	eventually(t, "a wrong configuration is reported", func() bool {
		_, metrics := get(t, "http://"+r.operations+"/metrics")
		return strings.Contains(metrics, "spokedns_config_last_reload_success 0")
	})
	if !publishes("203.0.113.11")() {
		t.Error("the wrong configuration changed something")
	}
	if status, _ := get(t, "http://"+r.operations+"/readyz"); status != http.StatusOK {
		t.Errorf("not ready (%d) although the old configuration serves", status)
	}
	if !strings.Contains(r.log.String(), "not-an-address!") {
		t.Error("the log does not say what is wrong")
	}
	replace(t, path, hub("203.0.113.12")+"log: {level: debug}\n")
	eventually(t, "the mistake is corrected", publishes("203.0.113.12"))
	eventually(t, "the new level is in effect", func() bool {
		_ = publishes("203.0.113.12")()
		return strings.Contains(r.log.String(), "level=DEBUG")
	})
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestNamesWhatNeedsARestart(t *testing.T) {
	path := configFile(t, hub("203.0.113.10"))
	r := start(t, "--config="+path)
	replace(t, path, strings.Replace(hub("203.0.113.10"), "example.org", "example.net", 1)+"log: {format: json}\nserver: {basicAuth: {username: u, passwordFile: f}}\n")
	for _, setting := range []string{"setting=server", "setting=log.format", "restart external-dns"} {
		eventually(t, setting+" is named", func() bool { return strings.Contains(r.log.String(), setting) })
	}
}

// TestCallsUnderWayEnd ends the program while a request is half sent: it is still answered.
func TestCallsUnderWayEnd(t *testing.T) {
	r := start(t, "--zone=example.org", "--backend=memory", "--no-kubernetes")
	conn, err := net.Dial("tcp", r.protocol)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = "[]"
	fmt.Fprintf(conn, "POST /adjustendpoints HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nAccept: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		extdns.MediaType, extdns.MediaType, len(body))
	answer := make([]byte, 1024)
	n, err := conn.Read(answer) // the handler has begun to read
	if err != nil || !strings.Contains(string(answer[:n]), "100 Continue") {
		t.Fatalf("got %q, %v", answer[:n], err)
	}
	r.end()
	eventually(t, "no new calls are taken", func() bool {
		c, err := net.Dial("tcp", r.protocol)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if status, body := get(t, "http://"+r.operations+"/readyz"); status != http.StatusServiceUnavailable || body != "ending\n" {
		t.Errorf("readiness while ending: %d %q", status, body)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	n, err = conn.Read(answer)
	if err != nil || !strings.Contains(string(answer[:n]), "200 OK") {
		t.Errorf("the call under way got %q, %v", answer[:n], err)
	}
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestServesAnotherPod: the protocol over TLS, with a password.
func TestServesAnotherPod(t *testing.T) {
	dir := t.TempDir()
	roots := certificate(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, "--zone=example.org", "--backend=memory", "--no-kubernetes", "--log-level=debug",
		"--tls-cert-file="+filepath.Join(dir, "cert.pem"), "--tls-key-file="+filepath.Join(dir, "key.pem"),
		"--basic-auth-username=external-dns", "--basic-auth-password-file="+password)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for user, want := range map[string]int{
		"":                           http.StatusUnauthorized,
		"external-dns:wrong@":        http.StatusUnauthorized,
		"somebody:hush-hush@":        http.StatusUnauthorized,
		"external-dns:hush-hush@":    http.StatusOK,
		"external-dns:hush-hush%0A@": http.StatusUnauthorized,
	} {
		resp, err := client.Get("https://" + user + r.protocol + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("as %q: %d, want %d", user, resp.StatusCode, want)
		}
	}
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	if strings.Contains(r.log.String(), "hush") {
		t.Error("the log shows the password")
	}
}

// certificate writes cert.pem and key.pem for 127.0.0.1 and returns who vouches for them: themselves.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), certPEM, 0o600), os.WriteFile(filepath.Join(dir, "key.pem"), keyPEM, 0o600),
	); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots
}

func TestWarnsWhenAnybodyMayWrite(t *testing.T) {
	const warning = "whoever reaches the protocol's address can change the zones"
	open := start(t, "--zone=example.org", "--backend=memory", "--no-kubernetes", "--listen=:0")
	if !strings.Contains(open.log.String(), warning) {
		t.Error("no warning about an address that is open to all")
	}
	local := start(t, "--zone=example.org", "--backend=memory", "--no-kubernetes")
	if strings.Contains(local.log.String(), warning) {
		t.Error("a warning about a local address")
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	classic := []string{"--zone=example.org", "--backend=memory"}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"the address is taken", append(classic, "--no-kubernetes", "--listen="+taken.Addr().String()), "listen for external-dns: "},
		{"the address for metrics is taken", append(classic, "--no-kubernetes", "--listen=127.0.0.1:0", "--metrics-listen="+taken.Addr().String()), "listen for metrics and probes: "},
		{"no cluster", append(classic, "--kubeconfig="), "this is not a pod and no kubeconfig is given; give --kubeconfig, or --no-kubernetes"},
		{"no kubeconfig", append(classic, "--kubeconfig=/nowhere"), "kubeconfig: "},
		{"no certificate", append(classic, "--no-kubernetes", "--listen=127.0.0.1:0", "--tls-cert-file=/nowhere", "--tls-key-file=/nowhere"), "server.tls: open /nowhere"},
		{"no password", append(classic, "--no-kubernetes", "--basic-auth-username=u", "--basic-auth-password-file=/nowhere"), "server.basicAuth.passwordFile: open /nowhere"},
		{"no secret", []string{"--zone=example.org", "--no-kubernetes", "--backend=rfc2136", "--listen=127.0.0.1:0", "--metrics-listen=localhost:0", "--rfc2136-servers=a:53", "--rfc2136-tsig-name=k", "--rfc2136-tsig-secret-file=/nowhere"}, "view default, backend rfc2136.tsig.secretFile: \"/nowhere\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, env := range []string{"KUBECONFIG", "KUBERNETES_SERVICE_HOST"} {
				t.Setenv(env, "")
			}
			err := run(t.Context(), c.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
