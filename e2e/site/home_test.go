package site_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// soon is how long a test waits for what takes a second or two on an idle machine.
const soon = 60 * time.Second

// Public addresses a site may have, and one that liars tell.
var (
	first, second, third = addr("8.8.4.4"), addr("9.9.9.10"), addr("5.9.10.11")
	lie                  = addr("1.2.3.4")
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// quick is everything the ipcontroller does in seconds, done in tenths of them. The election keeps its times.
func quick() []string {
	return []string{"--canary=500ms", "--audit=2s", "--confirm=200ms", "--per-operator=1000000", "--log-level=debug"}
}

// home is one test's site: a namespace in the API server and operators of its own.
type home struct {
	*testing.T
	ctx     context.Context
	program string
	cluster
	own     *stack.Stack // parts that end with the test
	ns      string
	account string // kubeconfig of the ipcontroller's service account
	site    *stack.Site

	mu       sync.Mutex
	versions []*corev1.ConfigMap // every one that ever stood there; nil: deleted
}

func newHome(t *testing.T, c stack.SiteConfig, extra ...rbacv1.PolicyRule) *home {
	t.Helper()
	p := shared(t)
	return newHomeIn(t, p.cluster, p.program, c, extra...)
}

// newHomeIn is newHome on another API server than the shared one.
func newHomeIn(t *testing.T, in cluster, program string, c stack.SiteConfig, extra ...rbacv1.PolicyRule) *home {
	t.Helper()
	h := &home{T: t, ctx: t.Context(), program: program, cluster: in, own: stack.ForTest(t)}
	name := strings.ToLower(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(t.Name(), "-"))
	h.ns = strings.Trim(name[max(0, len(name)-50):], "-")
	role, err := stack.DocumentedRole("wan-ip.md", "spokedns-ipcontroller")
	h.must(err)
	role.Rules = append(role.Rules, extra...)
	h.account, err = h.api.Account(h.ctx, h.ns, role)
	h.must(err)
	start := first
	if c.Family == wanip.IPv6 {
		start = addr("2620:fe::10")
	}
	h.site, err = stack.NewSite(h.own.Dir, c, start)
	h.must(err)
	t.Cleanup(h.site.Close)
	h.record()
	return h
}

func (h *home) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// replica starts one with quick times.
func (h *home) replica(name string, more ...string) *stack.IPController {
	h.Helper()
	return h.start(stack.IPControllerConfig{Name: name, Args: append(quick(), more...)})
}

// start starts a replica.
func (h *home) start(c stack.IPControllerConfig) *stack.IPController {
	h.Helper()
	c.Program, c.Namespace = h.program, h.ns
	if c.Kubeconfig == "" {
		c.Kubeconfig = h.account
	}
	if c.Site == nil {
		c.Site = h.site
	}
	p, err := h.own.IPController(h.ctx, c)
	h.must(err)
	return p
}

// record watches the ConfigMap from now on, so that a test can say what never stood there.
func (h *home) record() {
	h.Helper()
	w, err := h.client.CoreV1().ConfigMaps(h.ns).Watch(h.ctx, metav1.SingleObject(metav1.ObjectMeta{Name: wanip.DefaultName}))
	h.must(err)
	h.Cleanup(w.Stop)
	go func() {
		for e := range w.ResultChan() {
			cm, ok := e.Object.(*corev1.ConfigMap)
			if !ok {
				continue
			}
			if e.Type == "DELETED" {
				cm = nil
			}
			h.mu.Lock()
			h.versions = append(h.versions, cm)
			h.mu.Unlock()
		}
	}()
}

// seen is every ConfigMap that stood there.
func (h *home) seen() []*corev1.ConfigMap {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.versions)
}

// onlyEver fails if anything but these addresses was ever published, or an address was taken away.
func (h *home) onlyEver(family wanip.Family, allowed ...netip.Addr) {
	h.Helper()
	had := false
	for _, cm := range h.seen() {
		if cm == nil {
			continue
		}
		text := cm.Data[family.String()]
		a, _ := netip.ParseAddr(text) // of nothing: not valid
		switch {
		case text == "" && had:
			h.Errorf("the address was taken away: %v", cm.Data)
		case text != "" && !slices.Contains(allowed, a):
			h.Errorf("%s was published: %v", text, cm.Data)
		}
		had = had || text != ""
	}
	if !had {
		h.Error("nothing was ever published")
	}
}

// configMap is the ConfigMap as it stands; empty while there is none.
func (h *home) configMap() *corev1.ConfigMap {
	h.Helper()
	cm, err := h.client.CoreV1().ConfigMaps(h.ns).Get(h.ctx, wanip.DefaultName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		h.Log(err)
	}
	if cm == nil {
		cm = &corev1.ConfigMap{}
	}
	return cm
}

// until waits for check to have nothing to complain of.
func (h *home) until(what string, check func() error) {
	h.Helper()
	if err := stack.Eventually(h.ctx, soon, func(context.Context) error { return check() }); err != nil {
		h.Fatalf("%s: %v\n%v\n%v", what, err, h.configMap().Annotations, h.configMap().Data)
	}
}

// says waits until keys of the ConfigMap have these values.
func (h *home) says(keyValue ...string) {
	h.Helper()
	h.until("the ConfigMap", func() error {
		data := h.configMap().Data
		for i := 0; i < len(keyValue); i += 2 {
			if data[keyValue[i]] != keyValue[i+1] {
				return fmt.Errorf("%s is %q, want %q", keyValue[i], data[keyValue[i]], keyValue[i+1])
			}
		}
		return nil
	})
}

// publishes waits for an address that is verified.
func (h *home) publishes(a netip.Addr) {
	h.Helper()
	name := wanip.FamilyOf(a).String()
	h.says(name, a.String(), name+"_status", "Verified")
}

// holds waits for a status, with the address as it was.
func (h *home) holds(a netip.Addr, status string) {
	h.Helper()
	name := wanip.FamilyOf(a).String()
	h.says(name, a.String(), name+"_status", status)
}

// state is what the ConfigMap says, by the contract.
func (h *home) state() wanip.State {
	h.Helper()
	s, err := wanip.Decode(h.configMap())
	if err != nil {
		h.Log(err)
	}
	return s
}

// writtenBy waits until a replica has written.
func (h *home) writtenBy(name string) {
	h.Helper()
	h.until("the holder", func() error {
		if s := h.state(); s.Holder != name {
			return fmt.Errorf("the holder is %q, want %q", s.Holder, name)
		}
		return nil
	})
}

// counts waits until the sum of a metric of a replica is as wanted.
func (h *home) counts(p *stack.IPController, want func(float64) bool, name string, labels ...string) {
	h.Helper()
	h.until("metric "+name, func() error {
		m, err := p.Metrics(h.ctx)
		if err == nil && !want(m.Sum(name, labels...)) {
			err = fmt.Errorf("%v is %v", labels, m.Sum(name, labels...))
		}
		return err
	})
}

func is(want float64) func(float64) bool { return func(v float64) bool { return v == want } }
func some(v float64) bool                { return v > 0 }

// told waits for an Event on the ConfigMap and returns its note.
func (h *home) told(kind, reason string) (note string) {
	h.Helper()
	h.until("Event "+reason, func() error {
		events, err := h.client.EventsV1().Events(h.ns).List(h.ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range events.Items {
			e := &events.Items[i]
			if e.Reason == reason && e.Type == kind && e.Regarding.Kind == "ConfigMap" && e.Regarding.Name == wanip.DefaultName {
				note = e.Note
				return nil
			}
		}
		return fmt.Errorf("no such one among %d", len(events.Items))
	})
	return note
}

// request is an entry of the audit log.
type request struct {
	Verb string
	User struct{ Username string }
	At   time.Time `json:"requestReceivedTimestamp"`
	On   struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	Response struct{ Code int } `json:"responseStatus"`
}

// requests is what the ipcontroller's service account has asked the API server for.
func (h *home) requests() (out []request) {
	h.Helper()
	f, err := os.Open(h.audit)
	h.must(err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), "system:serviceaccount:"+h.ns+":spokedns-ipcontroller") {
			continue
		}
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err == nil { // the last may be half written
			out = append(out, r)
		}
	}
	h.must(lines.Err())
	return out
}
