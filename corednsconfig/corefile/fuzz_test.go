package corefile_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/coredns/caddy/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

func seeds(f *testing.F) [][]byte {
	f.Helper()
	paths, err := filepath.Glob("testdata/corefiles/*")
	if err != nil {
		f.Fatal(err)
	}
	faulty, err := filepath.Glob("testdata/faulty/*")
	if err != nil {
		f.Fatal(err)
	}
	var all [][]byte
	for _, path := range append(paths, faulty...) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, data)
	}
	if len(all) < 100 {
		f.Fatalf("%d seeds, want at least 100", len(all))
	}
	return all
}

func wishes(choice byte) []corefile.Forward {
	all := []corefile.Forward{
		forward("openmcp.test", "10.0.0.1", "10.0.0.2"), forward("b.example", "2001:db8::1"), forward("corp.example", "10.0.0.1"),
	}
	var picked []corefile.Forward
	for i, f := range all {
		if choice&(1<<i) != 0 {
			picked = append(picked, f)
		}
	}
	return picked
}

func sites(choice byte) corefile.Site {
	site := corefile.Site{Port: 53}
	if choice&1 != 0 {
		site.Prometheus = ":9153"
	}
	if choice&2 != 0 {
		site.Bind = []string{"169.254.20.10", "{$POD_IP}"}
	}
	site.Version = []corefile.Version{{}, {Major: 1, Minor: 6, Patch: 7}, {Major: 1, Minor: 9, Patch: 3}, {Major: 1, Minor: 15}}[choice>>2&3]
	return site
}

// FuzzEdit holds every file that can be edited to the laws: done twice is done once, and taken back is untouched. A file
// that cannot be edited is refused with a reason, and never because we could not prove our own work.
func FuzzEdit(f *testing.F) {
	for i, src := range seeds(f) {
		f.Add(src, byte(1+i%7), byte(i), byte(i*3))
	}
	f.Fuzz(func(t *testing.T, src []byte, first, second, at byte) {
		one, other, site := wishes(first), wishes(second), sites(at)
		edited, err := corefile.Edit(src, one, site)
		if err != nil {
			refused(t, err)
			return
		}
		if again := mustEdit(t, edited, one, site); !bytes.Equal(again, edited) {
			t.Fatalf("done twice is not done once: %s", cmp.Diff(string(edited), string(again)))
		}
		if bare, err := corefile.Edit(src, nil, site); err != nil || !bytes.Equal(bare, src) {
			return // there is a block of ours in it already
		}
		if back := mustEdit(t, edited, nil, site); !bytes.Equal(back, src) {
			t.Fatalf("taken back is not untouched: %s", cmp.Diff(string(src), string(back)))
		}
		changed, err := corefile.Edit(edited, other, sites(at^0xff))
		if err != nil {
			refused(t, err)
			return
		}
		if back := mustEdit(t, changed, nil, site); !bytes.Equal(back, src) {
			t.Fatalf("changed and taken back is not untouched: %s", cmp.Diff(string(src), string(back)))
		}
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	faults := corefile.Faults(err)
	if len(faults) == 0 {
		t.Fatalf("refused without a reason: %v", err)
	}
	for _, fault := range faults {
		if fault.Reason == corefile.Unproven || fault.Text == "" {
			t.Fatalf("refused as %s: %v", fault.Reason, err)
		}
	}
}

// FuzzParse compares our parser with CoreDNS's: what it accepts, and the hash it would report. Imports and variables, which
// CoreDNS's parser would carry out on this machine, are compared in TestParseAgreesWithCoreDNS.
func FuzzParse(f *testing.F) {
	for _, src := range seeds(f) {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if bytes.Contains(bytes.ReplaceAll(src, []byte("\r"), nil), []byte("import")) || bytes.Contains(src, []byte("\\")) && bytes.Contains(src, []byte("mport")) ||
			bytes.Contains(bytes.ReplaceAll(src, []byte("\r"), nil), []byte("{$")) || bytes.Contains(bytes.ReplaceAll(src, []byte("\r"), nil), []byte("{%")) {
			return
		}
		compare(t, src, "Corefile", corefile.Process{})
	})
}

// compare holds our parser against CoreDNS's.
func compare(t interface {
	Helper()
	Fatalf(string, ...any)
}, src []byte, path string, p corefile.Process,
) {
	t.Helper()
	blocks, theirs := caddyfile.Parse(path, bytes.NewReader(src), nil)
	file, ours := corefile.Parse(src, p)
	var fault *corefile.Fault
	if errors.As(ours, &fault) && fault.Reason == corefile.Address {
		return // looked at by CoreDNS after parsing
	}
	if (theirs == nil) != (ours == nil) {
		t.Fatalf("CoreDNS says %v, we say %v\n%s", theirs, ours, src)
	}
	if theirs != nil {
		return
	}
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatalf("%v", err)
	}
	sum := sha512.Sum512(data)
	algorithm, hash, err := file.Hash(corefile.Version{})
	if err != nil || algorithm != "sha512" || hash != hex.EncodeToString(sum[:]) {
		t.Fatalf("hash %s %s (%v), CoreDNS computes sha512 %x from %s", algorithm, hash, err, sum, data)
	}
}

// FuzzCheck looks for panics and endless imports.
func FuzzCheck(f *testing.F) {
	for _, src := range seeds(f) {
		f.Add(src, []byte("errors\n"), "value")
		f.Add(src, src, "{$POD_IP}")
	}
	f.Fuzz(func(t *testing.T, src, imported []byte, value string) {
		p := corefile.Process{
			Imports: map[string][]byte{
				"/etc/coredns/custom/a.server": imported, "/etc/coredns/custom/a.override": imported, "/etc/coredns/Corefile": src,
			},
			Env: map[string]string{"POD_IP": value, "DNS_PORT": value},
		}
		err := corefile.Check(src, p, corefile.Rules{
			Want: wishes(1), Site: sites(13), Migration: true, ClusterDNS: []netip.Addr{netip.MustParseAddr("10.0.0.2")},
		})
		if err != nil && len(corefile.Faults(err)) == 0 {
			t.Fatalf("an error without a fault: %v", err)
		}
		for _, fault := range corefile.Faults(err) {
			if fault.Reason == "" || fault.Text == "" {
				t.Fatalf("an empty fault: %#v", fault)
			}
		}
	})
}
