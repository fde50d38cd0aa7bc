package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// journey is something that happens to objects or servers, and what servers hold in the end, however often the
// process was killed on the way.
type journey struct {
	before func(w *world) // done and settled, before the process begins that is killed
	does   func(w *world)
	want   string // of a and b; c is their secondary
	other  string // of b, when it is not the same
}

func journeys() map[string]journey {
	one := func(w *world) {
		w.create(zoneObject("zone", example), recordObject("www", "zone", "A", "192.0.2.1"), recordObject("api", "zone", "A", "192.0.2.2"))
	}
	get := func(w *world, name string) *v1alpha1.DNSRecord {
		r := w.record(name)
		return &r
	}
	return map[string]journey{
		"create": {func(*world) {}, one, "api A=192.0.2.2; www A=192.0.2.1", ""},
		"change": {one, func(w *world) {
			change(w, get(w, "www-a"), func(r *v1alpha1.DNSRecord) { r.Spec.Values = []string{"192.0.2.9"} })
		}, "api A=192.0.2.2; www A=192.0.2.9", ""},
		"rename": {one, func(w *world) { change(w, get(w, "www-a"), func(r *v1alpha1.DNSRecord) { r.Spec.Name = "web" }) }, "api A=192.0.2.2; web A=192.0.2.1", ""},
		"other type": {one, func(w *world) {
			change(w, get(w, "www-a"), func(r *v1alpha1.DNSRecord) { r.Spec.Type, r.Spec.Values = "CNAME", []string{"x.example.net"} })
		}, "api A=192.0.2.2; www CNAME=x.example.net", ""},
		"delete record": {one, func(w *world) { w.delete(get(w, "www-a")) }, "api A=192.0.2.2", ""},
		"delete zone": {one, func(w *world) {
			z := w.zone("zone")
			w.delete(&z)
		}, "-", ""},
		"deselect": {one, func(w *world) {
			z := w.zone("zone")
			change(w, &z, func(z *v1alpha1.DNSZone) {
				z.Spec.ServerSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"b"}}}}
			})
		}, "api A=192.0.2.2; www A=192.0.2.1", "-"},
		"empty": {func(w *world) {
			one(w)
			time.Sleep(soon)
			for _, name := range []string{"dns/a", "dns/b"} {
				w.servers[name].write(example, "foreign.example.org", "TXT", "x")
			}
		}, func(w *world) { s := w.servers["dns/a"]; s.set(func() { clear(s.zones) }) }, "api A=192.0.2.2; foreign TXT=x; www A=192.0.2.1", ""},
		"restore": {one, func(w *world) {
			s := w.servers["dns/a"]
			s.set(func() { z := s.zones[example]; clear(z.sets); z.setSerial(1) })
		}, "api A=192.0.2.2; www A=192.0.2.1", ""},
	}
}

// soon is enough for everything to be done when nothing is in the way.
const soon = 7 * time.Second

// TestKilledAnywhere kills the process at every step it takes on every journey, before the step and after it, and lets the
// next one finish.
func TestKilledAnywhere(t *testing.T) {
	for name, j := range journeys() {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%t", name, after), func(t *testing.T) {
				for cut := 1; ; cut++ {
					if cut > 200 {
						t.Fatal("it never comes to an end")
					}
					if !j.killedAt(t, cut, after) {
						if cut < 3 {
							t.Errorf("only %d steps were taken", cut-1)
						}
						break
					}
				}
			})
		}
	}
}

// killedAt goes on the journey once. It returns false when the process was not killed, because it took fewer steps.
func (j journey) killedAt(t *testing.T, cut int, after bool) (killed bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.server("a", v1alpha1.Primary), w.server("b", v1alpha1.Primary), w.server("c", v1alpha1.Secondary)
		w.start(0, false)
		j.before(w)
		time.Sleep(soon)
		w.process.stop()
		w.steps = nil
		j.does(w)
		w.start(cut, after)
		time.Sleep(soon)
		killed = w.process.killed
		last := w.steps[:min(cut, len(w.steps))]
		w.start(0, false)
		time.Sleep(2 * soon)
		other := j.want
		if j.other != "" {
			other = j.other
		}
		w.want(j.want, a, c)
		w.want(other, b)
		var z v1alpha1.DNSZone
		switch err := w.api.Get(t.Context(), types.NamespacedName{Namespace: "dns", Name: "zone"}, &z); {
		case j.want == "-":
			if !apierrors.IsNotFound(err) || len(w.ledger) > 0 {
				t.Errorf("%v, ledger %v", err, w.ledger)
			}
		case err != nil:
			t.Error(err)
		default:
			w.wantZone("zone", "True Serving", "True Accepted", "False AsWished")
			w.wantLedger()
		}
		if t.Failed() {
			t.Errorf("killed at step %d (after it: %t): %s", cut, after, strings.Join(last, ", "))
		}
	})
	return killed && !t.Failed()
}

// wantLedger checks that exactly what is wished is in the ledger.
func (w *world) wantLedger() {
	w.t.Helper()
	var got []string
	for _, keys := range w.ledger {
		for key := range keys {
			if key.Type != "NS" {
				got = append(got, strings.TrimSuffix(key.Name, "."+example)+" "+key.Type)
			}
		}
	}
	slices.Sort(got)
	var want []string
	for _, text := range strings.Split(w.servers["dns/a"].holds(example), "; ") {
		if key, _, _ := strings.Cut(text, "="); !strings.HasPrefix(key, "foreign") {
			want = append(want, key)
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the ledger has %q, want %q", got, want)
	}
}
