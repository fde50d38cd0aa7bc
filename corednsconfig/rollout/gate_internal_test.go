package rollout

import (
	"bytes"
	"strings"
	"testing"

	"github.com/coredns/caddy/caddyfile"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

func TestJudge(t *testing.T) {
	yes, no := probe{OK: true}, probe{Why: "SERVFAIL"}
	fine := finding{Loaded: true, Cluster: yes, Negative: yes, Forwarded: yes}
	with := func(f func(*finding)) finding { g := fine; f(&g); return g }
	dead := finding{Said: "exit status 1"}
	noCluster := with(func(f *finding) { f.Cluster = no })
	noUpstream := with(func(f *finding) { f.Forwarded = no })
	for name, c := range map[string]struct {
		before, after finding
		proven        bool
		want          verdict
	}{
		"all is well":                        {fine, fine, false, passed},
		"does not load":                      {fine, dead, true, failed},
		"neither loads":                      {dead, dead, false, inconclusive},
		"loads where the current one fails":  {dead, fine, false, passed},
		"no cluster names":                   {fine, noCluster, true, failed},
		"no cluster names as it is":          {noCluster, noCluster, true, inconclusive},
		"answers what does not exist":        {fine, with(func(f *finding) { f.Negative = no }), true, failed},
		"as it did before":                   {with(func(f *finding) { f.Negative = no }), with(func(f *finding) { f.Negative = no }), true, passed},
		"upstreams that have never answered": {fine, noUpstream, false, failed},
		"upstreams that are out":             {fine, noUpstream, true, passed},
	} {
		if got, why := judge(c.before, c.after, c.proven); got != c.want || why == "" {
			t.Errorf("%s: got %s (%s), want %s", name, got, why, c.want)
		}
	}
}

func TestTrialPod(t *testing.T) {
	yes := true
	server := dialect.Server{
		Namespace: "kube-system", Container: "coredns",
		Template: corev1.PodSpec{
			ServiceAccountName: "coredns", HostNetwork: true, NodeName: "node-1", PriorityClassName: "system-cluster-critical",
			Containers: []corev1.Container{{Name: "sidecar"}, {
				Name: "coredns", Image: "coredns:v1.12.0", Args: []string{"-conf", "/etc/coredns/Corefile"},
				LivenessProbe: &corev1.Probe{}, Ports: []corev1.ContainerPort{{HostPort: 53, ContainerPort: 53}},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "config", MountPath: "/etc/coredns"},
					{Name: "custom", MountPath: "/etc/coredns/custom"},
					{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
				},
			}},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "coredns"},
					Items:                []corev1.KeyToPath{{Key: "Corefile", Path: "Corefile"}, {Key: "NodeHosts", Path: "NodeHosts"}},
				}}},
				{Name: "custom", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "coredns-custom"}, Optional: &yes,
				}}},
				{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}},
				}}}},
				{Name: "unused"},
			},
		},
	}
	maps := []corev1.ConfigMap{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"},
		Data:       map[string]string{"Corefile": "old", "NodeHosts": "192.0.2.1 node", "Corefile-backup": "older"},
	}}
	candidate := trial{Candidate: dialect.Candidate{Corefile: []byte("new"), Process: corefile.Process{
		Path: "/etc/coredns/Corefile", Imports: map[string][]byte{"/etc/coredns/custom/spokedns.server": []byte("ours")},
	}}}
	pod, files, err := trialPod(server, maps, candidate, "trial", 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		if v.ConfigMap == nil {
			continue
		}
		if v.ConfigMap.Name != files.Name {
			t.Errorf("volume %s is of ConfigMap %s, want ours", v.Name, v.ConfigMap.Name)
		}
		for _, item := range v.ConfigMap.Items {
			seen[v.Name+"/"+item.Path] = string(files.BinaryData[item.Key])
		}
	}
	want := map[string]string{"config/Corefile": "new", "config/NodeHosts": "192.0.2.1 node", "config/custom/spokedns.server": "ours", "custom/spokedns.server": "ours"}
	if d := cmp.Diff(want, seen); d != "" {
		t.Error(d)
	}
	c := pod.Spec.Containers[0]
	if len(pod.Spec.Containers) != 1 || c.Image != "coredns:v1.12.0" || c.LivenessProbe != nil || c.Ports != nil {
		t.Errorf("container: %+v", pod.Spec.Containers)
	}
	if pod.Spec.HostNetwork || pod.Spec.NodeName != "" || pod.Spec.PriorityClassName != "" || pod.Spec.RestartPolicy != corev1.RestartPolicyNever ||
		pod.Spec.ServiceAccountName != "coredns" || pod.Labels["k8s-app"] != "" {
		t.Errorf("pod: %+v %v", pod.Spec, pod.Labels)
	}
	if token := pod.Spec.Volumes[2]; token.Name != "token" || token.Projected.Sources[0].ConfigMap.Name != "kube-root-ca.crt" {
		t.Errorf("the service account's own files were touched: %+v", token)
	}
	if server.Template.Containers[1].LivenessProbe == nil || server.Template.Volumes[0].ConfigMap.Name != "coredns" {
		t.Error("the template was changed")
	}
}

func TestStandalone(t *testing.T) {
	text, err := standalone(t.TempDir(), trial{
		Domain: "cluster.local", Cluster: clusterName("cluster.local"),
		Candidate: dialect.Candidate{
			Corefile: []byte(`(common) {
    errors
}
.:53 {
    bind {$POD_IP}
    import common
    health
    ready
    kubernetes cluster.local in-addr.arpa {
        pods insecure
    }
    hosts {
        192.0.2.1 "a b#c" host
        fallthrough
    }
    prometheus :9153
    loop
    reload
}
import /etc/coredns/custom/*.server
tls://.:853 {
    tls /cert /key
}
other.example:54 {
    errors
}
`),
			Process: corefile.Process{
				Imports: map[string][]byte{"/etc/coredns/custom/spokedns.server": []byte("openmcp.cluster:53 {\n    forward . 192.0.2.1:53\n}\n")},
				Env:     map[string]string{"POD_IP": "10.0.0.1"},
			},
			Site: corefile.Site{Port: 53},
		},
	}, 1053)
	if err != nil {
		t.Fatal(err)
	}
	want := `.:1053 {
    bind 127.0.0.1

    errors

    hosts {
    192.0.2.1 "a b#c" host
    fallthrough
    }
    template IN A cluster.local. {
        match ^kubernetes\.default\.svc\.cluster\.local\.$
        answer "{{ .Name }} 5 IN A 192.0.2.1"
        fallthrough
    }
    template IN ANY cluster.local. {
        rcode NXDOMAIN
    }
}
openmcp.cluster:1053 {
    bind 127.0.0.1

    forward . 192.0.2.1:53
}
`
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Error(d)
	}
}

// A word that was quoted comes back from CoreDNS's own lexer as it was.
func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z "#.:/-]{1,12}`).Draw(t, "word")
		if strings.Contains(word, "import") {
			return
		}
		blocks, err := caddyfile.Parse("Corefile", bytes.NewReader([]byte(". {\n log "+quote(word)+"\n}\n")), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := blocks[0].Tokens["log"][1].Text; got != word {
			t.Fatalf("got %q, want %q", got, word)
		}
	})
}
