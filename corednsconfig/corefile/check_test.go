package corefile_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// Every file of testdata/faulty says on its first line what is wrong with it and whether a CoreDNS 1.15.0 starts with it; the
// latter is tested on the real one in e2e/corefile.
func TestCheckRefusesEveryFaultForItsReason(t *testing.T) {
	header := regexp.MustCompile(`^# want: (\w+) line (\d+); (?:version ([\d.]+); )?CoreDNS 1\.15\.0 (?:refuses|starts)$`)
	paths, err := filepath.Glob("testdata/faulty/*")
	if err != nil || len(paths) < 70 {
		t.Fatalf("found %d files in testdata/faulty (%v), want at least 70", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(src), "\n")
			m := header.FindStringSubmatch(first)
			if m == nil {
				t.Fatalf("first line %q does not match %s", first, header)
			}
			line, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			rules := corefile.Rules{Site: corefile.Site{Version: version(t, "1.15.0")}}
			if m[3] != "" {
				rules.Site.Version = version(t, m[3])
			}
			err = corefile.Check(src, corefile.Process{Imports: map[string][]byte{}}, rules)
			faults := corefile.Faults(err)
			if len(faults) != 1 {
				t.Fatalf("got %d faults (%v), want one", len(faults), err)
			}
			if f := faults[0]; string(f.Reason) != m[1] || f.Line != line || f.Ours || f.File != "" {
				t.Errorf("got %s in line %d (%v), want %s in line %d", f.Reason, f.Line, err, m[1], line)
			}
		})
	}
}

// The same Corefiles, each by the release that ships with it, have no fault; with our block in it neither.
func TestCheckAcceptsWhatDistributionsShip(t *testing.T) {
	all := corpus(t)
	for name, release := range map[string]string{
		"kubeadm-1.13": "1.2.6", "kubeadm-1.17": "1.6.5", "kubeadm-1.28": "1.10.1", "kubeadm-1.34": "1.12.1", "kind": "1.12.1",
		"talos": "1.13.1", "minikube": "1.12.1", "eks": "1.11.4", "aks": "1.12.1", "k3s": "1.12.3", "rke2": "1.12.4",
		"gardener": "1.13.1", "openshift": "1.11.3", "node-local": "1.11.3", "digitalocean": "1.11.3", "kops": "1.12.1",
		"microk8s": "1.10.1", "submariner": "1.12.1", "odd-quotes": "1.15.0", "odd-snippets": "1.15.0", "odd-comments": "1.15.0",
		"odd-crlf": "1.15.0", "odd-no-brace": "1.15.0", "odd-view": "1.15.0", "odd-bom": "1.15.0", "odd-brace-next-line": "1.15.0",
	} {
		for _, migrates := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s migrates=%v", name, migrates), func(t *testing.T) {
				src := all[name]
				process := corefile.Process{Imports: map[string][]byte{}}
				rules := corefile.Rules{
					ClusterDomain: "cluster.local", ClusterDNS: []netip.Addr{netip.MustParseAddr("10.96.0.10")},
					Plugins: []string{"lighthouse"}, Migration: migrates,
				}
				if release != "" {
					rules.Site.Version = version(t, release)
				}
				if err := corefile.Check(src, process, rules); err != nil {
					t.Fatalf("without us: %v", err)
				}
				file, err := corefile.Parse(src, process)
				if err != nil {
					t.Fatal(err)
				}
				site, err := file.Site()
				if err != nil {
					t.Fatal(err)
				}
				site.Version = rules.Site.Version
				rules.Want = []corefile.Forward{forward("openmcp.test", "10.0.0.1", "10.0.0.2")}
				edited := mustEdit(t, src, rules.Want, site)
				if err := corefile.Check(edited, process, rules); err != nil {
					t.Errorf("with us: %v\n%s", err, edited)
				}
			})
		}
	}
}
