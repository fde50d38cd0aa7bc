package corefile_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// corpus reads the Corefiles of testdata/corefiles: the defaults of distributions, and odd ones.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/corefiles/*")
	if err != nil || len(paths) < 40 {
		t.Fatalf("found %d Corefiles in testdata/corefiles (%v), want at least 40", len(paths), err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = data
	}
	return all
}

func upstreams(addrs ...string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(a), 53))
	}
	return all
}

func forward(zone string, addrs ...string) corefile.Forward {
	return corefile.Forward{Zones: []string{zone}, Upstreams: upstreams(addrs...)}
}

func version(t testing.TB, s string) corefile.Version {
	t.Helper()
	v, err := corefile.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newest(t testing.TB) corefile.Site {
	return corefile.Site{Port: 53, Prometheus: ":9153", Version: version(t, "1.15.0")}
}

func mustEdit(t testing.TB, src []byte, want []corefile.Forward, site corefile.Site) []byte {
	t.Helper()
	out, err := corefile.Edit(src, want, site)
	if err != nil {
		t.Fatalf("Edit: %v", err)
	}
	return out
}
