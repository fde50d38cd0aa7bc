package charts_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The real etcd with the StatefulSet's flags, the real corednsconfig with the Job's, and the real CoreDNS with the
// Corefile: what the chart renders works together, on certificates alone. Only paths, names and ports are this machine's.
func TestTheCentralDNSWorksAsRendered(t *testing.T) {
	r := render(t, chartDir(t, "central-dns"), "testdata/central-dns/least.yaml",
		"--set", "etcd.replicas=1", "--set", "landscape.nameServers={192.0.2.53}", "--set", "landscape.clusters[0].name=workload01")
	parts, dir := stack.ForTest(t), t.TempDir()
	tls := newCertificates(t, dir)
	tls.issue("etcd-tls", "etcd")
	tls.issue("etcd-client", "skydns.coredns")
	tls.issue("etcd-root", "root")
	ports := freePorts(t, 8)
	local := strings.NewReplacer(
		"/etc/etcd-tls", dir+"/etcd-tls", "/etc/etcd-client", dir+"/etcd-client", "/etc/etcd-root", dir+"/etcd-root",
		"/etc/spokedns", dir, "/var/lib/etcd", dir, "$(POD_NAME)", "edge-central-dns-etcd-0",
		"edge-central-dns-etcd-0.edge-central-dns-etcd-members.dns.svc", "127.0.0.1", "0.0.0.0", "127.0.0.1",
		":2379", ports[0], ":2380", ports[1], ":2381", ports[2],
		":1053", ports[3], ":5301", ports[4], ":9153", ports[5], ":8080", ports[6], ":8181", ports[7],
	)
	here := func(args []string) (out []string) {
		for _, a := range args {
			out = append(out, local.Replace(local.Replace(a))) // once for the pod's name, once for the host's
		}
		return out
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(name, tool string, ready func(context.Context) error, args []string) {
		program, err := stack.Tool(tool)
		if err == nil {
			_, err = parts.Start(t.Context(), name, ready, exec.Command(program, args...))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	config := get[corev1.ConfigMap](r, "ConfigMap", "edge-central-dns").Data
	write("central.yaml", local.Replace(config["central.yaml"]))
	write("Corefile", strings.ReplaceAll(local.Replace(config["Corefile"]), "    errors\n    prometheus", "    bind 127.0.0.1\n    errors\n    prometheus"))

	etcd := get[appsv1.StatefulSet](r, "StatefulSet", "edge-central-dns-etcd").Spec.Template.Spec.Containers[0]
	start("etcd", "etcd", listens(ports[2]), here(etcd.Args))
	job := get[batchv1.Job](r, "Job", "edge-central-dns-setup").Spec.Template.Spec.Containers[0]
	setup := exec.CommandContext(t.Context(), "go", append([]string{"run", "./corednsconfig"}, here(job.Args)...)...)
	setup.Dir = stack.Root()
	if out, err := setup.CombinedOutput(); err != nil || !strings.Contains(string(out), "turned authentication on") {
		t.Fatalf("%v:\n%s", err, out)
	}
	start("coredns", "coredns", listens(ports[7]), []string{"-conf", filepath.Join(dir, "Corefile")})

	for name, want := range map[string]string{
		"openmcp.cluster.":            "ns1.ns.dns.openmcp.cluster.",
		"workload01.openmcp.cluster.": "ns1.ns.dns.workload01.openmcp.cluster.",
	} {
		q := new(dns.Msg).SetQuestion(name, dns.TypeNS)
		reply, err := dns.Exchange(q, "127.0.0.1"+ports[3])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, rr := range reply.Answer {
			if ns, ok := rr.(*dns.NS); ok {
				got = append(got, ns.Ns)
			}
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s NS: %s\n%v", name, diff, reply)
		}
	}
}

// listens is a readiness check: somebody accepts connections there.
func listens(port string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1"+port)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
}

// freePorts are free ones, each as ":PORT".
func freePorts(t *testing.T, n int) (out []string) {
	t.Helper()
	for range n {
		port, err := stack.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf(":%d", port))
	}
	return out
}

// certificates are those of one authority, as Secrets hold them.
type certificates struct {
	*testing.T
	dir  string
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newCertificates(t *testing.T, dir string) *certificates {
	t.Helper()
	c := &certificates{T: t, dir: dir}
	c.ca, c.key = c.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "landscape"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return c
}

// sign makes a certificate with a key of its own; the first signs itself.
func (c *certificates) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.Fatal(err)
	}
	c.next++
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(c.next), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if c.ca != nil {
		parent, signer = c.ca, c.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		c.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		c.Fatal(err)
	}
	return certificate, key
}

// issue writes the files of a Secret into the directory of that name.
func (c *certificates) issue(name, commonName string) {
	c.Helper()
	certificate, key := c.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: commonName}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.Fatal(err)
	}
	dir := filepath.Join(c.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: certificate.Raw}, "tls.key": {Type: "PRIVATE KEY", Bytes: der}, "ca.crt": {Type: "CERTIFICATE", Bytes: c.ca.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			c.Fatal(err)
		}
	}
}
