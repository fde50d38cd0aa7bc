package central_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/corednsconfig/etcdlint"
)

const page = "../../docs/central-dns.md"

// block is where the page's first code block of the kind stands.
func block(t *testing.T, text, kind string) (begin, end int) {
	t.Helper()
	begin = strings.Index(text, "```"+kind+"\n") + len(kind) + 4
	end = strings.Index(text[begin:], "```") + begin
	if begin < len(kind)+4 || end < begin {
		t.Fatalf("the page has no block %s", kind)
	}
	return begin, end
}

// The Corefile on the page is the one of the file on the page, and every user and code is on it.
func TestDocumentation(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	begin, end := block(t, text, "yaml")
	file := filepath.Join(t.TempDir(), "central.yaml")
	if err := os.WriteFile(file, []byte(text[begin:end]), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := central.RunCorefile(file, &out); err != nil {
		t.Fatal(err)
	}
	begin, end = block(t, text, "corefile")
	if *update {
		if err := os.WriteFile(page, []byte(text[:begin]+out.String()+text[end:]), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(text[begin:end], out.String()); diff != "" {
		t.Errorf("the page's Corefile is another; run go test ./corednsconfig/central -update (-written +generated):\n%s", diff)
	}
	c, err := central.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range c.Landscape.Roles() {
		if !strings.Contains(text, "| `"+role.Name+"` |") || !strings.Contains(text, "`"+role.Grants[0].Prefix+"`") {
			t.Errorf("the page does not have user %s with %s", role.Name, role.Grants[0].Prefix)
		}
	}
	for _, code := range etcdlint.Codes() {
		if row := "| `" + string(code) + "` | " + code.Severity().String() + " |"; !strings.Contains(text, row) {
			t.Errorf("the page has no row %q", row)
		}
	}
}

func TestParseNamesMistakes(t *testing.T) {
	good := "landscape:\n  zones: [example.org]\nserver:\n  etcd: {endpoints: ['http://127.0.0.1:2379']}\n"
	c, err := central.Parse([]byte(good))
	if err != nil || c.Landscape.Path != "/skydns" {
		t.Fatalf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		good + "  wildcard: true\n":                                                       `unknown field "wildcard"`,
		strings.Replace(good, "example.org", "Example.org", 1):                            `landscape.zones[0] is "Example.org"`,
		strings.Replace(good, "http://127.0.0.1:2379", "127.0.0.1", 1):                    `server.etcd.endpoints[0] is "127.0.0.1"`,
		strings.Replace(good, "zones:", "nameServers: [here]\n  zones:", 1):               "here",
		strings.Replace(good, "etcd: {", "maxTTL: 1ms\n  etcd: {", 1):                     `server.maxTTL is "1ms"`,
		strings.Replace(good, "zones:", "clusters: [{name: c, zone: x}]\n  zones:", 1):    `unknown field "zone"`,
		strings.Replace(good, "zones:", "clusters: [{name: c}, {name: c}]\n  zones:", 1):  "a name that no other cluster has",
		strings.Replace(good, "endpoints:", "certFile: /a, keyFile: /b, endpoints:", 1):   "server.etcd.caFile",
		strings.Replace(good, "etcd: {", "health: 'http://x'\n  etcd: {", 1):              `server.health is "http://x"`,
		strings.Replace(good, "etcd: {", "staleFor: 300h\n  port: 99999\n  etcd: {", 1):   `server.port is "99999"`,
		strings.Replace(good, "etcd: {", "upstreams: ['192.0.2.1:0:0']\n  etcd: {", 1):    "server.upstreams[0]",
		strings.Replace(good, "etcd: {", "bind: [lo]\n  etcd: {", 1):                      `server.bind[0] is "lo"`,
		strings.Replace(good, "endpoints:", "user: 'a b', passwordEnv: P, endpoints:", 1): `server.etcd.user is "a b"`,
	} {
		if _, err := central.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}
