package wanip_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

func TestDeletedByHandItIsRestored(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		w := claimed(t, a, 0)
		write(t, w, quorum(v4), quorum(v6))
		a.remove(name)
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := stands(t, a)
		if s.IPv4.Addr != v4 || s.IPv6.Addr != v6 || s.Sequence != 3 || len(s.History) != 2 {
			t.Errorf("checked, there is %+v", s)
		}
		a.remove(name) // and nobody checks: the next write finds out
		time.Sleep(wanip.Heartbeat)
		if changes := write(t, w, canary(v4)); len(changes) != 0 {
			t.Errorf("changes %+v", changes)
		}
		if s := stands(t, a); s.IPv4.Addr != v4 || s.Sequence != 4 || len(s.History) != 2 {
			t.Errorf("with the next heartbeat there is %+v", s)
		}
	})
}

func TestEditedByHandItIsPutRight(t *testing.T) {
	for label, edit := range map[string]func(*corev1.ConfigMap){
		"another address":  func(cm *corev1.ConfigMap) { cm.Data["ipv4"], cm.Data["current_ip"] = "9.9.9.9", "9.9.9.9" },
		"emptied":          func(cm *corev1.ConfigMap) { cm.Data, cm.Annotations = nil, nil },
		"a higher epoch":   func(cm *corev1.ConfigMap) { cm.Annotations["wan.spokedns.io/epoch"] = "999" },
		"no annotations":   func(cm *corev1.ConfigMap) { cm.Annotations = nil },
		"a family cut out": func(cm *corev1.ConfigMap) { delete(cm.Data, "ipv6") },
		"one family garbage, with a checksum": func(cm *corev1.ConfigMap) {
			cm.Data["ipv4"], cm.Data["current_ip"] = "10.0.0.1", "10.0.0.1"
			seal(cm)
		},
	} {
		t.Run(label, func(t *testing.T) {
			clocked(t, func(t *testing.T) {
				a := newAPIServer()
				w := claimed(t, a, 5)
				write(t, w, quorum(v4), quorum(v6))
				a.edit(name, edit)
				if err := w.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := stands(t, a)
				if s.IPv4.Addr != v4 || s.IPv6.Addr != v6 || s.Epoch != 5 || s.Sequence != 3 || len(s.History) != 2 {
					t.Errorf("there is %+v", s)
				}
				if changes := write(t, w); len(changes) != 0 {
					t.Errorf("changes %+v", changes)
				}
			})
		})
	}
}

// A new leader does not know what stood there before a hand was in it, and must not bless what does now.
func TestClaimDoesNotBlessAnEdit(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		write(t, claimed(t, a, 5), quorum(v4), quorum(v6))
		a.edit(name, func(cm *corev1.ConfigMap) {
			cm.Data["ipv4"], cm.Data["current_ip"], cm.Annotations["wan.spokedns.io/epoch"] = "9.9.9.9", "9.9.9.9", "999"
		})
		w := claimed(t, a, 6)
		s := stands(t, a)
		if r4, _ := s.At(time.Now()); r4.Kind != wanip.Unknown || s.Sequence != 3 {
			t.Errorf("IPv4 is %v in %+v", r4, s)
		}
		write(t, w, quorum(v4), quorum(v6))
		if r4, r6 := stands(t, a).At(time.Now()); r4.Addr != v4 || r6.Addr != v6 {
			t.Errorf("IPv4 is %v, IPv6 %v", r4, r6)
		}
	})
}
