package controller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// TestWrittenFirst: while the status cannot be written, nothing is written to clusters.
func TestWrittenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(2)...)
		broken := true
		w.funcs.SubResourcePatch = func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if broken {
				return errors.New("etcdserver: request timed out")
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		}
		w.start(forwarding("landscape", zone))
		time.Sleep(time.Hour)
		if did := w.did(); len(did) > 0 {
			t.Errorf("%v", did)
		}
		w.mu.Lock()
		broken = false
		w.mu.Unlock()
		time.Sleep(20 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready")
	})
}

// TestRestart: a new process goes on where the old one was, whenever that ended.
func TestRestart(t *testing.T) {
	for after := time.Second; after < 4*time.Minute; after += 41 * time.Second {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, numbered(12)...)
				w.start(forwarding("landscape", zone))
				time.Sleep(after)
				started, landed := len(w.did()), w.landed()
				w.restart()
				time.Sleep(20 * time.Second)
				// While a step is under way nobody of the next one is begun.
				if again := len(w.did()); landed < started && (started <= 1 && again > 1 || started <= 3 && again > 2) {
					t.Errorf("%d were started before, of which %d had come to an end, and %d after", started, landed, again)
				}
				time.Sleep(20 * time.Minute)
				if s := w.get("landscape").Status; s.Ready != "12/12" || s.Stage != v1alpha1.StageDone {
					t.Errorf("%s, ready %s", s.Stage, s.Ready)
				}
			})
		})
	}
}

// TestRestartHalted: what was halted stays so.
func TestRestartHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(3)...)
		w.clusters["kubeconfig/dns/c000"].does = "rollback"
		w.clusters["kubeconfig/dns/c000"].Labels["dns.spokedns.io/canary"] = "true"
		w.start(forwarding("landscape", zone))
		time.Sleep(10 * time.Minute)
		w.did()
		w.restart()
		time.Sleep(time.Hour)
		if did := w.did(); len(did) > 0 || w.get("landscape").Status.Stage != v1alpha1.StageHalted {
			t.Errorf("%v, at %s", did, w.get("landscape").Status.Stage)
		}
	})
}

// TestHung: of 200 clusters one hangs, in every call, and the others are done when they would have been without it.
func TestHung(t *testing.T) {
	took := func(does string) (d time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, numbered(200)...)
			w.clusters["kubeconfig/dns/c100"].does = does
			start := time.Now()
			w.start(forwarding("landscape", zone))
			want := "200/200"
			if does != "" {
				want = "199/200"
			}
			for w.get("landscape").Status.Ready != want && time.Since(start) < time.Hour {
				time.Sleep(5 * time.Second)
			}
			d = time.Since(start)
			if got := strings.Count(w.holding(), "="); got < 199 {
				t.Errorf("%d clusters have it after %s", got, d)
			}
		})
		return d
	}
	alone, beside := took(""), took("hang")
	t.Logf("200 clusters, an Apply takes 1 min in each, 50 at a time: %s; beside a hung one: %s", alone, beside)
	if beside > alone+10*time.Second {
		t.Errorf("with a hung cluster the others take %s, without %s", beside, alone)
	}
}

// TestDrift: what somebody takes out is put in again within a minute or two.
func TestDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(3)...)
		w.start(forwarding("landscape", zone))
		time.Sleep(9 * time.Minute)
		w.did()
		w.mu.Lock()
		w.clusters["kubeconfig/dns/c002"].has = nil
		w.mu.Unlock()
		time.Sleep(61*time.Second + time.Minute + 5*time.Second) // a glance, an Apply, and the controller's pace
		if diff := cmp.Diff([]string{"apply kubeconfig/dns/c002"}, w.did()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		w.want("landscape", "c000=Ready c001=Ready c002=Ready")
		if got := strings.Count(w.holding(), "="); got != 3 {
			t.Error(w.holding())
		}
	})
}
