// Package dialect_test owns the proof of how clusters are read and written on a real API server: with the listed rights and
// no others, and with the definitions that OpenShift and RKE2 ship.
package dialect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
	"github.com/spokedns/spokedns/e2e/stack"
)

// definitions are the CustomResourceDefinitions of OpenShift's DNS operator and of RKE2's Helm controller, as they ship them.
func definitions(t *testing.T) []string {
	t.Helper()
	return []string{
		definition(t, "github.com/openshift/api", "operator/v1/zz_generated.crd-manifests/0000_70_dns_00_dnses.crd.yaml"),
		definition(t, "github.com/k3s-io/helm-controller", "pkg/crds/yaml/generated"),
	}
}

func definition(t *testing.T, module, path string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(stack.Root(), "e2e", "tools", "dnscrds")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("find module %s: %v\n%s", module, err, out)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(found.Dir, filepath.FromSlash(path))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// fixture are the objects of a distribution, as the dialect's own tests have them.
func fixture(t *testing.T, name string) []*unstructured.Unstructured {
	t.Helper()
	file, err := os.Open(filepath.Join(stack.Root(), "corednsconfig", "dialect", "testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var objects []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(file, 1<<16); ; {
		var u unstructured.Unstructured
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if u.Object != nil {
			objects = append(objects, forServer(&u))
		}
	}
}

// forServer leaves out what a server fills in itself, and brings addresses of Services into the server's range.
func forServer(u *unstructured.Unstructured) *unstructured.Unstructured {
	u.SetManagedFields(nil)
	u.SetResourceVersion("")
	if u.GetKind() != "Service" {
		return u
	}
	ip, _, _ := unstructured.NestedString(u.Object, "spec", "clusterIP")
	if !strings.HasPrefix(ip, "10.96.") {
		ip = "10.96.200." + ip[strings.LastIndex(ip, ".")+1:]
		_ = unstructured.SetNestedField(u.Object, ip, "spec", "clusterIP")
		_ = unstructured.SetNestedStringSlice(u.Object, []string{ip}, "spec", "clusterIPs")
	}
	return u
}

// build makes the objects of a distribution, and takes them away when the test is over.
func build(t *testing.T, api *stack.APIServer, name string) {
	t.Helper()
	for _, u := range fixture(t, name) {
		for _, o := range []runtime.Object{namespace(u.GetNamespace()), account(u), u} {
			if o == nil {
				continue
			}
			if err := api.Apply(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		if u.GetKind() == "Namespace" {
			continue // nothing here would carry its deletion out
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			admin := clientOf(t, api, "")
			now := int64(0)
			if u.GetKind() == "DNS" {
				u.SetFinalizers(nil)
				if err := api.Apply(ctx, u); err != nil {
					t.Error(err)
				}
			}
			if err := client.IgnoreNotFound(admin.Delete(ctx, u, &client.DeleteOptions{GracePeriodSeconds: &now})); err != nil {
				t.Error(err)
			}
		})
	}
}

func namespace(name string) runtime.Object {
	if name == "" || name == "kube-system" {
		return nil
	}
	return &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// account is the service account that a pod runs as; the server takes no pod without it.
func account(u *unstructured.Unstructured) runtime.Object {
	name, found, _ := unstructured.NestedString(u.Object, "spec", "serviceAccountName")
	if !found {
		return nil
	}
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Namespace: u.GetNamespace(), Name: name},
	}
}

// clientOf is a client that caches nothing; kubeconfig "" is the administrator's.
func clientOf(t *testing.T, api *stack.APIServer, kubeconfig string) client.Client {
	t.Helper()
	if kubeconfig == "" {
		kubeconfig = api.Kubeconfig
	}
	cfg, err := stack.ConfigFor(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withRights is the client of a service account with exactly these rights.
func withRights(t *testing.T, api *stack.APIServer, name string, rights []dialect.Right) client.Client {
	t.Helper()
	kubeconfig, err := api.Account(t.Context(), "spokedns", &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err != nil {
		t.Fatal(err)
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: "spokedns"}}
	for i, r := range rights {
		at := metav1.ObjectMeta{Namespace: r.Namespace, Name: fmt.Sprintf("%s-%d", name, i)}
		objects := []runtime.Object{
			&rbacv1.Role{TypeMeta: rbacKind("Role"), ObjectMeta: at, Rules: r.Rules},
			&rbacv1.RoleBinding{TypeMeta: rbacKind("RoleBinding"), ObjectMeta: at, Subjects: subjects, RoleRef: roleRef("Role", at.Name)},
		}
		if r.Namespace == "" {
			objects = []runtime.Object{
				&rbacv1.ClusterRole{TypeMeta: rbacKind("ClusterRole"), ObjectMeta: at, Rules: r.Rules},
				&rbacv1.ClusterRoleBinding{TypeMeta: rbacKind("ClusterRoleBinding"), ObjectMeta: at, Subjects: subjects, RoleRef: roleRef("ClusterRole", at.Name)},
			}
		} else if r.Namespace != "kube-system" && !there(t, api, r.Namespace) {
			continue // as in a cluster that does not have the namespace
		}
		if err := api.Apply(t.Context(), objects...); err != nil {
			t.Fatal(err)
		}
	}
	return clientOf(t, api, kubeconfig)
}

func there(t *testing.T, api *stack.APIServer, namespace string) bool {
	t.Helper()
	err := clientOf(t, api, "").Get(t.Context(), client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil
}

func rbacKind(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

func roleRef(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{Kind: kind, APIGroup: rbacv1.GroupName, Name: name}
}
