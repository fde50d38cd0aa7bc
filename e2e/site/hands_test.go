package site_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// reader follows the ConfigMap as the webhook does, with the webhook's documented rights, and remembers whatever
// it believed.
type reader struct {
	*wanip.Reader
	mu       sync.Mutex
	believed []wanip.Reading
}

func (h *home) reader() *reader {
	h.Helper()
	role, err := stack.DocumentedRole("wan-ip.md", "spokedns-wan-ip")
	h.must(err)
	account, err := h.api.Account(h.ctx, h.ns, role)
	h.must(err)
	cfg, err := stack.ConfigFor(account)
	h.must(err)
	r := &reader{}
	r.Reader, err = wanip.NewReader(wanip.ReaderConfig{Client: cfg, Namespace: h.ns, Logger: slog.New(slog.DiscardHandler), Changed: func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.believed = append(r.believed, r.Snapshot(time.Now()).IPv4)
	}})
	h.must(err)
	done := make(chan struct{})
	ctx, stop := context.WithCancel(h.ctx)
	go func() { defer close(done); _ = r.Run(ctx) }()
	h.Cleanup(func() { stop(); <-done })
	h.until("the reader knows", func() error {
		if now := r.Snapshot(time.Now()).IPv4; now.Kind != wanip.Known {
			return errorText(now.String())
		}
		return nil
	})
	return r
}

// only fails if the reader ever believed anything else.
func (r *reader) only(t *testing.T, allowed ...netip.Addr) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.believed {
		ok := false
		for _, a := range allowed {
			ok = ok || b.Kind == wanip.Known && b.Addr == a
		}
		if !ok {
			t.Errorf("the reader had %s", b)
		}
	}
}

// edit changes the ConfigMap as a person or a program would that knows nothing of us.
func (h *home) edit(change func(*corev1.ConfigMap)) error {
	cm, err := h.client.CoreV1().ConfigMaps(h.ns).Get(h.ctx, wanip.DefaultName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	change(cm)
	_, err = h.client.CoreV1().ConfigMaps(h.ns).Update(h.ctx, cm, metav1.UpdateOptions{})
	return err
}

// hand edits until it has worked once.
func (h *home) hand(change func(*corev1.ConfigMap)) {
	h.Helper()
	h.until("the edit", func() error { return h.edit(change) })
}

// writes counts the updates of the ConfigMap that were asked for since a moment, whether they worked or not.
func (h *home) writes(since time.Time) (n int) {
	h.Helper()
	for _, r := range h.requests() {
		if r.On.Resource == "configmaps" && (r.Verb == "update" || r.Verb == "create") && r.At.After(since) {
			n++
		}
	}
	return n
}

// Somebody writes labels, annotations and keys of his own into the ConfigMap all the time. Both get what they
// want, and neither makes the other write more.
func TestOthersWriteTheConfigMapToo(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	a := h.replica("a")
	h.publishes(first)
	r := h.reader()
	h.counts(a, some, "spokedns_wan_ip_rounds_total")
	began, n := time.Now(), 0
	for _, next := range []netip.Addr{second, third, first, second} {
		h.site.Set(next)
		for until := time.Now().Add(4 * time.Second); time.Now().Before(until); n++ {
			err := h.edit(func(cm *corev1.ConfigMap) {
				cm.Labels = map[string]string{"team": "net"}
				cm.Annotations["argocd.argoproj.io/tracking-id"] = fmt.Sprint("site:", n)
				cm.Data["note"] = fmt.Sprint(n)
			})
			if err != nil && !apierrors.IsConflict(err) {
				t.Fatal(err)
			}
		}
		h.publishes(next)
	}
	s := h.state()
	cm := h.configMap()
	if cm.Data["note"] == "" || cm.Labels["team"] != "net" || cm.Annotations["argocd.argoproj.io/tracking-id"] == "" {
		t.Errorf("what others wrote is gone: %v %v", cm.Data, cm.Annotations)
	}
	if s.Holder != "a" || s.Epoch < 1 || len(s.History) != 5 {
		t.Errorf("%+v", s)
	}
	// Four changes, each of which may be seen as Holding before, and a conflict or two at each write.
	writes := h.writes(began)
	t.Logf("%d writes of others, %d of ours", n, writes)
	if writes > 60 {
		t.Errorf("%d writes for four changes", writes)
	}
	r.only(t, first, second, third)
	h.onlyEver(wanip.IPv4, first, second, third)
}

// Somebody insists on another value of a key of ours: it is put right at a measured pace, and nobody believes him.
func TestAnotherWriterInsistsOnHisAddress(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	h.replica("a")
	h.publishes(first)
	r := h.reader()
	began := time.Now()
	for time.Since(began) < 20*time.Second {
		err := h.edit(func(cm *corev1.ConfigMap) { cm.Data["ipv4"], cm.Data["current_ip"] = lie.String(), lie.String() })
		if err != nil && !apierrors.IsConflict(err) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	writes := h.writes(began)
	t.Logf("%d writes in 20 s against one who writes every 50 ms", writes)
	if writes > 30 {
		t.Errorf("%d writes in 20 s: that is a fight", writes)
	}
	h.publishes(first)
	h.site.Set(second)
	h.publishes(second)
	r.only(t, first, second)
}

// The ConfigMap is deleted, again and again: it comes back with its past, and sequences go on.
func TestTheConfigMapIsDeleted(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	h.replica("a")
	h.publishes(first)
	h.site.Set(second)
	h.publishes(second)
	r := h.reader()
	for range 3 {
		before := h.state()
		uid := h.configMap().UID
		h.must(h.client.CoreV1().ConfigMaps(h.ns).Delete(h.ctx, wanip.DefaultName, metav1.DeleteOptions{}))
		h.until("there again", func() error {
			if cm := h.configMap(); cm.UID == uid || cm.UID == "" {
				return errorText("not there")
			}
			return nil
		})
		h.publishes(second)
		after := h.state()
		if after.Sequence <= before.Sequence || len(after.History) != 2 || after.History[0].Addr != first || after.Epoch != before.Epoch {
			t.Errorf("%+v after %+v", after, before)
		}
	}
	r.only(t, second)
	h.site.Set(third)
	h.publishes(third)
	// The Event is on the object that is there now, so that kubectl describe finds it.
	uid := h.configMap().UID
	h.until("Event", func() error {
		events, err := h.client.EventsV1().Events(h.ns).List(h.ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range events.Items {
			if e := &events.Items[i]; strings.Contains(e.Note, third.String()) && e.Regarding.UID == uid {
				return nil
			}
		}
		return errorText("none on it")
	})
	h.onlyEver(wanip.IPv4, first, second, third)
}

// Whatever a hand does to the ConfigMap, it is repaired, its past is not lost, and who reads it holds meanwhile.
func TestTheConfigMapIsSpoilt(t *testing.T) {
	t.Parallel()
	future := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for name, spoil := range map[string]func(*corev1.ConfigMap){
		"garbage":             func(cm *corev1.ConfigMap) { cm.Data["ipv4"] = "<html>" },
		"all of it garbage":   func(cm *corev1.ConfigMap) { cm.Data = map[string]string{"a": "b"} },
		"nothing left":        func(cm *corev1.ConfigMap) { cm.Data, cm.Annotations = nil, nil },
		"a private address":   func(cm *corev1.ConfigMap) { cm.Data["ipv4"], cm.Data["current_ip"] = "192.168.1.1", "192.168.1.1" },
		"another address":     func(cm *corev1.ConfigMap) { cm.Data["ipv4"], cm.Data["current_ip"] = lie.String(), lie.String() },
		"the wrong family":    func(cm *corev1.ConfigMap) { cm.Data["ipv4"] = "2620:fe::1" },
		"times of the future": func(cm *corev1.ConfigMap) { cm.Data["ipv4_detected_at"] = future(48 * time.Hour) },
		"no such time":        func(cm *corev1.ConfigMap) { cm.Data["ipv4_detected_at"] = "yesterday" },
		"an absent key":       func(cm *corev1.ConfigMap) { delete(cm.Data, "ipv4_status") },
		"the family gone": func(cm *corev1.ConfigMap) {
			for k := range cm.Data {
				if strings.HasPrefix(k, "ipv4") {
					delete(cm.Data, k)
				}
			}
		},
		"a wrong checksum": func(cm *corev1.ConfigMap) { cm.Annotations["wan.spokedns.io/sha256"] = strings.Repeat("0", 64) },
		"another schema":   func(cm *corev1.ConfigMap) { cm.Annotations["wan.spokedns.io/schema"] = "2" },
		"a higher epoch":   func(cm *corev1.ConfigMap) { cm.Annotations["wan.spokedns.io/epoch"] = "999999" },
		"another holder":   func(cm *corev1.ConfigMap) { cm.Annotations["wan.spokedns.io/holder"] = "mallory" },
		"no room above":    func(cm *corev1.ConfigMap) { cm.Data["sequence"] = "9007199254740992" },
		"a rewritten past": func(cm *corev1.ConfigMap) { cm.Data["history"] = "[]" },
		"binary":           func(cm *corev1.ConfigMap) { cm.BinaryData = map[string][]byte{"ipv6": {0xff}} },
		"a mebibyte": func(cm *corev1.ConfigMap) {
			cm.Data["ipv4"] = strings.Repeat("1", 900<<10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, stack.SiteConfig{Kinds: []string{"text", "dot", "stun"}})
			more := []string{"--need=2"}
			a := h.replica("a", more...)
			h.publishes(first)
			h.site.Set(second)
			h.publishes(second)
			r := h.reader()
			before := h.state()
			h.hand(spoil)
			h.site.Set(third)
			h.publishes(third)
			after := h.state()
			if len(after.History) != 3 || after.History[0].Addr != first || after.Sequence <= before.Sequence || after.Epoch != before.Epoch {
				t.Errorf("%+v after %+v", after, before)
			}
			h.until("the reader knows", func() error {
				if now := r.Snapshot(time.Now()); now.IPv4.Addr != third || now.IPv4.Origin != wanip.FromConfigMap || now.IPv6.Kind != wanip.Absent {
					return errorText(now.IPv4.String())
				}
				return nil
			})
			r.only(t, second, third)
			if leading, err := a.Leading(h.ctx); !leading || err != nil {
				t.Errorf("a leads: %t, %v", leading, err)
			}

			// And while nobody is there to repair it, it is held.
			a.Kill()
			h.hand(spoil)
			time.Sleep(time.Second)
			if now := r.Snapshot(time.Now()).IPv4; now.Kind != wanip.Known || now.Addr != third {
				t.Errorf("the reader has %s", now)
			}
			r.only(t, second, third)
			// Who starts then has no past to go on from, or has; he finds the address by himself.
			h.replica("a", more...)
			h.publishes(third)
			h.until("the reader knows", func() error {
				if now := r.Snapshot(time.Now()).IPv4; now.Origin != wanip.FromConfigMap {
					return errorText(now.String())
				}
				return nil
			})
			r.only(t, second, third)
		})
	}
}
