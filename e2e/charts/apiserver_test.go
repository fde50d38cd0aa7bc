package charts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spokedns/spokedns/e2e/stack"
)

// server is a real API server that knows DNSForwardings and whose namespaces admit restricted pods only.
type server struct {
	*testing.T
	api    *stack.APIServer
	client *kubernetes.Clientset
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

func startServer(t *testing.T) server {
	t.Helper()
	api, err := stack.ForTest(t).APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyCRDs(t.Context(), filepath.Join(stack.Root(), "charts", "corednsconfig", "crds", "dnsforwardings.yaml")); err != nil {
		t.Fatal(err)
	}
	s := server{T: t, api: api}
	if s.client, err = kubernetes.NewForConfig(api.Config); err != nil {
		t.Fatal(err)
	}
	finder, err := discovery.NewDiscoveryClientForConfig(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	s.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(finder))
	return s
}

func (s server) on(t *testing.T) server { s.T = t; return s }

// namespace makes a namespace that admits restricted pods only.
func (s server) namespace(name string) {
	s.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
	}}}
	if _, err := s.client.CoreV1().Namespaces().Create(s.Context(), ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		s.Fatal(err)
	}
}

// resource is where objects like u live; nil if the server knows no such kind.
func (s server) resource(u *unstructured.Unstructured) dynamic.ResourceInterface {
	s.Helper()
	gvk := u.GroupVersionKind()
	mapping, err := s.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		s.Fatal(err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return s.api.Dynamic.Resource(mapping.Resource)
	}
	at := u.GetNamespace()
	if at == "" {
		at = namespace // as helm does
	}
	return s.api.Dynamic.Resource(mapping.Resource).Namespace(at)
}

// define adds the definitions of other people that releases have objects of: of the Prometheus operator, of
// cert-manager, and of External Secrets.
func (s server) define() {
	s.Helper()
	in := func(path string, elements ...string) string {
		return filepath.Join(append([]string{module(s.T, "tools/crds", path)}, elements...)...)
	}
	operator := in("github.com/prometheus-operator/prometheus-operator", "example", "prometheus-operator-crd")
	if err := s.api.ApplyCRDs(s.Context(),
		filepath.Join(operator, "monitoring.coreos.com_servicemonitors.yaml"), filepath.Join(operator, "monitoring.coreos.com_prometheusrules.yaml"),
		in("github.com/cert-manager/cert-manager", "deploy", "crds", "cert-manager.io_certificates.yaml"),
		in("github.com/external-secrets/external-secrets", "config", "crds", "bases", "external-secrets.io_externalsecrets.yaml"),
	); err != nil {
		s.Fatal(err)
	}
}

// takes tries every object of a release without keeping it: server-side apply, and strict creation, which refuses
// unknown fields.
func (s server) takes(r release) {
	s.Helper()
	for _, u := range r.objects {
		if u.GetNamespace() != "" {
			s.namespace(u.GetNamespace())
		}
		resource := s.resource(u)
		if resource == nil {
			s.Errorf("the API server does not know %s %s", u.GetAPIVersion(), u.GetKind())
			continue
		}
		dry := []string{metav1.DryRunAll}
		if _, err := resource.Apply(s.Context(), u.GetName(), u, metav1.ApplyOptions{FieldManager: "helm", DryRun: dry}); err != nil {
			s.Errorf("apply %s %s: %v", u.GetKind(), u.GetName(), err)
		}
		_, err := resource.Create(s.Context(), u, metav1.CreateOptions{DryRun: dry, FieldValidation: metav1.FieldValidationStrict})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			s.Errorf("create %s %s: %v", u.GetKind(), u.GetName(), err)
		}
	}
}

// pods are those of a release's workloads.
func pods(r release) (out []*corev1.Pod) {
	add := func(name, namespace string, template corev1.PodTemplateSpec) {
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Name, pod.Namespace = name, namespace
		out = append(out, pod)
	}
	for _, o := range all[appsv1.Deployment](r, "Deployment") {
		add(o.Name, o.Namespace, o.Spec.Template)
	}
	for _, o := range all[appsv1.StatefulSet](r, "StatefulSet") {
		for _, claim := range o.Spec.VolumeClaimTemplates { // as its controller does
			source := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}
			o.Spec.Template.Spec.Volumes = append(o.Spec.Template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: source})
		}
		add(o.Name, o.Namespace, o.Spec.Template)
	}
	for _, o := range all[batchv1.Job](r, "Job") {
		add(o.Name, o.Namespace, o.Spec.Template)
	}
	return out
}

// admits lets the server judge every pod of a release by pod security "restricted".
func (s server) admits(r release) {
	s.Helper()
	for _, pod := range pods(r) {
		s.namespace(pod.Namespace)
		if pod.Spec.ServiceAccountName == "" {
			pod.Spec.ServiceAccountName = "default"
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: pod.Spec.ServiceAccountName, Namespace: pod.Namespace}}
		if _, err := s.client.CoreV1().ServiceAccounts(pod.Namespace).Create(s.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			s.Fatal(err)
		}
		create := func(pod *corev1.Pod) error {
			_, err := s.client.CoreV1().Pods(pod.Namespace).Create(s.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err
		}
		if err := create(pod); err != nil {
			s.Errorf("pod of %s: %v", pod.Name, err)
		}
		// The judge is awake: what may write its root passes, what may gain rights does not.
		loose := pod.DeepCopy()
		loose.Spec.Containers[0].SecurityContext = nil
		if err := create(loose); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			s.Errorf("a pod of %s without a security context is let in: %v", pod.Name, err)
		}
	}
}

func TestTheAPIServerTakesEveryRelease(t *testing.T) {
	s := startServer(t)
	s.define()
	s.namespace(namespace)
	seen := map[string]bool{}
	everyCase(t, func(t *testing.T, _, dir, values string) {
		r := render(t, dir, values)
		s.on(t).takes(r)
		s.on(t).admits(r)
		for _, u := range r.objects {
			seen[u.GetKind()] = true
		}
	})
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule", "Certificate", "ExternalSecret", "DNSForwarding"} {
		if !seen[kind] {
			t.Errorf("no release has a %s", kind)
		}
	}
}

// The server that judges is awake: a field that no definition has is refused, also in other people's kinds.
func TestTheAPIServerRefusesUnknownFields(t *testing.T) {
	s := startServer(t)
	s.define()
	s.namespace(namespace)
	r := render(t, chartDir(t, "webhook"), "testdata/webhook/full.yaml")
	tried := 0
	for _, u := range r.objects {
		spec, ok := u.Object["spec"].(map[string]any)
		if !ok || u.GetKind() == "ServiceAccount" {
			continue
		}
		tried++
		spec["spokednsKnowsNothing"] = "x"
		_, err := s.resource(u).Create(t.Context(), u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
		if err == nil || !strings.Contains(err.Error(), "spokednsKnowsNothing") {
			t.Errorf("%s %s with an unknown field: %v", u.GetKind(), u.GetName(), err)
		}
	}
	if tried < 6 {
		t.Errorf("only %d objects were tried", tried)
	}
}

// install applies the accounts and rights of a release for good.
func (s server) install(r release) {
	s.Helper()
	for _, u := range r.objects {
		if !slices.Contains([]string{"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}, u.GetKind()) {
			continue
		}
		if u.GetNamespace() != "" {
			s.namespace(u.GetNamespace())
		}
		if _, err := s.resource(u).Apply(s.Context(), u.GetName(), u, metav1.ApplyOptions{FieldManager: "helm", Force: true}); err != nil {
			s.Fatal(err)
		}
	}
}

// kubeconfig is a file with a token of the service account.
func (s server) kubeconfig(account string) string {
	s.Helper()
	token, err := s.client.CoreV1().ServiceAccounts(namespace).CreateToken(s.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	path := filepath.Join(s.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: s.api.Config.Host, CertificateAuthorityData: s.api.Config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"a": {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "a"}},
		CurrentContext: "x",
	}, path); err != nil {
		s.Fatal(err)
	}
	return path
}

// The real external-dns and the real webhook, as the release's account, read everything they want to.
func TestThePodLivesWithItsRights(t *testing.T) {
	s := startServer(t)
	var crds []string
	for _, find := range []func() (string, error){
		func() (string, error) { return stack.GatewayAPICRDs("experimental") }, stack.DNSEndpointCRD, stack.IstioCRDs, stack.TraefikCRDs,
	} {
		path, err := find()
		if err != nil {
			t.Fatal(err)
		}
		crds = append(crds, path)
	}
	if err := s.api.ApplyCRDs(t.Context(), crds...); err != nil {
		t.Fatal(err)
	}
	s.namespace(namespace)
	externalDNS, err := stack.Tool("external-dns-v0.21")
	if err != nil {
		t.Fatal(err)
	}
	webhook, err := stack.BuildWebhook(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{
		"service", "ingress", "node", "pod", "crd", "gateway-httproute", "gateway-grpcroute", "gateway-tlsroute",
		"gateway-tcproute", "gateway-udproute", "istio-gateway", "istio-virtualservice", "traefik-proxy",
	} {
		t.Run(source, func(t *testing.T) {
			s := s.on(t)
			r := render(t, chartDir(t, "webhook"), "testdata/webhook/etcd.yaml", "--set", "externalDNS.sources={"+source+"}")
			s.install(r)
			kubeconfig := s.kubeconfig("edge-webhook")

			pod := get[appsv1.Deployment](r, "Deployment", "edge-webhook").Spec.Template.Spec
			args := slices.DeleteFunc(slices.Clone(pod.Containers[0].Args), func(a string) bool { return strings.HasPrefix(a, "--webhook-") || strings.HasPrefix(a, "--metrics-") })
			args[slices.Index(args, "--provider=webhook")] = "--provider=inmemory"
			args = append(args, "--kubeconfig="+kubeconfig, "--once", "--metrics-address=127.0.0.1:0", "--inmemory-zone=example.org")
			log, err := exec.CommandContext(t.Context(), externalDNS, args...).CombinedOutput()
			if err != nil || bytes.Contains(log, []byte("forbidden")) {
				t.Errorf("external-dns: %v\n%s", err, log)
			}

			w, err := stack.ForTest(t).Webhook(t.Context(), stack.WebhookConfig{
				Program: webhook, ConfigYAML: get[corev1.ConfigMap](r, "ConfigMap", "edge-webhook").Data["config.yaml"], Kubeconfig: kubeconfig,
			})
			if err != nil {
				t.Fatal(err)
			}
			said, err := os.ReadFile(w.Log)
			if err != nil {
				t.Fatal(err)
			}
			// It asks for what it may read, for all of that, and for nothing else.
			if strings.Contains(string(said), "level=WARN") {
				t.Errorf("the webhook warns:\n%s", said)
			}
			for _, role := range all[rbacv1.ClusterRole](r, "ClusterRole") {
				if strings.HasSuffix(role.Name, ":external-dns") {
					continue
				}
				for _, right := range flat(role.Rules) {
					resource := strings.TrimSuffix(strings.Fields(right)[1], ".")
					defined := !strings.HasSuffix(resource, ".x-k8s.io") // the Gateway API has moved it
					if defined && !strings.Contains(string(said), "resource="+resource+" state=") {
						t.Errorf("the webhook may read %s, and does not:\n%s", resource, said)
					}
				}
			}
		})
	}
}
