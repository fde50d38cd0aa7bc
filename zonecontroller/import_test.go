package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// in runs the program with nothing of ours in its environment.
func in(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	for _, name := range []string{"NAMESPACE", "POD_NAMESPACE", "KUBECONFIG", "KUBE_CONTEXT", "KUBERNETES_SERVICE_HOST", "SERVER", "ZONE"} {
		t.Setenv(name, "")
	}
	var out, logs bytes.Buffer
	err = run(t.Context(), args, &out, &logs)
	return out.String(), err
}

func TestHelpOfImportAndExport(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--help", "zonecontroller import --server=10.0.0.53"},
		{"import --help", "--selector=KEY=VALUE"},
		{"import --help", "--tsig-file=FILE"},
		{"export --help", "--kubeconfig=FILE"},
		{"--version", "devel"},
	} {
		out, err := in(t, strings.Fields(c.args)...)
		if err != nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v\n%s\nwant %q", c.args, err, out, c.says)
		}
	}
}

// What cannot work is named, with its value and what would; nothing is printed.
func TestBadImportAndExport(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "key.conf")
	if err := os.WriteFile(broken, []byte(`key "k" { algorithm hmac-sha256; };`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"import", "--zone"},
		{"import --zone=example.org", "--selector"},
		{"import --zone=example.org --selector=a=b", "--server: want the DNS server that has the zone"},
		{"import --zone=a..b --selector=a=b --server=127.0.0.1", `--zone: "a..b" is not a domain name`},
		{"import --zone=example.org --selector=a=b --server=127.0.0.1 --tsig-file=/nowhere", "--tsig-file: open /nowhere"},
		{"import --zone=example.org --selector=a=b --server=127.0.0.1 --tsig-file=" + broken, "--tsig-file: " + broken + ".key"},
		{"import --zone=example.org --selector=a=b --server=127.0.0.1:1", "import: "},
		{"export", "--zone"},
		{"export --zone=example.org", "--server or --kubeconfig: want one of them"},
		{"export --zone=example.org --kubeconfig=/nowhere", "kubeconfig: "},
		{"export --zone=example.org --server=a:b:c", "--server"},
	} {
		out, err := in(t, strings.Fields(c.args)...)
		if err == nil || out != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %s; want %q", c.args, err, out, c.says)
		}
	}
}

func TestPorts(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.53": "10.0.0.53:53", "10.0.0.53:5353": "10.0.0.53:5353", "2001:db8::53": "[2001:db8::53]:53",
		"[2001:db8::53]:5353": "[2001:db8::53]:5353", "ns1.example.org": "ns1.example.org:53",
	} {
		if got := withPort(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
