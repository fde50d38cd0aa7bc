package corefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

func parse(t testing.TB, src string, p corefile.Process) *corefile.File {
	t.Helper()
	file, err := corefile.Parse([]byte(src), p)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// What the Corefiles of the distributions dictate for our block.
func TestSiteOfDistributions(t *testing.T) {
	all := corpus(t)
	kubernetes := []string{"cluster.local"}
	for name, want := range map[string]struct {
		site    corefile.Site
		domains []string
		imports []string
	}{
		"kubeadm-1.13":     {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, nil},
		"kubeadm-1.34":     {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, nil},
		"k3s":              {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, []string{"/etc/coredns/custom/*.override in a block", "/etc/coredns/custom/*.server"}},
		"aks":              {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, []string{"/etc/coredns/custom/*.override in a block", "/etc/coredns/custom/*.server"}},
		"rke2":             {corefile.Site{Port: 53, Prometheus: "0.0.0.0:9153"}, kubernetes, nil},
		"gardener":         {corefile.Site{Port: 8053, Prometheus: ":9153"}, kubernetes, []string{"/etc/coredns/custom/*.override in a block", "/etc/coredns/custom/*.server"}},
		"openshift":        {corefile.Site{Port: 5353, Prometheus: "127.0.0.1:9153"}, kubernetes, nil},
		"node-local":       {corefile.Site{Port: 53, Prometheus: ":9253", Bind: []string{"169.254.20.10", "10.96.0.10"}}, nil, nil},
		"kops":             {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, nil},
		"submariner":       {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, nil},
		"odd-snippets":     {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, nil},
		"odd-two-defaults": {corefile.Site{Port: 53, Prometheus: "0.0.0.0:9153", Bind: []string{"10.96.0.10", "lo"}}, kubernetes, nil},
		"odd-zones":        {corefile.Site{Port: 53, Prometheus: "localhost:9153"}, nil, nil},
		"odd-view":         {corefile.Site{Port: 53, Prometheus: ":9153"}, kubernetes, nil},
		"odd-no-brace":     {corefile.Site{Port: 53}, kubernetes, nil},
	} {
		t.Run(name, func(t *testing.T) {
			file := parse(t, string(all[name]), corefile.Process{})
			site, err := file.Site()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.site, site); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want.domains, file.ClusterDomains()); diff != "" {
				t.Error(diff)
			}
			var imports []string
			for _, i := range file.Imports() {
				if !i.TopLevel {
					i.Pattern += " in a block"
				}
				imports = append(imports, i.Pattern)
			}
			if diff := cmp.Diff(want.imports, imports); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSiteWithVariables(t *testing.T) {
	src := string(corpus(t)["odd-env"])
	if _, err := parse(t, src, corefile.Process{}).Site(); reason(err) != corefile.NoDefault {
		t.Errorf("with an unknown port: %v, want NoDefault", err)
	}
	file := parse(t, src, corefile.Process{Env: map[string]string{"DNS_PORT": "1053", "POD_IP": "10.0.0.7", "CLUSTER_DOMAIN": "k8s.internal", "UPSTREAM": "10.0.0.2"}})
	site, err := file.Site()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(corefile.Site{Port: 1053, Bind: []string{"10.0.0.7"}, Prometheus: "10.0.0.7:9153"}, site); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"k8s.internal"}, file.ClusterDomains()); diff != "" {
		t.Error(diff)
	}
	if _, _, err := parse(t, "x {\n    root {$ROOT}\n}\n", corefile.Process{}).Hash(corefile.Version{}); err == nil {
		t.Error("a hash was predicted without the variables it depends on")
	}
	if _, _, err := parse(t, string(corpus(t)["k3s"]), corefile.Process{}).Hash(corefile.Version{}); err == nil {
		t.Error("a hash was predicted without the imports it depends on")
	}
	if algorithm, _, err := file.Hash(version(t, "1.8.6")); algorithm != "md5" || err != nil {
		t.Errorf("CoreDNS 1.8.6 reports %s (%v), want md5", algorithm, err)
	}
	except := ".:53 {\n    bind lo {\n        except 127.0.0.1\n    }\n    whoami\n}\n"
	if _, err := parse(t, except, corefile.Process{}).Site(); reason(err) != corefile.Bind {
		t.Errorf("a bind with an exception: %v, want Bind", err)
	}
}

func reason(err error) corefile.Reason {
	var fault *corefile.Fault
	if !errors.As(err, &fault) {
		return ""
	}
	return fault.Reason
}

func TestAddressesOfBlocks(t *testing.T) {
	file := parse(t, string(corpus(t)["odd-zones"]), corefile.Process{Port: 5300})
	var got []string
	for _, b := range file.Blocks() {
		for _, k := range b.Keys {
			got = append(got, k.String())
		}
		got = append(got, fmt.Sprintf("line %d %v", b.Line, b.Plugins))
	}
	want := []string{
		"dns://example.org.:5300", "dns://sub.example.org.:1053", "dns://other.example.:53", "dns://0.0.10.in-addr.arpa.:5300",
		"dns://0.1.10.in-addr.arpa.:5300", "dns://1.1.10.in-addr.arpa.:5300", "dns://2.1.10.in-addr.arpa.:5300", "dns://3.1.10.in-addr.arpa.:5300",
	}
	for nibble := range 8 { // a /33 is eight /36
		want = append(want, fmt.Sprintf("dns://%d.8.b.d.0.1.0.0.2.ip6.arpa.:5300", nibble))
	}
	want = append(want, "tls://secure.example.:853", "line 1 [errors whoami]", "dns://.:5300", "line 7 [whoami prometheus]")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBlocksKnowTheirBytes(t *testing.T) {
	src := plain + "# mine\ncorp.example:53 { # here\n    whoami\n} # there\n"
	edited := mustEdit(t, []byte(src), []corefile.Forward{forward("openmcp.test", "10.0.0.1")}, newest(t))
	blocks := parse(t, string(edited), corefile.Process{}).Blocks()
	var got []string
	for _, b := range blocks {
		text := string(edited[b.Start:b.End])
		first, _, _ := strings.Cut(text, "\n")
		got = append(got, fmt.Sprintf("%s … %s ours=%v", first, text[len(text)-1:], b.Ours))
	}
	if len(got) != 3 || got[0] != ".:53 { … } ours=false" || got[1] != "corp.example:53 { # here … } ours=false" ||
		!strings.HasPrefix(got[2], "# spokedns: ") || !strings.HasSuffix(got[2], " … } ours=true") {
		t.Errorf("blocks are %q", got)
	}
}

func TestFaultsNameTheImportedFile(t *testing.T) {
	p := corefile.Process{Imports: map[string][]byte{
		"/etc/coredns/custom/team.server":   []byte("team.example:53 {\n    lighthouse\n}\n"),
		"/etc/coredns/custom/team.override": []byte("cache 0\n"),
	}}
	err := corefile.Check(corpus(t)["digitalocean"], p, corefile.Rules{Site: corefile.Site{Version: version(t, "1.12.1")}})
	var got []string
	for _, f := range corefile.Faults(err) {
		got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Reason))
	}
	if diff := cmp.Diff([]string{
		"/etc/coredns/custom/team.override:1 Option", "/etc/coredns/custom/team.override:1 Option", "/etc/coredns/custom/team.server:2 Plugin",
	}, got); diff != "" {
		t.Error(err, diff)
	}
}

// A key of a custom ConfigMap holds our blocks alone; the Corefile that imports it says what they must follow.
func TestOurBlocksInAnImportedFile(t *testing.T) {
	src := corpus(t)["gardener"]
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.1")}
	site := corefile.Site{Port: 8053, Prometheus: ":9153", Version: version(t, "1.13.1")}
	const path = "/etc/coredns/custom/spokedns.server"
	process := corefile.Process{Imports: map[string][]byte{path: mustEdit(t, nil, want, site)}}
	rules := corefile.Rules{Want: want, Site: corefile.Site{Version: site.Version}}
	if err := corefile.Check(src, process, rules); err != nil {
		t.Error(err)
	}
	blocks := parse(t, string(src), process).Blocks()
	if b := blocks[len(blocks)-1]; !b.Ours || b.File != path || b.Line != 2 {
		t.Errorf("our block is read as %+v", b)
	}
	site.Port = 53
	process.Imports[path] = mustEdit(t, nil, want, site)
	faults := corefile.Faults(corefile.Check(src, process, rules))
	if len(faults) != 1 || faults[0].Reason != corefile.Port || faults[0].File != path || !faults[0].Ours {
		t.Errorf("on the wrong port the faults are %v", faults)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"1.12.1": "1.12.1", "v1.11.4-eksbuild.2": "1.11.4", "CoreDNS-1.10.1": "1.10.1", "v1.9.3.1": "1.9.3", "coredns-1.8.6": "1.8.6",
		"1.12": "", "latest": "", "": "", "1.12.1x": "", "sha256:0123": "",
	} {
		v, err := corefile.ParseVersion(text)
		if (err == nil) != (want != "") || err == nil && v.String() != want {
			t.Errorf("ParseVersion(%q) is %v (%v), want %q", text, v, err, want)
		}
	}
	if (corefile.Version{}).AtLeast(corefile.Version{}) || (corefile.Version{}).String() != "unknown" {
		t.Error("the zero Version is not unknown")
	}
}

// long is a Corefile of 2,000 lines and our block.
func long(t testing.TB) []byte {
	var b bytes.Buffer
	b.WriteString(plain)
	for i := 0; bytes.Count(b.Bytes(), []byte("\n")) < 2000; i++ {
		fmt.Fprintf(&b, "zone-%d.corp.example:53 {\n    errors\n    cache 30 {\n        success 9984 30\n    }\n    forward . 10.1.%d.%d 10.2.0.1 {\n        policy sequential\n    }\n}\n", i, i/250, i%250+1)
	}
	return mustEdit(t, b.Bytes(), []corefile.Forward{forward("openmcp.test", "10.0.0.1")}, newest(t))
}

func BenchmarkCheck2000Lines(b *testing.B) {
	src := long(b)
	rules := corefile.Rules{Want: []corefile.Forward{forward("openmcp.test", "10.0.0.1")}, Site: newest(b), Migration: true}
	rules.Site.Version = version(b, "1.12.1")
	src = mustEdit(b, src, rules.Want, rules.Site)
	for b.Loop() {
		if err := corefile.Check(src, corefile.Process{}, rules); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEdit2000Lines(b *testing.B) {
	src := long(b)
	want := []corefile.Forward{forward("openmcp.test", "10.0.0.2")}
	for b.Loop() {
		if _, err := corefile.Edit(src, want, newest(b)); err != nil {
			b.Fatal(err)
		}
	}
}
