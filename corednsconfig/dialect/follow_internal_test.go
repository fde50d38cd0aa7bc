package dialect

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

func plainFacts() Facts {
	return Facts{Services: []corev1.Service{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.10", Ports: []corev1.ServicePort{
			{Port: 53, Protocol: corev1.ProtocolUDP}, {Port: 53, Protocol: corev1.ProtocolTCP},
		}},
	}}}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		command, args []string
		want          string
		found         bool
	}{
		{nil, []string{"-conf", "/etc/coredns/Corefile"}, "/etc/coredns/Corefile", true},
		{nil, []string{"--conf", "/c"}, "/c", true},
		{nil, []string{"-conf=/c"}, "/c", true},
		{nil, []string{"--conf=/c"}, "/c", true},
		{[]string{"/coredns", "-conf", "/c"}, nil, "/c", true},
		{[]string{"/coredns"}, []string{"-dns.port=1053", "-conf", "/c"}, "/c", true},
		{nil, []string{"conf", "/c"}, "", false},
		{nil, []string{"-conf"}, "", false},
		{nil, []string{"-config", "/c"}, "", false},
		{[]string{"/bin/sh", "-c"}, []string{"exec /coredns -conf /c"}, "", false},
	} {
		got, found := process{container: corev1.Container{Command: test.command, Args: test.args}}.flag("conf")
		if got != test.want || found != test.found {
			t.Errorf("%v %v: got %q, %t", test.command, test.args, got, found)
		}
	}
}

func TestMounts(t *testing.T) {
	cm := &corev1.ConfigMap{Data: map[string]string{"Corefile": "main", "b.server": "b"}, BinaryData: map[string][]byte{"c": []byte("c")}}
	items := []corev1.KeyToPath{{Key: "Corefile", Path: "deep/Corefile"}}
	for name, test := range map[string]struct {
		mount mount
		file  string
		key   string // "": not shown
		files []string
	}{
		"whole":                   {mount{"cm", nil, "/etc/coredns", ""}, "/etc/coredns/Corefile", "Corefile", []string{"/etc/coredns/Corefile", "/etc/coredns/b.server", "/etc/coredns/c"}},
		"beside it":               {mount{"cm", nil, "/etc/coredns", ""}, "/etc/coredns2/Corefile", "", []string{"/etc/coredns/Corefile", "/etc/coredns/b.server", "/etc/coredns/c"}},
		"below it":                {mount{"cm", nil, "/etc/coredns", ""}, "/etc/coredns/x/Corefile", "", []string{"/etc/coredns/Corefile", "/etc/coredns/b.server", "/etc/coredns/c"}},
		"the mount itself":        {mount{"cm", nil, "/etc/coredns", ""}, "/etc/coredns", "", []string{"/etc/coredns/Corefile", "/etc/coredns/b.server", "/etc/coredns/c"}},
		"items":                   {mount{"cm", items, "/etc", ""}, "/etc/deep/Corefile", "Corefile", []string{"/etc/deep/Corefile"}},
		"not among the items":     {mount{"cm", items, "/etc", ""}, "/etc/b.server", "", []string{"/etc/deep/Corefile"}},
		"one file":                {mount{"cm", nil, "/Corefile", "Corefile"}, "/Corefile", "Corefile", []string{"/Corefile"}},
		"one file, another asked": {mount{"cm", nil, "/Corefile", "Corefile"}, "/b.server", "", []string{"/Corefile"}},
		"a directory of items":    {mount{"cm", items, "/etc/coredns", "deep"}, "/etc/coredns/Corefile", "Corefile", []string{"/etc/coredns/Corefile"}},
		"at the root":             {mount{"cm", nil, "/", ""}, "/Corefile", "Corefile", []string{"/Corefile", "/b.server", "/c"}},
	} {
		key, ok := test.mount.key(test.file)
		if key != test.key && ok || ok != (test.key != "") {
			t.Errorf("%s: key %q, %t", name, key, ok)
		}
		if diff := cmp.Diff(test.files, slices.Sorted(maps.Keys(test.mount.files(cm)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestImages(t *testing.T) {
	for image, want := range map[string][2]string{
		"registry.k8s.io/coredns/coredns:v1.12.1":                     {"coredns", "v1.12.1"},
		"localhost:5000/coredns":                                      {"coredns", ""},
		"localhost:5000/coredns:1.11.3@sha256:0123":                   {"coredns", "1.11.3"},
		"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:01:23": {"ocp-v4.0-art-dev", ""},
		"rancher/hardened-coredns:v1.12.3-build20250804":              {"hardened-coredns", "v1.12.3-build20250804"},
	} {
		if got := [2]string{imageName(image), imageTag(image)}; got != want {
			t.Errorf("%s: %q", image, got)
		}
	}
}

func TestMetricsPort(t *testing.T) {
	for address, want := range map[string]int{
		"": 0, ":9153": 9153, "0.0.0.0:9153": 9153, "localhost:9153": 0, "127.0.0.1:9153": 0, "[::1]:9153": 0, "[::]:9153": 9153, "{$POD_IP}:9153": 9153, "nonsense": 0,
	} {
		if got := metricsPort(address); got != want {
			t.Errorf("%q: %d", address, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	p := process{container: corev1.Container{Env: []corev1.EnvVar{
		{Name: "PORT", Value: "53"}, {Name: "SELF", ValueFrom: &corev1.EnvVarSource{}}, {Name: "MADE", Value: "$(SELF)"},
	}}}
	for text, known := range map[string]bool{
		".:{$PORT} {}": true, ".:53 {}": true, "{%PORT%}": true, "{$SELF}": false, "{$MADE}": false, "{$PORT}{$KUBERNETES_SERVICE_HOST}": false,
	} {
		if got := p.env([][]byte{[]byte(text)}); (got != nil) != known {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// No text upsets the reading of words, and what is read is written so that it is read again.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte(stockCorefile))
	f.Add([]byte("a.example, \"b c\" {\n    x {\n        y \"\n\" z\n    }\n}\n\"\" {\n}\n"))
	f.Add([]byte("(s) {\nerrors\n}\n.:53 {\nimport s\n}\nimport x/*.y\n"))
	f.Add([]byte("0\n} 0 { }"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, b := range blocksOf(src) {
			// Words that mean something else when they are written alone.
			if bytes.ContainsAny(src, "\\,\r\"(") || !utf8.Valid(src) || bytes.Contains(src, []byte("import")) {
				return
			}
			text := strings.Join(render([]line{{words: b.keys, inner: b.lines}}, ""), "\n")
			again := blocksOf([]byte(text))
			if diff := cmp.Diff([]written{b}, again, cmp.AllowUnexported(written{}, line{})); diff != "" {
				t.Errorf("%q was written as %q: %s", src, text, diff)
			}
		}
	})
}

// No text under stubDomains upsets us, and what can be read is taken apart and put together again.
func FuzzStubDomains(f *testing.F) {
	f.Add([]byte(`{"a": ["1.1.1.1"], "b": []}`))
	f.Add([]byte(" {\n} "))
	f.Add([]byte(`{"a":[],"a":[]}`))
	want := []corefile.Forward{{Zones: []string{"zz.example"}, Upstreams: nil}}
	f.Fuzz(func(t *testing.T, src []byte) {
		next, record, _, err := splice(src, stubRecord{}, want)
		if err != nil {
			return
		}
		back, _, _, err := splice(next, record, nil)
		if err != nil || string(back) != string(src) {
			t.Errorf("%q became %q and then %q (%v)", src, next, back, err)
		}
	})
}
