package site_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// From nothing: the ConfigMap appears with all that is promised of it, every replica shows it, and Events and
// metrics tell of it.
func TestStart(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	before := time.Now().Add(-time.Second)
	a := h.replica("a")
	h.publishes(first)
	b := h.replica("b")

	cm := h.configMap()
	wantKeys := []string{
		"current_ip", "detected_at", "history", "ipv4", "ipv4_changed_at", "ipv4_detected_at", "ipv4_sources", "ipv4_status",
		"ipv4_verified_at", "sequence", "timestamp",
	}
	if diff := cmp.Diff(wantKeys, slices.Sorted(maps.Keys(cm.Data))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if cm.Data["current_ip"] != first.String() || cm.Data["ipv4"] != first.String() || cm.Data["ipv4_status"] != "Verified" {
		t.Errorf("data: %v", cm.Data)
	}
	for _, key := range []string{"timestamp", "detected_at", "ipv4_detected_at", "ipv4_verified_at", "ipv4_changed_at"} {
		at, err := time.Parse(time.RFC3339, cm.Data[key])
		if err != nil || at.Before(before) || at.After(time.Now()) || !strings.HasSuffix(cm.Data[key], "Z") {
			t.Errorf("%s is %q (%v), want a time since the start in UTC", key, cm.Data[key], err)
		}
	}
	var votes struct {
		Agree, Asked int
		Sources      []struct{ Name, Operator, IP, RTT, Error string }
	}
	if err := json.Unmarshal([]byte(cm.Data["ipv4_sources"]), &votes); err != nil || votes.Agree != 5 || votes.Asked != 5 || len(votes.Sources) != 5 {
		t.Errorf("%v: sources %s", err, cm.Data["ipv4_sources"])
	}
	for k, s := range votes.Sources {
		if s.Operator != h.site.Operator(k) || s.IP != first.String() || s.RTT == "" || s.Error != "" {
			t.Errorf("source %+v", s)
		}
	}
	state, err := wanip.Decode(cm)
	if err != nil || state.Holder != "a" || state.Node != "node-of-a" || state.Epoch < 1 || len(state.History) != 1 || state.History[0].Addr != first {
		t.Errorf("%v: %+v", err, state)
	}

	for _, p := range []*stack.IPController{a, b} {
		h.until("/raw of "+p.Name, func() error {
			raw, err := p.Raw(h.ctx)
			want := stack.Raw{IPv4: stack.RawAddress{Usable: true, IP: first.String(), Status: "Verified", Age: raw.IPv4.Age}, Leader: "a"}
			if diff := cmp.Diff(want, raw); err == nil && diff != "" {
				err = errorText(diff)
			}
			return err
		})
		if page, err := p.Get(h.ctx, "/"); err != nil || !strings.Contains(page, first.String()) {
			t.Errorf("the page of %s does not show the address (%v):\n%s", p.Name, err, page)
		}
		h.counts(p, is(1), "spokedns_wan_ip_info", "family=ipv4", "address="+first.String())
		h.counts(p, is(1), "spokedns_wan_ip_known", "family=ipv4")
	}
	h.counts(a, is(1), "spokedns_wan_ip_leader")
	h.counts(b, is(0), "spokedns_wan_ip_leader")
	h.counts(a, is(1), "spokedns_wan_ip_changes_total", "family=ipv4")
	for k := range 5 {
		h.counts(a, is(1), "spokedns_wan_ip_source_healthy", "source="+h.site.Operator(k))
	}

	if note := h.told("Normal", "WANIPChanged"); !strings.Contains(note, first.String()) {
		t.Errorf("the Event says %q", note)
	}
	h.site.Set(second)
	h.publishes(second)
	// As a person sees it.
	kubectl, err := stack.System("kubectl", "kubernetes-client")
	h.must(err)
	h.until("kubectl describe", func() error {
		out, err := exec.Command(kubectl, "--kubeconfig="+h.api.Kubeconfig, "-n", h.ns, "describe", "configmap", wanip.DefaultName).CombinedOutput()
		if want := "the site's ipv4 address is " + second.String() + ", it was " + first.String(); err == nil && !strings.Contains(string(out), want) {
			err = errorText("no " + want + " in:\n" + string(out))
		}
		return err
	})
	h.onlyEver(wanip.IPv4, first, second)
}

type errorText string

func (e errorText) Error() string { return string(e) }

// The documented rights are those that are used, no more and no less, and nothing is asked for in vain.
func TestTheDocumentedRightsAreThoseUsed(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	h.replica("a")
	h.publishes(first)
	b := h.replica("b") // gets the Lease that is there
	h.until("b follows", func() error { _, err := b.Raw(h.ctx); return err })
	h.site.Set(second)
	h.publishes(second)
	h.told("Normal", "WANIPChanged")

	role, err := stack.DocumentedRole("wan-ip.md", "spokedns-ipcontroller")
	h.must(err)
	documented := map[string]bool{}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					names := rule.ResourceNames
					if len(names) == 0 {
						names = []string{""}
					}
					for _, name := range names {
						documented[group+"/"+resource+"/"+name+" "+verb] = true
					}
				}
			}
		}
	}
	h.until("all rights are used", func() error {
		used := map[string]bool{}
		for _, r := range h.requests() {
			if r.Verb == "create" { // it cannot be restricted by name
				r.On.Name = ""
			}
			if r.Response.Code == http.StatusForbidden || r.Response.Code == http.StatusUnauthorized || r.On.Namespace != h.ns {
				t.Errorf("asked in vain: %+v", r)
			}
			used[r.On.APIGroup+"/"+r.On.Resource+"/"+r.On.Name+" "+r.Verb] = true
		}
		if diff := cmp.Diff(documented, used); diff != "" {
			return errorText("rights documented (-) and used (+):\n" + diff)
		}
		return nil
	})

	// And it may do nothing else.
	cfg, err := stack.ConfigFor(h.account)
	h.must(err)
	client, err := kubernetes.NewForConfig(cfg)
	h.must(err)
	for _, denied := range []authorizationv1.ResourceAttributes{
		{Verb: "delete", Resource: "configmaps", Name: wanip.DefaultName},
		{Verb: "patch", Resource: "configmaps", Name: wanip.DefaultName},
		{Verb: "get", Resource: "configmaps", Name: "another"},
		{Verb: "update", Resource: "configmaps", Name: "another"},
		{Verb: "list", Resource: "configmaps"},
		{Verb: "get", Resource: "configmaps", Name: wanip.DefaultName, Namespace: "default"},
		{Verb: "create", Resource: "configmaps", Namespace: "kube-system"},
		{Verb: "delete", Group: "coordination.k8s.io", Resource: "leases", Name: "spokedns-ipcontroller"},
		{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Name: "another"},
		{Verb: "list", Group: "events.k8s.io", Resource: "events"},
		{Verb: "get", Resource: "secrets", Name: "any"},
		{Verb: "list", Resource: "services"},
		{Verb: "list", Resource: "nodes"},
	} {
		if denied.Namespace == "" {
			denied.Namespace = h.ns
		}
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &denied}}
		review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(h.ctx, review, metav1.CreateOptions{})
		h.must(err)
		if review.Status.Allowed {
			t.Errorf("it may %s %s/%s %s in %s", denied.Verb, denied.Group, denied.Resource, denied.Name, denied.Namespace)
		}
	}
}
