package fleet

import (
	"encoding/json"
	"testing"

	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/google/go-cmp/cmp"
)

// rewrite gives a revision that Helm keeps in a Secret another status, as if the program had ended in the middle.
func rewrite(t *testing.T, c kubernetes.Interface, s *corev1.Secret, status string) {
	t.Helper()
	d := driver.NewSecrets(c.CoreV1().Secrets(s.Namespace))
	stored, err := d.Get(s.Name)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := stored.(*release.Release)
	if !ok {
		t.Fatalf("a %T", stored)
	}
	r.Info.Status = common.Status(status)
	if err := d.Update(s.Name, r); err != nil {
		t.Fatal(err)
	}
}

// same says what was written between two snapshots.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("it was written (-before +after)\n%s", diff)
	}
}

// body is an object in JSON.
func body(t *testing.T, object any) []byte {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
