package controller

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// largest is what etcd takes for an object, with room for its spec and metadata.
const largest = 1<<20 + 256<<10

// TestFit: whatever clusters have to say, the status fits into an object, and every cluster is in it with its state.
func TestFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 10, 200, 500, 700}).Draw(t, "clusters")
		message := strings.Repeat("ä", rapid.IntRange(0, maxMessage/2).Draw(t, "message"))
		diff := strings.Repeat("+x\n", rapid.IntRange(0, maxDiff/3).Draw(t, "diff"))
		s := v1alpha1.DNSForwardingStatus{}
		for i := range n {
			c := v1alpha1.ClusterStatus{Name: fmt.Sprintf("kubeconfig/some-namespace/some-cluster-%d", i), State: v1alpha1.StateRefused, Diff: diff, Hash: strings.Repeat("h", 128)}
			for k, name := range []string{"Reachable", "Detected", "Supported", "Validated", "Applied", "Loaded", "Resolving", "Conflict", "Degraded"} {
				status := metav1.ConditionTrue
				if k%2 == 0 {
					status = metav1.ConditionFalse
				}
				c.Conditions = append(c.Conditions, metav1.Condition{Type: name, Status: status, Reason: "AReason", Message: message})
			}
			s.Clusters = append(s.Clusters, c)
		}
		fit(&s)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > largest {
			t.Fatalf("%d clusters with messages of %d bytes: %d bytes, want at most %d", n, len(message), len(text), largest)
		}
		if len(s.Clusters) != n || !utf8.Valid(text) {
			t.Fatalf("%d of %d clusters are left", len(s.Clusters), n)
		}
		if n <= 10 && s.Clusters[0].Conditions[0].Message != message {
			t.Fatalf("of %d clusters the messages are cut", n)
		}
	})
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"short", 20, "short"}, {strings.Repeat("a", 20), 20, strings.Repeat("a", 20)},
		{strings.Repeat("a", 21), 20, strings.Repeat("a", 11) + "… (cut)"}, {strings.Repeat("ä", 11), 20, strings.Repeat("ä", 5) + "… (cut)"},
	} {
		if got := clip(c.text, c.most); got != c.want || len(got) > c.most {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func revision(attempt string, rules ...v1alpha1.RevisionRule) v1alpha1.Revision {
	return v1alpha1.Revision{Rules: rules, Attempt: attempt}
}

func rule(upstream string, zones ...string) v1alpha1.RevisionRule {
	return v1alpha1.RevisionRule{Zones: zones, Upstreams: []string{upstream}}
}

// TestWish: the parts of a cluster come together, each zone once, the older part first.
func TestWish(t *testing.T) {
	got := wish([]part{
		{revision: revision("", rule("10.0.0.1", "a.example", "b.example"), rule("[2001:db8::1]:5353", "c.example")), probes: []v1alpha1.Domain{"www.a.example"}, gate: "Off"},
		{revision: revision("again", rule("10.0.0.2", "b.example"), rule("10.0.0.3", "a.example", "d.example")), probes: []v1alpha1.Domain{"d.example", "www.a.example", "elsewhere.example"}},
	})
	var forwards []string
	for _, f := range got.Forwards {
		forwards = append(forwards, fmt.Sprint(f.Zones, f.Upstreams))
	}
	want := []string{"[a.example b.example] [10.0.0.1:53]", "[c.example] [[2001:db8::1]:5353]", "[d.example] [10.0.0.3:53]"}
	if diff := cmp.Diff(want, forwards); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"www.a.example", "d.example"}, got.Probe); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got.Attempt != "again" || got.Gate != rollout.GateAuto {
		t.Errorf("attempt %q, gate %q", got.Attempt, got.Gate)
	}
	if empty := wish(nil); len(empty.Forwards) > 0 {
		t.Errorf("%+v", empty)
	}
}

func TestGate(t *testing.T) {
	for _, c := range []struct {
		gates []string
		want  rollout.GateMode
	}{
		{nil, rollout.GateAuto}, {[]string{"Off"}, rollout.GateOff}, {[]string{"Off", "Auto"}, rollout.GateAuto}, {[]string{""}, rollout.GateAuto},
		{[]string{"Off", "Require", "Auto"}, rollout.GateRequire}, {[]string{"Off", "Off"}, rollout.GateOff},
	} {
		var parts []part
		for _, g := range c.gates {
			parts = append(parts, part{gate: g})
		}
		if got := wish(parts).Gate; got != c.want {
			t.Errorf("%v: %q, want %q", c.gates, got, c.want)
		}
	}
}

func TestBaseDomain(t *testing.T) {
	c := fleet.Cluster{Name: "w1", Namespace: "live"}
	for _, x := range []struct{ template, want string }{
		{"", "openmcp.cluster"}, {"<cluster.name>.<cluster.namespace>.x.example", "w1.live.x.example"}, {"fixed.example", "fixed.example"},
	} {
		f := &v1alpha1.DNSForwarding{Spec: v1alpha1.DNSForwardingSpec{BaseDomain: x.template}}
		if got := baseDomain(f, revision("", rule("10.0.0.1", "18.172.in-addr.arpa", "openmcp.cluster")), c); got != x.want {
			t.Errorf("%q: %q, want %q", x.template, got, x.want)
		}
	}
}

// TestRevision: what decides where names go makes another revision, and nothing else does.
func TestRevision(t *testing.T) {
	f := func(change func(*v1alpha1.DNSForwarding)) string {
		f := &v1alpha1.DNSForwarding{Spec: v1alpha1.DNSForwardingSpec{Rules: []v1alpha1.Rule{{Zones: []v1alpha1.Zone{"a.example"}, Upstreams: []v1alpha1.Upstream{"10.0.0.1"}}}}}
		change(f)
		return revisionOf(f).Name
	}
	base := f(func(*v1alpha1.DNSForwarding) {})
	for name, change := range map[string]func(*v1alpha1.DNSForwarding){
		"mode": func(f *v1alpha1.DNSForwarding) { f.Spec.Mode = v1alpha1.Apply }, "label": func(f *v1alpha1.DNSForwarding) { f.Labels = map[string]string{"a": "b"} },
		"probes": func(f *v1alpha1.DNSForwarding) { f.Spec.Probes = []v1alpha1.Domain{"a.example"} },
	} {
		if f(change) != base {
			t.Errorf("%s makes another revision", name)
		}
	}
	for name, change := range map[string]func(*v1alpha1.DNSForwarding){
		"zone":     func(f *v1alpha1.DNSForwarding) { f.Spec.Rules[0].Zones[0] = "b.example" },
		"upstream": func(f *v1alpha1.DNSForwarding) { f.Spec.Rules[0].Upstreams[0] = "10.0.0.2" },
		"retry":    func(f *v1alpha1.DNSForwarding) { f.Annotations = map[string]string{v1alpha1.RetryAnnotation: "x"} },
	} {
		if f(change) == base {
			t.Errorf("%s makes no other revision", name)
		}
	}
}
