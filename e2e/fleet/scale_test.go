package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/e2e/stack"
)

const (
	clusters  = 200
	mostBytes = 256 << 20
)

// everywhere has external-dns installed in every cluster.
const everywhere = `{values: {
    image: {repository: registry.example.org/spokedns/webhook}, externalDNS: {txtOwnerId: <cluster.name>},
    config: {views: [{name: v, zones: [<cluster.name>.openmcp.cluster], backend: {etcd: {endpoints: ["http://10.0.0.53:2379"]}}, rules: [{action: keep}]}]}}}`

// TestTwoHundred plans for 200 clusters, each with an address, a certificate and credentials of its own, one of which
// never answers. All of them are one real API server behind 200 doors.
func TestTwoHundred(t *testing.T) {
	ctx, s := t.Context(), stack.ForTest(t)
	platform, err := s.APIServer(ctx, stack.APIServerConfig{Name: "platform"})
	if err != nil {
		t.Fatal(err)
	}
	spoke := cluster(t, s, "spoke", stock("cluster.local"))
	if err := platform.ApplyCRDs(ctx, definition()); err != nil {
		t.Fatal(err)
	}
	apply(t, platform, "apiVersion: v1\nkind: Namespace\nmetadata: {name: dns}\n")
	hung := newListener(t)
	for i := range clusters {
		at, authority := door(t, spoke)
		if i == clusters/2 {
			at = "https://" + hung.Addr().String()
		}
		makeKnown(t, platform, i, at, authority)
	}
	before := snapshot(t, spoke)
	part, _ := start(t, s, "corednsconfig", build(t), platform.Kubeconfig, "--source=Kubeconfig", "--call=10s")
	rise := time.Now()
	apply(t, platform, strings.Replace(landscape("landscape", "Plan", "openmcp.cluster", "10.0.0.53"), "}]}", "}], externalDNS: {installs: ["+everywhere+"]}}", 1))
	var planned time.Duration
	await := func(within time.Duration, want int, state v1alpha1.State) {
		t.Helper()
		if err := stack.Eventually(ctx, within, func(context.Context) error {
			time.Sleep(200 * time.Millisecond) // the status is large
			n := 0
			for _, c := range forwardingOf(t, platform, "landscape").Status.Clusters {
				if c.State == state {
					n++
				}
			}
			if n != want {
				return fmt.Errorf("%d clusters are %s, want %d", n, state, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	await(2*time.Minute, clusters-1, v1alpha1.StatePlanned)
	planned = time.Since(rise)
	await(2*time.Minute, 1, v1alpha1.StateUnreachable)
	if err := stack.Eventually(ctx, 2*time.Minute, func(context.Context) error {
		time.Sleep(200 * time.Millisecond)
		n := 0
		for _, c := range forwardingOf(t, platform, "landscape").Status.Clusters {
			if c.InstallDiff != "" {
				n++
			}
		}
		if n != clusters-1 {
			return fmt.Errorf("of %d clusters it is shown what would be installed, want %d", n, clusters-1)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("what would be installed of external-dns is shown within %s", time.Since(rise).Round(100*time.Millisecond))
	peak := peakOf(t, part)
	f := forwardingOf(t, platform, "landscape")
	t.Logf("%d clusters, one hung: the others planned within %s, at %d at a time; peak of memory %d MiB", clusters, planned.Round(100*time.Millisecond), 50, peak>>20)
	if peak > mostBytes {
		t.Errorf("it took %d MiB, want at most %d", peak>>20, mostBytes>>20)
	}
	if c := condition(t, f, "kubeconfig/dns/c100", v1alpha1.Reachable); c.Status != metav1.ConditionFalse || c.Reason != "Timeout" {
		t.Errorf("the hung one: %+v", c)
	}
	for name, version := range snapshot(t, spoke) {
		if before[name] != version {
			t.Errorf("%s was written to", name)
		}
	}
}

// makeKnown has the platform know cluster number i, whose token is of-<i>.
func makeKnown(t *testing.T, platform *stack.APIServer, i int, at, authority string) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: c}}]
clusters: [{name: c, cluster: {server: "%s", certificate-authority-data: %s}}]
users: [{name: c, user: {token: of-%d}}]
`, at, authority, i)
	if err := platform.Apply(t.Context(), &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: fmt.Sprintf("c%03d", i), Labels: map[string]string{v1alpha1.KubeconfigLabel: "true"}},
		StringData: map[string]string{"kubeconfig": text},
	}); err != nil {
		t.Fatal(err)
	}
}

// door is an HTTPS server with a certificate of its own in front of an API server, and that certificate in base64.
func door(t *testing.T, api *stack.APIServer) (string, string) {
	t.Helper()
	target, err := url.Parse(api.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	return serveTLS(t, &httputil.ReverseProxy{Transport: transport, ErrorLog: quiet(), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Authorization") // the door's own credentials are used
	}})
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// serveTLS starts an HTTPS server with a certificate of its own, and returns its address and that certificate in base64.
func serveTLS(t *testing.T, handler http.Handler) (string, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = quiet()
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// peakOf is the most memory that a process has had, in bytes.
func peakOf(t *testing.T, p *stack.Part) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "VmHWM:")
	if !ok {
		t.Fatalf("no VmHWM in %s", text)
	}
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
