package controller_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/spokedns/spokedns/corednsconfig/install"
)

// helm is external-dns in all clusters, as it is wished unless a test says otherwise.
type helm struct {
	mu    sync.Mutex
	has   map[string]string // "namespace/release values" by cluster
	drain map[string]bool
	does  map[string]string // fail, hang, panic
	log   []string
}

func newHelm() *helm {
	return &helm{has: map[string]string{}, drain: map[string]bool{}, does: map[string]string{}}
}

func short(cluster string) string { return cluster[strings.LastIndex(cluster, "/")+1:] }

func text(w install.Wish) string {
	return fmt.Sprintf("%s/%s %v", w.Namespace, w.Release, w.Values["a"])
}

// Step implements controller.Installer. It takes five seconds; what was put there is up ten later, and what drains is
// drained as much later.
func (h *helm) Step(ctx context.Context, c install.Cluster, w install.Wish) (install.Report, error) {
	h.mu.Lock()
	does := h.does[short(c.Name)]
	h.mu.Unlock()
	switch does {
	case "hang":
		nap(ctx, 14*time.Minute)
		return install.Report{}, context.DeadlineExceeded
	case "panic":
		panic("a fault of Helm's")
	case "error":
		return install.Report{}, errors.New("connection refused")
	case "fail":
		return install.Report{State: install.Failed, Reason: install.HelmFailed, Message: "attempting to grant"}, nil
	}
	nap(ctx, 5*time.Second)
	h.mu.Lock()
	defer h.mu.Unlock()
	name, had := short(c.Name), h.has[short(c.Name)]
	did := func(what install.Step) { h.log = append(h.log, string(what)+" "+name) }
	switch {
	case w.Values == nil && had == "":
		return install.Report{State: install.Gone}, nil
	case w.Values == nil && !strings.HasPrefix(had, w.Namespace+"/"+w.Release+" "):
		return install.Report{}, fmt.Errorf("%s/%s is to go, and there is %s", w.Namespace, w.Release, had)
	case w.Values == nil && !h.drain[name]:
		h.drain[name] = true
		did(install.Drain)
		return install.Report{State: install.Draining, Did: install.Drain, NamespaceReady: true, Again: 10 * time.Second}, nil
	case w.Values == nil:
		delete(h.has, name)
		delete(h.drain, name)
		did(install.Uninstall)
		return install.Report{State: install.Gone, Did: install.Uninstall}, nil
	case had != text(w):
		h.has[name] = text(w)
		did(install.Install)
		return install.Report{State: install.Installing, Did: install.Install, NamespaceReady: true, Again: 10 * time.Second}, nil
	}
	return install.Report{State: install.Installed, NamespaceReady: true, Message: "it is as is wished"}, nil
}

// Plan implements controller.Installer.
func (h *helm) Plan(_ context.Context, c install.Cluster, w install.Wish) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.has[short(c.Name)] == text(w) {
		return "", nil
	}
	return "install " + text(w) + "\n", nil
}

// Digest implements controller.Installer.
func (h *helm) Digest(w install.Wish) string { return text(w) }

// Rights implements controller.Installer.
func (h *helm) Rights(_ context.Context, w install.Wish) ([]install.Right, error) {
	rule := func(what string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{what}, Verbs: []string{"get"}}}
	}
	return []install.Right{{Rules: rule(fmt.Sprint(w.Values["a"]))}, {Namespace: w.Namespace, Rules: rule("secrets")}}, nil
}

func rightsText(rights []install.Right, known bool) string {
	var out []string
	for _, r := range rights {
		out = append(out, r.Namespace+":"+r.Rules[0].Resources[0])
	}
	return fmt.Sprint(known, out)
}

// holding is what is where.
func (h *helm) holding() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(h.has)) {
		out = append(out, name+"="+h.has[name])
	}
	return strings.Join(out, "; ")
}

// did is what was done since the last time it was asked.
func (h *helm) did() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := strings.Join(h.log, "; ")
	h.log = nil
	return out
}

func (h *helm) set(name, does string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.does[name] = does
}
