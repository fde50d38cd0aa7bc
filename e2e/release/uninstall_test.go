package release_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/spokedns/spokedns/e2e/release"
)

// uninstalls takes every release away. What is there afterwards is what was there before, and what the documentation says
// that stays.
func (h *house) uninstalls() {
	stays := map[string][]string{ // docs/install.md, "Upgrading, uninstalling"
		release.Center: {
			"leases.coordination.k8s.io spokedns-corednsconfig", "secrets itself",
			"persistentvolumeclaims data-dns-central-dns-etcd-0", "persistentvolumeclaims data-dns-central-dns-etcd-1", "persistentvolumeclaims data-dns-central-dns-etcd-2",
			"secrets dns-central-dns-coredns", "secrets dns-central-dns-etcd", "secrets dns-central-dns-root", "secrets passwords",
		},
		release.Workload:   {"secrets etcd-client"},
		release.Spoke:      {"secrets etcd-client", "secrets tsig"},
		release.OnPremises: {"secrets dns-ca", "secrets tsig"},
		release.Home:       {"configmaps spokedns-wan-ip", "leases.coordination.k8s.io spokedns-ipcontroller", "secrets gandi"},
	}
	for _, namespace := range slices.Backward(h.order) {
		_, err := h.Helm(h.Context(), "uninstall", release.Release, "--ignore-not-found", "--namespace", namespace)
		h.must(err)
		want := append([]string{"configmaps kube-root-ca.crt", "serviceaccounts default"}, stays[namespace]...)
		slices.Sort(want)
		h.eventually(func(ctx context.Context) error { // pods take their time to end
			if diff := cmp.Diff(want, h.objects(ctx, namespace, "")); diff != "" {
				return fmt.Errorf("left in %s: %s", namespace, diff)
			}
			return nil
		})
	}
	if left := h.objects(h.Context(), "", "app.kubernetes.io/part-of=spokedns"); len(left) > 0 {
		h.Errorf("left in the cluster: %q", left)
	}
	// What is published stays: nobody loses a name because a release goes.
	h.answers(h.Public.Addr, shop, "A", hub)
	h.gandiHas(camera, release.SiteAddress)
}

// objects are those of every kind the API server knows, in a namespace or anywhere, with a label if one is given. Events
// are none of them.
func (h *house) objects(ctx context.Context, namespace, selector string) []string {
	h.Helper()
	finder, err := discovery.NewDiscoveryClientForConfig(h.Cluster.Config)
	h.must(err)
	client, err := dynamic.NewForConfig(h.Cluster.Config)
	h.must(err)
	lists, err := finder.ServerPreferredResources()
	h.must(err)
	var out []string
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		h.must(err)
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || r.Name == "events" || namespace != "" && !r.Namespaced {
				continue
			}
			kind := version.WithResource(r.Name)
			found, err := client.Resource(kind).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
			h.must(err)
			for _, u := range found.Items {
				name := u.GetName()
				if namespace == "" {
					name = strings.TrimPrefix(u.GetNamespace()+"/"+name, "/")
				}
				out = append(out, kind.GroupResource().String()+" "+name)
			}
		}
	}
	slices.Sort(out)
	return out
}
