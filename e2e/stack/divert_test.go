package stack

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// greeter says who was asked for what, over which protocol.
func greeter(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, name+" "+r.Host+" "+r.URL.String()+" "+r.Proto)
	})
}

func newTestDivert(t *testing.T) *Divert {
	t.Helper()
	d, err := NewDivert(t.TempDir(), map[string]http.Handler{"api.one.example": greeter("one"), "two.example": greeter("two")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// client is one that trusts the proxy's authority.
func (d *Divert) client(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	proxy, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func fetch(t *testing.T, client *http.Client, address string) (int, string, error) {
	t.Helper()
	resp, err := client.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestDivertAnswersForItsHostsAndNoOthers(t *testing.T) {
	t.Parallel()
	d := newTestDivert(t)
	client := d.client(t)
	for address, want := range map[string]string{
		"https://api.one.example/v1/x?y=z":     "one api.one.example /v1/x?y=z HTTP/2.0",
		"https://API.one.example/":             "one API.one.example / HTTP/2.0",
		"https://two.example:8443/a%2Fb":       "two two.example:8443 /a%2Fb HTTP/2.0",
		"http://two.example/latest/meta-data/": "two two.example /latest/meta-data/ HTTP/1.1",
	} {
		status, body, err := fetch(t, client, address)
		if err != nil || status != http.StatusOK || !strings.EqualFold(body, want) {
			t.Errorf("%s: %d %q, %v; want %q", address, status, body, err, want)
		}
	}
	if len(d.Refused()) != 0 {
		t.Errorf("refused %v", d.Refused())
	}
	if _, _, err := fetch(t, client, "https://www.example.org/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a host that is none of its own: %v", err)
	}
	if status, _, err := fetch(t, client, "http://169.254.169.254/token"); err != nil || status != http.StatusForbidden {
		t.Errorf("a plain request to a host that is none of its own: %d, %v", status, err)
	}
	if want := []string{"www.example.org:443", "169.254.169.254"}; !slices.Equal(d.Refused(), want) {
		t.Errorf("refused %v, want %v", d.Refused(), want)
	}
}

// A tunnel to one host does not let requests to a foreign one through.
func TestDivertRefusesForeignHostsInsideATunnel(t *testing.T) {
	t.Parallel()
	d := newTestDivert(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://two.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "foreign.example"
	resp, err := d.client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("answered with %s", resp.Status)
	}
}

func TestDivertIsTrustedByItsAuthorityOnly(t *testing.T) {
	t.Parallel()
	d := newTestDivert(t)
	client := d.client(t)
	client.Transport.(*http.Transport).TLSClientConfig = nil
	if _, _, err := fetch(t, client, "https://two.example/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
}

// adoptMark makes this test binary a program that adopts a proxy.
const adoptMark = "STACK_TEST_ADOPT"

// What Go reads once per process is read in a process of its own.
func TestDivertIsAdoptedByAProcess(t *testing.T) {
	if os.Getenv(adoptMark) != "" {
		adopting(t)
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDivertIsAdoptedByAProcess$", "-test.v")
	cmd.Env = append(os.Environ(), adoptMark+"=yes", "HTTPS_PROXY=http://before.example:1", "https_proxy=http://before.example:2", "SSL_CERT_FILE=before.pem")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func adopting(t *testing.T) {
	d := newTestDivert(t)
	if err := d.Adopt(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"HTTPS_PROXY": "http://before.example:1", "https_proxy": "http://before.example:2", "SSL_CERT_FILE": "before.pem"} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s is %q afterwards, want %q", name, got, want)
		}
	}
	status, body, err := fetch(t, http.DefaultClient, "https://two.example/")
	if err != nil || status != http.StatusOK || !strings.HasPrefix(body, "two ") {
		t.Errorf("%d %q, %v", status, body, err)
	}
	if _, _, err := fetch(t, http.DefaultClient, "https://elsewhere.example/"); err == nil {
		t.Error("another host was reached")
	}
	second, err := NewDivert(t.TempDir(), map[string]http.Handler{"three.example": greeter("three")})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := second.Adopt(); err == nil || !strings.Contains(err.Error(), d.URL) {
		t.Errorf("a second one: %v", err)
	}
}
