package corefile_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/e2e/stack"
)

// running is a CoreDNS that reloads, with imports and variables, as a cluster's does.
type running struct {
	dir, path, metrics, addr string
	port, metricsPort        int
	process                  corefile.Process
	log                      string
}

const original = `# the user's own
(common) {
    errors
    cache 30
}
.:%d {
    import common
    prometheus {$METRICS}
    reload 2s 0s
    import custom/*.override
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.1" # not "our" business
    }
}
import custom/*.server
`

func start(t *testing.T) *running {
	t.Helper()
	program, err := stack.Tool("coredns")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{dir: t.TempDir()}
	for _, port := range []*int{&r.port, &r.metricsPort} {
		if *port, err = stack.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	r.path = filepath.Join(r.dir, "Corefile")
	r.addr = fmt.Sprintf("127.0.0.1:%d", r.port)
	r.metrics = fmt.Sprintf("127.0.0.1:%d", r.metricsPort)
	if err := os.Mkdir(filepath.Join(r.dir, "custom"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.process = corefile.Process{
		Path:    r.path,
		Imports: map[string][]byte{},
		Env:     map[string]string{"METRICS": r.metrics},
	}
	for name, text := range map[string]string{
		"b.server":   fmt.Sprintf("corp.example:%d {\n    whoami\n}\n", r.port),
		"a.server":   fmt.Sprintf("\nlab.example:%d {\n    import *.none\n    erratic\n}\n", r.port),
		"x.override": "bufsize 1232\n",
	} {
		path := filepath.Join(r.dir, "custom", name)
		r.process.Imports[path] = []byte(text)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.write(t, fmt.Appendf(nil, original, r.port))
	s := stack.ForTest(t)
	cmd := exec.Command(program, "-conf", r.path)
	cmd.Env = append(os.Environ(), "METRICS="+r.metrics)
	part, err := s.Start(t.Context(), "coredns", func(ctx context.Context) error {
		_, err := stack.Query(ctx, r.addr, "anything.example.org", "A")
		return err
	}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	r.log = part.Log
	return r
}

func (r *running) write(t *testing.T, src []byte) {
	t.Helper()
	if err := os.WriteFile(r.path+".new", src, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		t.Fatal(err)
	}
}

func (r *running) predict(t *testing.T, src []byte) (algorithm, sum string) {
	t.Helper()
	file, err := corefile.Parse(src, r.process)
	if err != nil {
		t.Fatal(err)
	}
	algorithm, sum, err = file.Hash(corefile.Version{Major: 1, Minor: 15})
	if err != nil {
		t.Fatal(err)
	}
	return algorithm, sum
}

// reports waits until CoreDNS says that it runs the configuration with this hash.
func (r *running) reports(t *testing.T, algorithm, sum string) {
	t.Helper()
	err := stack.Eventually(t.Context(), 30*time.Second, func(ctx context.Context) error {
		m, err := stack.Scrape(ctx, "http://"+r.metrics+"/metrics")
		if err != nil {
			return err
		}
		if m.Sum("coredns_reload_version_info", "hash="+algorithm, "value="+sum) != 1 {
			return fmt.Errorf("coredns_reload_version_info has no %s %s", algorithm, sum)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func central(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if rr, err := dns.NewRR(q.Question[0].Name + " 60 IN A 10.11.12.13"); err == nil {
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

// The whole way: the hash of what runs, our block put in, the predicted hash reported, its zone answered by the upstream, our
// block taken out, and the first hash again.
func TestHashIsWhatCoreDNSReports(t *testing.T) {
	r := start(t)
	before, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	algorithm, first := r.predict(t, before)
	err = stack.Eventually(t.Context(), 10*time.Second, func(context.Context) error { // it answers before it has said so
		log, err := os.ReadFile(r.log)
		if err == nil && !strings.Contains(string(log), "Running configuration SHA512 = "+first) {
			err = fmt.Errorf("CoreDNS does not log the hash %s %s:\n%s", algorithm, first, log)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := corefile.Parse(before, r.process)
	if err != nil {
		t.Fatal(err)
	}
	site, err := file.Site()
	if err != nil {
		t.Fatal(err)
	}
	if site.Port != r.port || site.Prometheus != r.metrics {
		t.Fatalf("site %+v, want port %d and prometheus %s", site, r.port, r.metrics)
	}
	site.Version = corefile.Version{Major: 1, Minor: 15}
	want := []corefile.Forward{{Zones: []string{"openmcp.test"}, Upstreams: []netip.AddrPort{central(t)}}}
	after, err := corefile.Edit(before, want, site)
	if err != nil {
		t.Fatal(err)
	}
	if err := corefile.Check(after, r.process, corefile.Rules{Want: want, Site: site, Migration: true}); err != nil {
		t.Fatal(err)
	}
	r.write(t, after)
	algorithm, second := r.predict(t, after)
	r.reports(t, algorithm, second)
	m, err := stack.Scrape(t.Context(), "http://"+r.metrics+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if m.Sum("coredns_plugin_enabled", "name=forward", "zone=openmcp.test.") != 1 || m.Sum("coredns_reload_failed_total") != 0 {
		t.Error("the block with our zone is not seen in the metrics")
	}
	for name, addr := range map[string]string{"svc.openmcp.test": "10.11.12.13", "elsewhere.example.org": "192.0.2.1"} {
		if err := stack.EventuallyAnswers(t.Context(), 10*time.Second, r.addr, name, "A", addr); err != nil {
			t.Error(err)
		}
	}

	back, err := corefile.Edit(after, nil, site)
	if err != nil {
		t.Fatal(err)
	}
	if string(back) != string(before) {
		t.Fatalf("taken out, the file is\n%s", back)
	}
	r.write(t, back)
	r.reports(t, algorithm, first)
}

// Whatever way the Corefiles of the corpus are written: CoreDNS starts with our block in them and serves its zone.
func TestCoreDNSStartsWithOurBlockInAnyLayout(t *testing.T) {
	program, err := stack.Tool("coredns")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"odd-crlf", "odd-crlf-no-newline", "odd-tabs", "odd-bom", "odd-no-newline", "odd-no-brace", "odd-no-brace-no-newline", "odd-key-only",
		"odd-quotes", "odd-comments", "odd-word-comment", "odd-snippets", "odd-brace-next-line", "odd-one-line", "odd-utf8", "odd-invalid-utf8", "odd-view",
		"odd-import-only", "odd-empty", "odd-comment-only", "odd-blank", "kubeadm-1.34", "k3s", "aks", "rke2", "gardener", "openshift",
	} {
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join(stack.Root(), "corednsconfig/corefile/testdata/corefiles", name))
			if err != nil {
				t.Fatal(err)
			}
			src = withoutCluster(src)
			site := corefile.Site{Port: 53, Version: corefile.Version{Major: 1, Minor: 15}}
			if file, err := corefile.Parse(src, corefile.Process{}); err != nil {
				t.Fatal(err)
			} else if own, err := file.Site(); err == nil {
				site.Port = own.Port
			}
			want := []corefile.Forward{{Zones: []string{"openmcp.test"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:5399")}}}
			edited, err := corefile.Edit(src, want, site)
			if err != nil {
				t.Fatal(err)
			}
			started, output := tryToStart(t, program, edited)
			if !started {
				t.Errorf("CoreDNS does not start\n%s\n%s", output, edited)
			}
			if !strings.Contains(output, "openmcp.test.:") {
				t.Errorf("CoreDNS does not serve openmcp.test\n%s", output)
			}
		})
	}
}

// withoutCluster makes a Corefile of a cluster one that runs without: plugins that need an API server, the pod's resolv.conf or
// a fixed port of their own become comments or harmless, in the same place.
func withoutCluster(src []byte) []byte {
	text := strings.NewReplacer(
		"kubernetes", "template IN PTR", `"kubernetes"`, "template", "pods insecure", "rcode NXDOMAIN", `pods "insecure"`, "rcode NXDOMAIN",
		"ttl 30", "rcode NXDOMAIN", "ttl 60", "", "reload 15s", "", "/etc/coredns/NodeHosts", "/etc/hosts",
		"/etc/resolv.conf", "127.0.0.1:5399", "9.9.9.9", "127.0.0.1:5399", "149.112.112.112", "127.0.0.2:5399",
		"health {", "template IN MX {", "health  {", "template IN MX {", "health", "nsid", "ready", "minimal",
	).Replace(string(src))
	text = regexp.MustCompile(`lameduck \d+s`).ReplaceAllString(text, "rcode NXDOMAIN")
	return []byte(text)
}
