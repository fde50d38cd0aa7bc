package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// with has external-dns installed everywhere, with a value.
func with(f *v1alpha1.DNSForwarding, value string) *v1alpha1.DNSForwarding {
	f.Spec.ExternalDNS = &v1alpha1.ExternalDNS{Installs: []v1alpha1.Install{{
		Namespace: "external-dns", ReleaseName: "external-dns", Values: &runtime.RawExtension{Raw: fmt.Appendf(nil, `{"a": %q}`, value)},
	}}}
	return f
}

// installs are the conditions ExternalDNS as "c000=Installed c001=HelmFailed".
func (w *world) installs(name string) string {
	w.t.Helper()
	var out []string
	for _, c := range w.get(name).Status.Clusters {
		if is := meta.FindStatusCondition(c.Conditions, v1alpha1.ExternalDNSInstalled); is != nil {
			out = append(out, short(c.Name)+"="+is.Reason)
		}
	}
	return strings.Join(out, " ")
}

func (w *world) wantInstalls(name, want string) {
	w.t.Helper()
	if got := w.installs(name); got != want {
		w.t.Errorf("%s: %s, want %s\n%+v", name, got, want, w.get(name).Status)
	}
}

func installing(t *testing.T, ids ...string) *world {
	w := newWorld(t, ids...)
	w.helm = newHelm()
	return w
}

// TestInstallTravels: external-dns comes to a canary first, and to the rest when it is well there; then nothing is done.
func TestInstallTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, numbered(3)...)
		w.start(with(forwarding("landscape", zone), "<cluster.name>.x"))
		time.Sleep(8 * time.Second)
		if did := w.helm.did(); did != "Installed c000" {
			t.Errorf("first: %s", did)
		}
		w.wantInstalls("landscape", "c000=Installing c001=Pending c002=Pending")
		time.Sleep(10 * time.Minute)
		w.wantInstalls("landscape", "c000=Installed c001=Installed c002=Installed")
		if is, want := w.helm.holding(), "c000=external-dns/external-dns c000.x; c001=external-dns/external-dns c001.x; c002=external-dns/external-dns c002.x"; is != want {
			t.Errorf("%s, want %s", is, want)
		}
		s := w.get("landscape").Status
		if !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ExternalDNSInstalled) || !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.Ready) {
			t.Errorf("%+v", s.Conditions)
		}
		if !slices.Contains(w.recorder.all(), "landscape Normal ExternalDNSInstalled cluster kubeconfig/dns/c000: ") {
			t.Errorf("%q", w.recorder.all())
		}
		w.helm.did()
		version := w.get("landscape").ResourceVersion
		time.Sleep(30 * time.Minute)
		if did := w.helm.did(); did != "" || w.get("landscape").ResourceVersion != version {
			t.Errorf("without a reason: %s", did)
		}
		// Another process knows what this one knew.
		w.restart()
		time.Sleep(time.Minute)
		if did := w.helm.did(); did != "" {
			t.Errorf("after a restart: %s", did)
		}
	})
}

// TestBadInstallStopsAtTheCanary: a change that does not come up reaches one cluster, and holds up no forwarding.
func TestBadInstallStopsAtTheCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, numbered(3)...)
		w.start(with(forwarding("landscape", zone), "good"))
		time.Sleep(15 * time.Minute)
		w.helm.did()
		w.helm.set("c000", "fail")
		w.change("landscape", func(f *v1alpha1.DNSForwarding) {
			with(f, "bad")
			f.Spec.Rules[0].Upstreams = []v1alpha1.Upstream{"10.0.0.54"}
		})
		time.Sleep(20 * time.Minute)
		w.wantInstalls("landscape", "c000=HelmFailed c001=Pending c002=Pending")
		if did := w.helm.did(); did != "" {
			t.Errorf("elsewhere: %s", did)
		}
		w.want("landscape", "c000=Ready c001=Ready c002=Ready")
		if has := w.holding(); strings.Count(has, "10.0.0.54") != 3 {
			t.Errorf("the forwards did not travel: %s", has)
		}
		// What is well again goes on by itself.
		w.helm.set("c000", "")
		time.Sleep(20 * time.Minute)
		w.wantInstalls("landscape", "c000=Installed c001=Installed c002=Installed")
	})
}

// TestInstallHarmsNobody: a cluster in which installing hangs, fails or panics resolves as the others, and they are
// installed.
func TestInstallHarmsNobody(t *testing.T) {
	for _, does := range []string{"hang", "error", "panic"} {
		t.Run(does, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := installing(t, numbered(4)...)
				w.start(with(forwarding("landscape", zone), "x"))
				w.helm.set("c003", does)
				time.Sleep(50 * time.Minute)
				if is := w.installs("landscape"); !strings.HasPrefix(is, "c000=Installed c001=Installed c002=Installed c003=") || strings.HasSuffix(is, "c003=Installed") {
					t.Error(is)
				}
				w.want("landscape", "c000=Ready c001=Ready c002=Ready c003=Ready")
				// Also what is to go goes while it hangs.
				w.change("landscape", func(f *v1alpha1.DNSForwarding) { only(f, "c003") })
				time.Sleep(5 * time.Minute)
				if is := w.helm.holding(); is != "" {
					t.Errorf("left: %s", is)
				}
			})
		})
	}
}

// TestInstallGoes: what is no longer wished is drained and goes, by whatever it is no longer wished; a deleted
// DNSForwarding waits for it.
func TestInstallGoes(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.DNSForwarding){
		"no install": func(f *v1alpha1.DNSForwarding) { f.Spec.ExternalDNS = nil },
		"selected by none": func(f *v1alpha1.DNSForwarding) {
			f.Spec.ExternalDNS.Installs[0].ClusterSelector = only(forwarding("x"), "nobody").Spec.ClusterSelector
		},
		"not selected":       func(f *v1alpha1.DNSForwarding) { only(f, "nobody") },
		"DNSForwarding gone": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := installing(t, numbered(2)...)
				w.start(with(forwarding("landscape", zone), "x"))
				time.Sleep(15 * time.Minute)
				w.helm.did()
				if change == nil {
					if err := w.api.Delete(t.Context(), w.get("landscape")); err != nil {
						t.Fatal(err)
					}
				} else {
					w.change("landscape", change)
				}
				time.Sleep(10 * time.Second)
				w.restart() // in the middle
				time.Sleep(5 * time.Minute)
				did := strings.Split(w.helm.did(), "; ")
				slices.Sort(did)
				if got := strings.Join(did, "; "); got != "Drained c000; Drained c001; Uninstalled c000; Uninstalled c001" || w.helm.holding() != "" {
					t.Errorf("%s, left %s", got, w.helm.holding())
				}
				if change == nil {
					var f v1alpha1.DNSForwarding
					if err := w.api.Get(t.Context(), client.ObjectKey{Name: "landscape"}, &f); err == nil {
						t.Errorf("it is still there: %+v", f.Status)
					}
					return
				}
				w.wantInstalls("landscape", "")
				for _, c := range w.get("landscape").Status.Clusters {
					if c.ExternalDNS != nil {
						t.Errorf("%+v", c)
					}
				}
			})
		})
	}
}

// TestInstallMoves: to another namespace it goes by way of nowhere, with its records.
func TestInstallMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, numbered(1)...)
		w.start(with(forwarding("landscape", zone), "x"))
		time.Sleep(5 * time.Minute)
		w.helm.did()
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.ExternalDNS.Installs[0].Namespace = "dns" })
		time.Sleep(5 * time.Minute)
		if did := w.helm.did(); did != "Drained c000; Uninstalled c000; Installed c000" || w.helm.holding() != "c000=dns/external-dns x" {
			t.Errorf("%s: %s", did, w.helm.holding())
		}
		w.wantInstalls("landscape", "c000=Installed")
	})
}

// TestInstallPlan: in mode Plan it is shown what would be done, and nothing is.
func TestInstallPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, numbered(2)...)
		f := with(forwarding("landscape", zone), "x")
		f.Spec.Mode = v1alpha1.Plan
		w.start(f)
		time.Sleep(time.Minute)
		s := w.get("landscape").Status
		for _, c := range s.Clusters {
			if c.InstallDiff != "install external-dns/external-dns x\n" || c.ExternalDNS != nil {
				t.Errorf("%+v", c)
			}
		}
		w.wantInstalls("landscape", "c000=Planned c001=Planned")
		if did := w.helm.did(); did != "" || meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ExternalDNSInstalled) {
			t.Errorf("%s: %+v", did, s.Conditions)
		}
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.Mode = v1alpha1.Apply })
		time.Sleep(10 * time.Minute)
		w.wantInstalls("landscape", "c000=Installed c001=Installed")
		if c := w.get("landscape").Status.Clusters[0]; c.InstallDiff != "" {
			t.Errorf("%+v", c)
		}
		// Back in Plan, what is there stays, whatever is wished.
		w.helm.did()
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.Mode = v1alpha1.Plan; f.Spec.ExternalDNS = nil })
		time.Sleep(10 * time.Minute)
		if did := w.helm.did(); did != "" {
			t.Error(did)
		}
	})
}

// TestOneInstallsInACluster: of two DNSForwardings the older one installs, and who has something there keeps it.
func TestOneInstallsInACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, numbered(1)...)
		young := with(forwarding("young", "b.example"), "young")
		young.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
		w.start(forwarding("old", "a.example"), young)
		time.Sleep(5 * time.Minute)
		w.wantInstalls("young", "c000=Installed")
		w.change("old", func(f *v1alpha1.DNSForwarding) { with(f, "old") })
		time.Sleep(5 * time.Minute)
		w.wantInstalls("young", "c000=Installed")
		w.wantInstalls("old", "c000=Conflict")
		w.want("old", "c000=Ready")
		w.change("young", func(f *v1alpha1.DNSForwarding) { f.Spec.ExternalDNS = nil })
		time.Sleep(5 * time.Minute)
		w.wantInstalls("old", "c000=Installed")
		if is := w.helm.holding(); is != "c000=external-dns/external-dns old" {
			t.Error(is)
		}
	})
}

// TestBadValuesTouchNothing: a fault in values is said with its path, in the cluster that has it.
func TestBadValuesTouchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, numbered(1)...)
		w.start(with(forwarding("landscape", zone), "<cluster.nam>"))
		time.Sleep(5 * time.Minute)
		w.wantInstalls("landscape", "c000=BadValues")
		s := w.get("landscape").Status
		c := meta.FindStatusCondition(s.Conditions, v1alpha1.ExternalDNSInstalled)
		if c == nil || !strings.Contains(c.Message, "values.a: <cluster.nam> is no placeholder") || w.helm.did() != "" {
			t.Errorf("%+v", s.Conditions)
		}
		w.want("landscape", "c000=Ready")
	})
}

// TestRightsOfInstalls: those in the namespace are asked for once it is there; while something goes, nobody knows better
// than what was asked for.
func TestRightsOfInstalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := installing(t, "openmcp/x/m")
		w.start(with(forwarding("landscape", zone), "x"))
		asked := func(want string) {
			t.Helper()
			w.mu.Lock()
			defer w.mu.Unlock()
			if is := w.rights["openmcp/x/m"]; is != want {
				t.Errorf("%s, want %s", is, want)
			}
		}
		time.Sleep(5 * time.Minute)
		asked("true [:x external-dns:secrets]")
		w.helm.set("m", "fail")
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.ExternalDNS = nil })
		time.Sleep(3 * time.Minute)
		w.helm.set("m", "hang")
		time.Sleep(time.Minute)
		asked("false []")
		w.helm.set("m", "")
		time.Sleep(30 * time.Minute)
		asked("true []")
	})
}
