package dialect_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// cluster serves the objects of testdata/<name>.yaml.
func cluster(t *testing.T, name string) client.Client {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var objects []client.Object
	for d := yaml.NewYAMLOrJSONDecoder(file, 1<<16); ; {
		var u unstructured.Unstructured
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if u.Object != nil {
			objects = append(objects, &u)
		}
	}
	return fake.NewClientBuilder().WithObjects(objects...).WithReturnManagedFields().Build()
}

// detect reads the cluster and finds its dialect.
func detect(t *testing.T, c client.Reader) (*dialect.Dialect, error) {
	t.Helper()
	facts, err := dialect.Read(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return dialect.Detect(facts)
}

func mustDetect(t *testing.T, c client.Reader) *dialect.Dialect {
	t.Helper()
	d, err := detect(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustPlan(t *testing.T, d *dialect.Dialect, want []corefile.Forward) dialect.Change {
	t.Helper()
	change, err := d.Plan(want)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// write sends every edit that can be sent.
func write(t *testing.T, c client.Writer, change dialect.Change) {
	t.Helper()
	for _, e := range change.Edits {
		if e.How == dialect.Report {
			continue
		}
		if err := e.Write(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func forward(zones ...string) corefile.Forward {
	return corefile.Forward{Zones: zones, Upstreams: []netip.AddrPort{
		netip.MustParseAddrPort("10.200.0.53:53"), netip.MustParseAddrPort("10.200.1.53:5353"),
	}}
}

func openmcp() []corefile.Forward { return []corefile.Forward{forward("openmcp.cluster")} }
