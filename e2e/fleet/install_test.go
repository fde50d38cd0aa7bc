package fleet

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/charts"
	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/install"
	"github.com/spokedns/spokedns/e2e/stack"
)

// wished is an install with a Secret, as a DNSForwarding says it.
func wished(t *testing.T, owner string) install.Wish {
	t.Helper()
	values, err := install.Values([]byte(`{
		"image": {"repository": "registry.example.org/spokedns/webhook", "tag": "1"},
		"externalDNS": {"txtOwnerId": "`+owner+`-<cluster.name>", "sources": ["service", "ingress"]},
		"secrets": [{"secretName": "etcd", "mountPath": "/etc/etcd"}],
		"config": {"views": [{"name": "internal", "zones": ["<cluster.name>.landscape.example"], "backend": {"etcd": {"endpoints": ["http://192.0.2.1:2379"]}}, "rules": [{"action": "keep"}]}]}
	}`), install.Place{ClusterName: "spoke-1"})
	if err != nil {
		t.Fatal(err)
	}
	return install.Wish{
		Namespace: "external-dns", Release: "external-dns", Values: values, DrainTimeout: time.Minute,
		Secrets: []v1alpha1.SecretCopy{{Source: "etcd-of-spokes", Target: "etcd"}},
	}
}

// bench is an engine with just the rights it asks for, on a real API server in which no pod runs.
type bench struct {
	*testing.T
	api    *stack.APIServer
	admin  *kubernetes.Clientset
	chart  *install.Chart
	engine *install.Engine
	spoke  install.Cluster
	ahead  time.Duration // of the engine's clock
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s := stack.ForTest(t)
	b := &bench{T: t}
	var err error
	if b.api, err = s.APIServer(t.Context(), stack.APIServerConfig{}); err != nil {
		t.Fatal(err)
	}
	if b.admin, err = kubernetes.NewForConfig(b.api.Config); err != nil {
		t.Fatal(err)
	}
	if b.chart, err = install.OpenChart(charts.Webhook, "webhook"); err != nil {
		t.Fatal(err)
	}
	platform, err := client.New(b.api.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.engine = install.New(install.Options{Chart: b.chart, Platform: platform, Namespace: "dns", Now: func() time.Time { return time.Now().Add(b.ahead) }})
	b.namespace("dns")
	b.secret("dns", "etcd-of-spokes", "first")
	settle(t, b.api)
	return b
}

func (b *bench) namespace(name string) {
	b.Helper()
	if _, err := b.admin.CoreV1().Namespaces().Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
}

// secret makes it hold a password.
func (b *bench) secret(namespace, name, password string) {
	b.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{"password": []byte(password)}}
	_, err := b.admin.CoreV1().Secrets(namespace).Create(b.Context(), s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = b.admin.CoreV1().Secrets(namespace).Update(b.Context(), s, metav1.UpdateOptions{})
	}
	if err != nil {
		b.Fatal(err)
	}
}

// grant gives a user the rights for a wish and nothing else, and has the engine be that user.
func (b *bench) grant(w install.Wish) {
	b.Helper()
	rights, err := b.engine.Rights(b.Context(), w)
	if err != nil {
		b.Fatal(err)
	}
	var whole []rbacv1.PolicyRule
	for _, r := range rights {
		if r.Namespace == "" {
			whole = r.Rules
			continue
		}
		if _, err := b.admin.CoreV1().Namespaces().Get(b.Context(), r.Namespace, metav1.GetOptions{}); err != nil {
			continue // as with an AccessRequest: later
		}
		name := metav1.ObjectMeta{Namespace: r.Namespace, Name: "installer"}
		subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "installer"}}
		kind := func(kind string) metav1.TypeMeta {
			return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
		}
		err := b.api.Apply(b.Context(), &rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: name, Rules: r.Rules},
			&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: name, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "installer"}})
		if err != nil {
			b.Fatal(err)
		}
	}
	kubeconfig, err := b.api.Identity(b.Context(), "installer", whole)
	if err != nil {
		b.Fatal(err)
	}
	config, err := stack.ConfigFor(kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	b.spoke = install.Cluster{Name: "spoke-1", Config: config}
}

// step does one, which must end like this.
func (b *bench) step(w install.Wish, state install.State, did install.Step) install.Report {
	b.Helper()
	r, err := b.engine.Step(b.Context(), b.spoke, w)
	if err != nil || r.State != state || r.Did != did {
		b.Fatalf("%+v, %v: want %s, did %q", r, err, state, did)
	}
	b.Logf("%s %s: %s", r.State, r.Did, r.Message)
	return r
}

// plans shows what would be done, which must say this, nothing: nothing would; and touches nothing.
func (b *bench) plans(w install.Wish, says ...string) {
	b.Helper()
	before := snapshot(b.T, b.api)
	text, err := b.engine.Plan(b.Context(), b.spoke, w)
	if err != nil || (text == "") != (len(says) == 0) {
		b.Fatalf("%v, %q", err, text)
	}
	for _, want := range says {
		if !strings.Contains(text, want) {
			b.Errorf("the plan lacks %q:\n%s", want, text)
		}
	}
	same(b.T, before, snapshot(b.T, b.api))
}

// ready has the Deployment be up, as a cluster's controllers would say.
func (b *bench) ready(namespace string) {
	b.Helper()
	list, err := b.admin.AppsV1().Deployments(namespace).List(b.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		b.Fatalf("%v, %v", list, err)
	}
	d := list.Items[0]
	d.Status.ObservedGeneration, d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas, d.Status.ReadyReplicas = d.Generation, 1, 1, 1, 1
	if _, err := b.admin.AppsV1().Deployments(namespace).UpdateStatus(b.Context(), &d, metav1.UpdateOptions{}); err != nil {
		b.Fatal(err)
	}
}

// installed brings a wish to be installed.
func (b *bench) installed(w install.Wish) {
	b.Helper()
	b.grant(w)
	r := b.step(w, install.Installing, install.DoNothing)
	if !r.NamespaceReady {
		b.Fatalf("%+v: want the namespace made", r)
	}
	b.grant(w)
	b.step(w, install.Installing, install.Install)
	b.step(w, install.Installing, install.DoNothing)
	b.ready(w.Namespace)
	b.step(w, install.Installed, install.DoNothing)
}

// TestInstallWithNarrowRights: from nothing to a release and back to nothing, by a user who has the rights that are asked
// for and no other, on a real API server.
func TestInstallWithNarrowRights(t *testing.T) {
	b := newBench(t)
	before := snapshot(t, b.api)
	w := wished(t, "west")
	b.grant(w)
	b.plans(w, "+ namespace external-dns\n", "= Secret etcd-of-spokes as external-dns/etcd\n", "install release", `+ externalDNS.txtOwnerId: "west-spoke-1"`)
	b.installed(w)
	b.plans(w)
	copied := func() string {
		s, err := b.admin.CoreV1().Secrets("external-dns").Get(t.Context(), "etcd", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Data["password"])
	}
	if copied() != "first" {
		t.Errorf("the copy holds %q", copied())
	}

	// Nothing to do is nothing done: not an object is written.
	quiet := snapshot(t, b.api)
	b.step(w, install.Installed, install.DoNothing)
	same(t, quiet, snapshot(t, b.api))

	// A Secret's content is followed.
	b.secret("dns", "etcd-of-spokes", "second")
	b.step(w, install.Installed, install.DoNothing)
	if copied() != "second" {
		t.Errorf("the copy holds %q", copied())
	}

	// What somebody changes or deletes is put back; what they add stays.
	config, err := b.admin.CoreV1().ConfigMaps("external-dns").Get(t.Context(), "external-dns-webhook", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	right := config.Data["config.yaml"]
	config.Labels["somebody"], config.Data["config.yaml"] = "was-here", "views: []"
	if _, err := b.admin.CoreV1().ConfigMaps("external-dns").Update(t.Context(), config, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.step(w, install.Installing, install.Repair)
	b.ready(w.Namespace)
	b.step(w, install.Installed, install.DoNothing)
	if config, err = b.admin.CoreV1().ConfigMaps("external-dns").Get(t.Context(), "external-dns-webhook", metav1.GetOptions{}); err != nil || config.Data["config.yaml"] != right || config.Labels["somebody"] != "was-here" {
		t.Errorf("%v, %+v", err, config)
	}
	if err := b.admin.CoreV1().Services("external-dns").Delete(t.Context(), "external-dns-webhook", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.step(w, install.Installing, install.Repair)

	// Other values, one revision on.
	other := wished(t, "east")
	b.plans(other, "upgrade release", `~ externalDNS.txtOwnerId: "east-spoke-1"`)
	b.step(other, install.Installing, install.Upgrade)
	b.ready(w.Namespace)
	b.step(other, install.Installed, install.DoNothing)

	// The way out: first the records, then the rest. Nobody withdraws them here, so it takes the deadline.
	leave := install.Wish{Namespace: w.Namespace, Release: w.Release, DrainTimeout: time.Minute}
	b.plans(leave, "drain and uninstall release")
	b.step(leave, install.Draining, install.Drain)
	if d, err := b.admin.AppsV1().Deployments("external-dns").Get(t.Context(), "external-dns-webhook", metav1.GetOptions{}); err != nil || !slices.Contains(d.Spec.Template.Spec.Containers[0].Args, "--source=ingress") {
		t.Errorf("%v: it does not drain: %+v", err, d)
	}
	b.step(leave, install.Draining, install.DoNothing)
	b.ahead = time.Minute
	if r := b.step(leave, install.Removing, install.Uninstall); !r.Left {
		t.Errorf("%+v: want it said that records may be left", r)
	}
	// Namespaces are emptied by a controller that does not run here.
	ns, err := b.admin.CoreV1().Namespaces().Get(t.Context(), "external-dns", metav1.GetOptions{})
	if err != nil || ns.DeletionTimestamp == nil {
		t.Fatalf("%v: the namespace stays: %+v", err, ns)
	}
	for _, gone := range []string{"external-dns:external-dns-webhook", "external-dns:external-dns-webhook:external-dns"} {
		if _, err := b.admin.RbacV1().ClusterRoles().Get(t.Context(), gone, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("ClusterRole %s: %v", gone, err)
		}
	}
	for what := range snapshot(t, b.api) {
		if _, was := before[what]; !was && !strings.Contains(what, "installer") && !strings.HasSuffix(what, "/external-dns") && !strings.Contains(what, "kube-root-ca.crt") && !strings.Contains(what, " kube-system/") && !strings.Contains(what, " default/") {
			t.Errorf("left: %s", what)
		}
	}
}

// TestTheInstallersRightsEndThere: what is asked for lets nobody do anything else.
func TestTheInstallersRightsEndThere(t *testing.T) {
	b := newBench(t)
	w := wished(t, "west")
	b.installed(w)
	user, err := kubernetes.NewForConfig(rest.CopyConfig(b.spoke.Config))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	role := func(name string, rules ...rbacv1.PolicyRule) error {
		at := user.RbacV1().ClusterRoles()
		_, err := at.Patch(ctx, name, "application/apply-patch+yaml", body(t, &rbacv1.ClusterRole{
			TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}, ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules,
		}), metav1.PatchOptions{FieldManager: "x", Force: new(true)})
		return err
	}
	bind := func(name, to string) error {
		_, err := user.RbacV1().ClusterRoleBindings().Patch(ctx, name, "application/apply-patch+yaml", body(t, &rbacv1.ClusterRoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"}, ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: to},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "installer"}},
		}), metav1.PatchOptions{FieldManager: "x", Force: new(true)})
		return err
	}
	pod := func(namespace string) error {
		_, err := user.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
		return err
	}
	const own = "external-dns:external-dns-webhook"
	read := func(namespace string) error {
		_, err := user.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
		return err
	}
	if err := role(own, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}}); err != nil {
		t.Fatalf("its own role, with what it has: %v", err)
	}
	for what, err := range map[string]error{
		"more in its own role":                  role(own, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}),
		"everything in its own role":            role(own, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}),
		"a role of another name":                role("x"),
		"cluster-admin by its own binding":      bind(own+":external-dns-2", "cluster-admin"),
		"cluster-admin by another binding":      bind("x", "cluster-admin"),
		"Secrets elsewhere":                     read("kube-system"),
		"Secrets everywhere":                    read(""),
		"a pod":                                 pod("external-dns"),
		"a pod elsewhere":                       pod("kube-system"),
		"another namespace":                     user.CoreV1().Namespaces().Delete(ctx, "dns", metav1.DeleteOptions{}),
		"a ConfigMap that the chart never made": user.CoreV1().ConfigMaps("external-dns").Delete(ctx, "kube-root-ca.crt", metav1.DeleteOptions{}),
		"the cluster's DNS":                     user.CoreV1().ConfigMaps("kube-system").Delete(ctx, "coredns", metav1.DeleteOptions{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v: want it forbidden", what, err)
		}
	}

	// A chart that grants more than the rights were asked for is refused by the API server, and it is said.
	more := wished(t, "west")
	more.Values["rbac"] = map[string]any{"extraRules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get"}}}}
	r, err := b.engine.Step(ctx, b.spoke, more)
	if err != nil || r.State != install.Failed || r.Reason != install.HelmFailed || !strings.Contains(r.Message, "attempting to grant RBAC permissions not currently held") {
		t.Errorf("%+v, %v", r, err)
	}
	t.Log(r.Message)
	// With the rights it goes through.
	b.grant(more)
	b.step(more, install.Installing, install.Retry)
}

// TestInstallRecovers: what was begun and never ended is brought to where it can be worked on.
func TestInstallRecovers(t *testing.T) {
	b := newBench(t)
	w := wished(t, "west")
	b.installed(w)
	hang := func(status string) {
		t.Helper()
		list, err := b.admin.CoreV1().Secrets("external-dns").List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
		if err != nil {
			t.Fatal(err)
		}
		newest := list.Items[0]
		for _, s := range list.Items {
			if s.CreationTimestamp.After(newest.CreationTimestamp.Time) || s.Name > newest.Name {
				newest = s
			}
		}
		rewrite(t, b.admin, &newest, status)
	}
	// A first attempt that hangs: nothing of it is thrown away.
	hang("pending-install")
	r, err := b.engine.Step(t.Context(), b.spoke, w)
	if err != nil || r.Reason != install.Busy {
		t.Fatalf("%+v, %v: want it taken for somebody's who is at it", r, err)
	}
	b.ahead = 6 * time.Minute
	b.step(w, install.Installing, install.Release)
	b.step(w, install.Installing, install.Retry)
	b.ahead = 0
	b.ready(w.Namespace)
	b.step(w, install.Installed, install.DoNothing)

	// A later one: back to what stood, and on from there.
	other := wished(t, "east")
	b.step(other, install.Installing, install.Upgrade)
	hang("pending-upgrade")
	b.ahead = 6 * time.Minute
	b.step(other, install.Installing, install.Rollback)
	b.ahead = 0
	b.step(other, install.Installing, install.Upgrade)
	b.ready(w.Namespace)
	b.step(other, install.Installed, install.DoNothing)

	// An uninstallation that hangs is ended, and what is wished made anew.
	hang("uninstalling")
	b.step(other, install.Installing, install.Uninstall)
	b.step(other, install.Installing, install.Install)
}

// TestInstallLeavesOthersAlone: what is somebody else's is said and not touched, and nothing is done by halves.
func TestInstallLeavesOthersAlone(t *testing.T) {
	b := newBench(t)
	w := wished(t, "west")
	b.namespace("external-dns")
	b.grant(w)
	fails := func(w install.Wish, reason install.Reason, says ...string) {
		t.Helper()
		before := snapshot(t, b.api)
		r, err := b.engine.Step(t.Context(), b.spoke, w)
		if err != nil || r.State != install.Failed || r.Reason != reason {
			t.Fatalf("%+v, %v: want %s", r, err, reason)
		}
		for _, want := range says {
			if !strings.Contains(r.Message, want) {
				t.Errorf("%q lacks %q", r.Message, want)
			}
		}
		t.Logf("%s: %s", r.Reason, r.Message)
		same(t, before, snapshot(t, b.api))
	}
	bad := wished(t, "west")
	bad.Values["externalDNS"].(map[string]any)["policy"] = "everything"
	fails(bad, install.BadValues, "policy", "sync")
	missing := w
	missing.Secrets = []v1alpha1.SecretCopy{{Source: "nowhere", Target: "etcd"}}
	fails(missing, install.SecretMissing, "nowhere", "dns")

	b.secret("external-dns", "etcd", "theirs")
	fails(w, install.SecretTaken, "external-dns/etcd")
	if err := b.admin.CoreV1().Secrets("external-dns").Delete(t.Context(), "etcd", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := b.admin.CoreV1().Secrets("dns").Get(t.Context(), "etcd-of-spokes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig.Labels = map[string]string{v1alpha1.KubeconfigLabel: "true"}
	if _, err := b.admin.CoreV1().Secrets("dns").Update(t.Context(), kubeconfig, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	fails(w, install.SecretRefused, "kubeconfig")
	b.secret("dns", "etcd-of-spokes", "first") // without the label

	// A release that somebody made with helm.
	b.step(w, install.Installing, install.Install)
	list, err := b.admin.CoreV1().Secrets("external-dns").List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	theirs := list.Items[0]
	delete(theirs.Labels, "app.kubernetes.io/managed-by")
	if _, err := b.admin.CoreV1().Secrets("external-dns").Update(t.Context(), &theirs, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	fails(w, install.ForeignRelease, "releaseName")
	leave := install.Wish{Namespace: w.Namespace, Release: w.Release, DrainTimeout: time.Minute}
	if r := b.step(leave, install.Gone, install.DoNothing); !strings.Contains(r.Message, "did not make it") {
		t.Errorf("%+v", r)
	}
	if _, err := b.admin.AppsV1().Deployments("external-dns").Get(t.Context(), "external-dns-webhook", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
