// Package zonefile owns the test of the compiled zonecontroller's commands import and export: a zone goes from a real
// BIND into a real API server, from there into a zone file, and with that into another BIND, and is the same.
package zonefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/spokedns/spokedns/e2e/stack"
)

const zone = "example.org"

// key signs transfers; without it the servers refuse them.
const (
	keyName   = "mover"
	keySecret = "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="
	keyText   = "key \"mover\" {\n\talgorithm hmac-sha256;\n\tsecret \"" + keySecret + "\";\n};\n"
)

// serve starts a BIND that has the zone from a copy of a file, and takes updates of it.
func serve(t *testing.T, s *stack.Stack, name, source string) string {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), zone+".db")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := stack.System("named", "bind9")
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := fmt.Sprintf(`%s
options { directory %q; pid-file "named.pid"; session-keyfile "session.key"; lock-file none; recursion no;
	listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; dnssec-validation no; notify no; };
controls {};
zone %q { type primary; file %q; allow-transfer { key %[6]q; }; allow-update { key %[6]q; }; };
`, keyText, dir, port, zone, file, keyName)
	path := filepath.Join(dir, "named.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	ready := func(ctx context.Context) error {
		soa, err := stack.Query(ctx, addr, zone, "SOA")
		if err == nil && len(soa) == 0 {
			err = errors.New("it does not serve the zone")
		}
		return err
	}
	if _, err := s.Start(t.Context(), name, ready, exec.Command(program, "-g", "-n", "1", "-c", path)); err != nil {
		t.Fatal(err)
	}
	return addr
}

// transferred is all that a server has of the zone, as text in one order, by a client that is not ours. The case of names
// is no difference (RFC 4343).
func transferred(t *testing.T, addr string) []string {
	t.Helper()
	m := new(dns.Msg)
	m.SetAxfr(zone + ".")
	m.SetTsig(keyName+".", dns.HmacSHA256, 300, time.Now().Unix())
	tr := &dns.Transfer{TsigSecret: map[string]string{keyName + ".": keySecret}}
	envelopes, err := tr.In(m, addr)
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for e := range envelopes {
		if e.Error != nil {
			t.Fatal(e.Error)
		}
		for _, rr := range e.RR {
			rr.Header().Name = dns.CanonicalName(rr.Header().Name)
			switch rr := rr.(type) {
			case *dns.CNAME:
				rr.Target = dns.CanonicalName(rr.Target)
			case *dns.MX:
				rr.Mx = dns.CanonicalName(rr.Mx)
			}
			records = append(records, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	slices.Sort(records)
	return slices.Compact(records) // the SOA comes twice
}

func run(t *testing.T, program string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// kept is what objects can stand for: the zone without what the test zone has of other things.
func kept(records []string) []string {
	return slices.DeleteFunc(slices.Clone(records), func(r string) bool {
		for _, name := range []string{"shop.", "a-shop.", "where.", "odd+name."} {
			if strings.HasPrefix(r, name) {
				return true
			}
		}
		return false
	})
}

func TestAZoneGoesRound(t *testing.T) {
	ctx := t.Context()
	s := stack.ForTest(t)
	program, err := stack.BuildZonecontroller(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.conf")
	if err := os.WriteFile(keyFile, []byte(keyText), 0o600); err != nil {
		t.Fatal(err)
	}
	from := serve(t, s, "before", filepath.Join("testdata", zone+".db"))
	before := transferred(t, from)

	objects, said, err := run(t, program, "import", "--server="+from, "--zone="+zone, "--tsig-file="+keyFile, "--selector=dns=main")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, left := range []string{"shop.example.org A", "a-shop.example.org TXT", "where.example.org LOC", "odd+name.example.org TXT"} {
		if !strings.Contains(said, "record=\""+left+"\"") {
			t.Errorf("import says\n%swithout naming %s, which it leaves out", said, left)
		}
	}
	if n := strings.Count(said, "left out"); n != 4 {
		t.Errorf("import leaves out %d records, want 4:\n%s", n, said)
	}

	api, err := s.APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyCRDs(ctx, stack.ZoneControllerCRDs()); err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyYAML(ctx, objects); err != nil {
		t.Fatalf("the API server does not take what import prints: %v\n%s", err, objects)
	}

	for name, args := range map[string][]string{
		"from the objects": {"--kubeconfig=" + api.Kubeconfig}, "from the server": {"--server=" + from, "--tsig-file=" + keyFile},
	} {
		t.Run(name, func(t *testing.T) {
			text, said, err := run(t, program, append([]string{"export", "--zone=" + zone}, args...)...)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			file := filepath.Join(t.TempDir(), zone+".db")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			check, err := stack.System("named-checkzone", "bind9")
			if err != nil {
				t.Fatal(err)
			}
			if out, errs, err := run(t, check, zone, file); err != nil {
				t.Fatalf("%v\n%s%s\n%s", err, out, errs, text)
			}
			want := before
			if name == "from the objects" {
				want = kept(before)
			}
			if diff := cmp.Diff(want, transferred(t, serve(t, s, strings.ReplaceAll(name, " ", "-"), file))); diff != "" {
				t.Errorf("the zone has changed on its way (-before +after):\n%s", diff)
			}
		})
	}
	again, _, err := run(t, program, "import", "--server="+from, "--zone="+zone, "--tsig-file="+keyFile, "--selector=dns=main")
	if err != nil || again != objects {
		t.Errorf("a second import prints something else (%v):\n%s", err, cmp.Diff(objects, again))
	}
}

// TestAZoneIsTakenOver: objects that import printed find everything as they ask for it. Nothing changes in DNS, not even a
// serial, and the records are theirs.
func TestAZoneIsTakenOver(t *testing.T) {
	ctx := t.Context()
	s := stack.ForTest(t)
	program, err := stack.BuildZonecontroller(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.conf")
	if err := os.WriteFile(keyFile, []byte(keyText), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := serve(t, s, "named", filepath.Join("testdata", zone+".db"))
	before := transferred(t, addr)
	objects, said, err := run(t, program, "import", "--server="+addr, "--zone="+zone, "--tsig-file="+keyFile, "--selector=dns=main", "--namespace=dns")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	api, err := s.APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyCRDs(ctx, stack.ZoneControllerCRDs()); err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyYAML(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: dns}\n"); err != nil {
		t.Fatal(err)
	}
	account, err := api.ZoneControllerAccount(ctx, program, "dns")
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyYAML(ctx, fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: mover, namespace: dns}
stringData: {name: %s, secret: %s}
---
apiVersion: dns.spokedns.io/v1alpha1
kind: DNSServer
metadata: {name: there, namespace: dns, labels: {dns: main}}
spec: {address: "%s", role: Primary, tsig: {name: mover}}
---
`, keyName, keySecret, addr)+strings.TrimPrefix(objects, "---\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ZoneController(ctx, stack.ZoneControllerConfig{Program: program, Kubeconfig: account, Namespace: "dns"}); err != nil {
		t.Fatal(err)
	}
	records := api.Dynamic.Resource(schema.GroupVersionResource{Group: "dns.spokedns.io", Version: "v1alpha1", Resource: "dnsrecords"}).Namespace("dns")
	if err := stack.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		list, err := records.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, r := range list.Items {
			conditions, _, _ := unstructured.NestedSlice(r.Object, "status", "conditions")
			if text := fmt.Sprint(conditions); !strings.Contains(text, "status:True type:Ready") {
				return fmt.Errorf("%s is not Ready: %s", r.GetName(), text)
			}
		}
		if want := strings.Count(objects, "kind: DNSRecord"); len(list.Items) != want {
			return fmt.Errorf("%d records, want %d", len(list.Items), want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, transferred(t, addr)); diff != "" {
		t.Errorf("the zone has changed (-before +after):\n%s", diff)
	}
	// Now they are theirs: what is deleted goes, and nothing else.
	if err := records.Delete(ctx, "www.example.org-cname", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := stack.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		got, err := stack.Query(ctx, addr, "www.example.org", "CNAME")
		if err == nil && len(got) > 0 {
			err = fmt.Errorf("www.example.org is still answered with %q", got)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if after := transferred(t, addr); len(after) != len(before)-1 {
		t.Errorf("%d records are left, want %d: one of %d was deleted", len(after), len(before)-1, len(before))
	}
}

// TestWhatCannotBeRead: what is wrong is said with the flag, or by the server.
func TestWhatCannotBeRead(t *testing.T) {
	program, err := stack.BuildZonecontroller(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, stack.ForTest(t), "named", filepath.Join("testdata", zone+".db"))
	noKey := filepath.Join(t.TempDir(), "key.conf")
	if err := os.WriteFile(noKey, []byte("zone {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"--zone=example.org", "--server=" + addr}, []string{"import: ", "example.org", "REFUSED"}},
		{[]string{"--zone=example.net", "--server=" + addr}, []string{"import: ", "example.net"}},
		{[]string{"--zone=a..b", "--server=" + addr}, []string{"--zone: ", `"a..b" is not a domain name`}},
		{[]string{"--zone=example.org"}, []string{"--server: want"}},
		{[]string{"--zone=example.org", "--server=" + addr, "--tsig-file=/nowhere"}, []string{"--tsig-file: ", "/nowhere"}},
		{[]string{"--zone=example.org", "--server=" + addr, "--tsig-file=" + noKey}, []string{"--tsig-file", "want one key statement as tsig-keygen prints it"}},
	} {
		out, said, err := run(t, program, append([]string{"import", "--selector=a=b"}, c.args...)...)
		if err == nil || out != "" {
			t.Errorf("%q: %v, printed\n%s", c.args, err, out)
		}
		for _, part := range c.says {
			if !strings.Contains(said, part) {
				t.Errorf("%q: %s\nwant %q", c.args, said, part)
			}
		}
	}
}
