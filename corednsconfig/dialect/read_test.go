package dialect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// granted is a cluster that answers what the rights allow, and refuses the rest as an API server does.
type granted struct {
	client.Client
	rights []dialect.Right
}

func (g granted) allow(verb, namespace, name string, o client.Object) error {
	kind, err := apiutil.GVKForObject(o, g.Scheme())
	if err != nil {
		return err
	}
	resource := strings.ToLower(kind.Kind) + "s"
	if kind.Kind == "DNS" {
		resource = "dnses"
	}
	for _, r := range g.rights {
		if r.Namespace != "" && r.Namespace != namespace {
			continue
		}
		if slices.ContainsFunc(r.Rules, func(p rbacv1.PolicyRule) bool {
			return slices.Contains(p.Verbs, verb) && slices.Contains(p.APIGroups, kind.Group) && slices.Contains(p.Resources, resource) &&
				(len(p.ResourceNames) == 0 || slices.Contains(p.ResourceNames, name))
		}) {
			return nil
		}
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: kind.Group, Resource: resource}, name, fmt.Errorf("no rule allows to %s it in %q", verb, namespace))
}

func (g granted) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if err := g.allow("get", key.Namespace, key.Name, o); err != nil {
		return err
	}
	return g.Client.Get(ctx, key, o, opts...)
}

func (g granted) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	var one client.Object = &corev1.Pod{}
	if _, ok := l.(*corev1.ServiceList); ok {
		one = &corev1.Service{}
	}
	if err := g.allow("list", options.Namespace, "", one); err != nil {
		return err
	}
	return g.Client.List(ctx, l, opts...)
}

// The rights that are listed suffice for every distribution, and what is found is the same.
func TestListedRightsSuffice(t *testing.T) {
	for _, name := range supported(t) {
		c := cluster(t, name)
		d, err := detect(t, granted{c, dialect.ReadRights()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := mustDetect(t, c).Kind; d.Kind != want {
			t.Errorf("%s: %s with the listed rights, %s with all", name, d.Kind, want)
		}
		for _, e := range mustPlan(t, d, openmcp()).Edits {
			if e.How == dialect.Report {
				continue
			}
			for what, rights := range map[string][]dialect.Right{
				"the dialect's rights": d.WriteRights(), "the rights of the kind": dialect.WriteRights(d.Kind, d.NodeLocal != nil),
			} {
				g := granted{c, rights}
				verb := map[dialect.How]string{dialect.Update: "update", dialect.Apply: "patch"}[e.How]
				if err := g.allow(verb, e.Ref.Namespace, e.Ref.Name, e.Object); err != nil {
					t.Errorf("%s: %s: %v", name, what, err)
				}
			}
		}
	}
}

func TestMissingRightIsNamed(t *testing.T) {
	for name, missing := range map[string]struct{ resource, message string }{
		"kubeadm":           {"pods", "the right to list pods in namespace kube-system is missing"},
		"aks":               {"configmaps", "the right to get configmaps coredns in namespace kube-system is missing"},
		"kubeadm-nodelocal": {"services", "the right to list services in namespace kube-system is missing"},
		"openshift":         {"dnses", "the right to get dnses.operator.openshift.io default in the cluster is missing"},
		"rke2":              {"helmcharts", "the right to get helmcharts.helm.cattle.io rke2-coredns in namespace kube-system is missing"},
	} {
		rights := dialect.ReadRights()
		for i := range rights {
			rights[i].Rules = slices.DeleteFunc(rights[i].Rules, func(r rbacv1.PolicyRule) bool { return r.Resources[0] == missing.resource })
		}
		_, err := dialect.Read(context.Background(), granted{cluster(t, name), rights})
		var forbidden *dialect.Forbidden
		if !errors.As(err, &forbidden) || !apierrors.IsForbidden(err) {
			t.Errorf("%s: want a *Forbidden, got %v", name, err)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, missing.message) {
			t.Errorf("%s: %q does not start with %q", name, got, missing.message)
		}
	}
}

// A cache on the nodes whose ConfigMap may not be read stops nobody; people are told.
func TestHiddenNodeLocalConfigMapIsAWarning(t *testing.T) {
	d, err := detect(t, granted{cluster(t, "gardener-nodelocal-old"), dialect.ReadRights()})
	if err != nil {
		t.Fatal(err)
	}
	change := mustPlan(t, d, openmcp())
	if len(change.Edits) != 1 || !strings.Contains(fmt.Sprint(change.Warnings), "the right to get ConfigMap kube-system/node-local-dns-1a2b3c4d is missing") {
		t.Errorf("warnings %q, edits\n%s", change.Warnings, show(change))
	}
}

func TestOtherErrorsAreReturned(t *testing.T) {
	_, err := dialect.Read(context.Background(), failing{cluster(t, "kubeadm")})
	if err == nil || !strings.Contains(err.Error(), `read services in namespace "kube-system": connection refused`) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ client.Client }

func (failing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("connection refused")
}

// Facts can be kept as a file and judged elsewhere: the plan is the same.
func TestFactsSurviveJSON(t *testing.T) {
	for _, name := range supported(t) {
		facts, err := dialect.Read(context.Background(), cluster(t, name))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		var again dialect.Facts
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		plan := func(f dialect.Facts) dialect.Change {
			d, err := dialect.Detect(f)
			if err != nil {
				t.Fatal(err)
			}
			return mustPlan(t, d, []corefile.Forward{forward("openmcp.cluster")})
		}
		if diff := cmp.Diff(plan(facts), plan(again)); diff != "" {
			t.Errorf("%s: -read +kept\n%s", name, diff)
		}
	}
}

// A cache on each of many nodes is read in pages and found once.
func TestManyNodes(t *testing.T) {
	c := cluster(t, "kubeadm-nodelocal")
	var one corev1.Pod
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: "kube-system", Name: "node-local-dns-aaaaa"}, &one); err != nil {
		t.Fatal(err)
	}
	d := mustDetect(t, paged{c, one, 2600})
	if got := len(d.NodeLocal.Pods); got != 2600 {
		t.Errorf("%d pods, want 2600", got)
	}
	if change := mustPlan(t, d, openmcp()); len(change.Edits) != 2 {
		t.Errorf("want two edits:\n%s", show(change))
	}
}

// paged serves copies of one pod, page by page.
type paged struct {
	client.Client
	pod   corev1.Pod
	count int
}

func (p paged) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	pods, ok := l.(*corev1.PodList)
	options := (&client.ListOptions{}).ApplyOptions(opts)
	if !ok || options.LabelSelector.String() != "k8s-app=node-local-dns" {
		return p.Client.List(ctx, l, opts...)
	}
	from := 0
	if options.Continue != "" {
		if _, err := fmt.Sscan(options.Continue, &from); err != nil {
			return err
		}
	}
	for i := from; i < p.count; i++ {
		if i == from+int(options.Limit) {
			pods.Continue = fmt.Sprint(i)
			break
		}
		pod := p.pod.DeepCopy()
		pod.Name = fmt.Sprint("node-local-dns-", i)
		pods.Items = append(pods.Items, *pod)
	}
	return nil
}
