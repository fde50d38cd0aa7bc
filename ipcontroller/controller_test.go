package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/ipcontroller/detect/detecttest"
)

const (
	here  = "5.9.10.11"
	there = "5.9.10.12"
	cm    = "configmaps/spokedns-wan-ip"
	lease = "leases/spokedns-ipcontroller"
)

// site is a small Internet with an API server.
type site struct {
	t         *testing.T
	api       *apiServer
	operators []*detecttest.Operator
	args      []string
}

func newSite(t *testing.T) *site {
	ca, err := detecttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, api: newAPIServer(t), args: []string{
		"--namespace=dns", "--listen=127.0.0.1:0", "--ca-file=" + file, "--log-level=debug",
		"--lease-duration=2s", "--renew-deadline=1200ms", "--retry-period=200ms",
		"--canary=100ms", "--audit=1s", "--confirm=100ms", "--per-operator=100000",
	}}
	for i := range 5 {
		o, err := detecttest.Start(ca, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(o.Close)
		o.Say(netip.MustParseAddr(here))
		s.operators = append(s.operators, o)
		s.args = append(s.args, fmt.Sprintf("--ipv4-sources=op%d=%s/", i, o.URL()))
	}
	return s
}

// say changes what the Internet sees.
func (s *site) say(a string, operators ...int) {
	for i, o := range s.operators {
		if len(operators) == 0 || operators[0] <= i && i < operators[1] {
			o.Say(netip.MustParseAddr(a))
		}
	}
}

// replica is one ipcontroller.
type replica struct {
	*controller
	log  *journalBuffer
	end  context.CancelFunc
	done chan struct{}
}

type journalBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *journalBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// start runs a replica until it is ended, or the test is.
func (s *site) start(name string) *replica {
	s.t.Helper()
	c, err := parse(append([]string{"--identity=" + name, "--node-name=node-of-" + name}, s.args...), os.Stdout, os.Stderr)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &replica{log: &journalBuffer{}, done: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.controller, err = newController(c, &rest.Config{Host: s.api.URL, UserAgent: name}, log)
	if err != nil {
		s.t.Fatal(err)
	}
	var ctx context.Context
	ctx, r.end = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		if err := r.run(ctx); err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
	}()
	s.t.Cleanup(func() {
		r.end()
		<-r.done
		if s.t.Failed() {
			r.log.mu.Lock()
			defer r.log.mu.Unlock()
			s.t.Logf("%s:\n%s", name, r.log.String())
		}
	})
	return r
}

// until waits for something to become true; the limit only ends a test that hangs.
func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	for limit := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			s.t.Fatalf("never: %s\n%v\n%v", what, s.api.object(cm), s.api.object(lease))
		}
	}
}

func (s *site) published(a string) func() bool {
	return func() bool { return dig(s.api.object(cm), "data", "ipv4") == a }
}

func (s *site) holder() string {
	h, _ := dig(s.api.object(lease), "spec", "holderIdentity").(string)
	return h
}

// get asks a replica over HTTP.
func (r *replica) get(path string) (int, string) {
	w := httptest.NewRecorder()
	r.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestTheLeaderWritesAndFollowersShow(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	b := s.start("b")
	s.until("a knows", func() bool { return strings.Contains(a.body("/raw"), here) })
	s.until("b knows", func() bool { return strings.Contains(b.body("/raw"), here) })
	if !a.leading() || b.leading() {
		t.Errorf("a leads: %t, b leads: %t", a.leading(), b.leading())
	}
	for _, r := range []*replica{a, b} {
		if code, body := r.get("/readyz"); code != http.StatusOK {
			t.Errorf("readyz: %d %s", code, body)
		}
	}
	s.say(there)
	s.until("the change", s.published(there))
	s.until("b knows the change", func() bool { return strings.Contains(b.body("/raw"), there) })
	for _, want := range []string{
		`spokedns_wan_ip_changes_total{family="ipv4"} 2`, "spokedns_wan_ip_leader 1",
		`spokedns_wan_ip_rounds_total{family="ipv4",status="Verified"}`,
		`spokedns_wan_ip_discovery_duration_seconds_count{family="ipv4"}`,
		`spokedns_wan_ip_source_healthy{family="ipv4",source="op0"} 1`,
		`spokedns_wan_ip_info{address="` + there + `",family="ipv4"} 1`,
	} {
		s.until("metric "+want, func() bool { return strings.Contains(a.body("/metrics"), want) })
	}
	var raw struct {
		WAN struct {
			Usable bool
			IP     string
			Age    float64 `json:"age_seconds"`
		} `json:"wan_ip_state"`
		Record map[string]any `json:"record_state"`
		Poll   time.Time      `json:"poll_date"`
	}
	if err := json.Unmarshal([]byte(b.body("/raw")), &raw); err != nil || !raw.WAN.Usable || raw.WAN.IP != there || raw.Record == nil || raw.Poll.IsZero() {
		t.Errorf("%v: %+v", err, raw)
	}
}

func (r *replica) body(path string) string { _, b := r.get(path); return b }

func TestAGracefulEndReleasesTheLease(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	a.end()
	<-a.done
	if h := s.holder(); h != "" {
		t.Errorf("the lease is still %q's", h)
	}
	s.start("b")
	s.until("b writes", func() bool { return dig(s.api.object(cm), "metadata", "annotations", "wan.spokedns.io/holder") == "b" })
}

// A replica that is cut off from the API server stops by itself, the other one takes over, and nothing of the
// first is written after that.
func TestACutOffLeaderIsReplaced(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	b := s.start("b")
	s.api.set(func() { s.api.deaf["a"] = true })
	s.until("b leads", b.leading)
	if a.leading() {
		t.Error("two lead")
	}
	s.say(there)
	s.until("b writes the change", s.published(there))
	s.api.set(func() { s.api.deaf["a"] = false })
	s.until("a follows", func() bool { return strings.Contains(a.body("/raw"), there) })
	if s.holder() != "b" {
		t.Errorf("%q has the lease", s.holder())
	}
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	if text := strings.Join(s.api.writers, ""); strings.Contains(text, "ba") {
		t.Errorf("a wrote after b: %s", text)
	}
}

func TestAnAPIServerThatIsAwayEndsTheTermAndANewOneFollows(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	epoch := a.epoch.Load()
	s.api.set(func() { s.api.down = true })
	s.until("a stops leading", func() bool { return !a.leading() })
	s.say(there)
	s.api.set(func() { s.api.down = false })
	s.until("a leads again, and writes", s.published(there))
	if a.epoch.Load() <= epoch {
		t.Errorf("epoch %d after %d", a.epoch.Load(), epoch)
	}
}

// Somebody else takes the Lease while its holder is alive.
func TestALostLeaseEndsTheTerm(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	stolen := s.api.object(lease)
	spec := stolen["spec"].(map[string]any)
	spec["holderIdentity"], spec["leaseTransitions"] = "thief", 40
	s.api.put(lease, stolen)
	s.until("a stops leading", func() bool { return !a.leading() })
	s.until("a leads again when the thief is not heard of", a.leading)
	if e := a.epoch.Load() - 1; e <= 40 {
		t.Errorf("epoch %d", e)
	}
	s.say(there)
	s.until("a writes again", s.published(there))
}

// A Lease that was deleted counts from the beginning, so that the ConfigMap has a higher epoch than its next
// holder.
func TestADeletedLeaseDoesNotFenceForEver(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	high := s.api.object(lease)
	high["spec"].(map[string]any)["leaseTransitions"] = 70
	high["spec"].(map[string]any)["holderIdentity"] = ""
	s.api.put(lease, high)
	s.until("a has a high epoch", func() bool { return a.epoch.Load() > 70 })
	s.until("and has written it", func() bool {
		return dig(s.api.object(cm), "metadata", "annotations", "wan.spokedns.io/epoch") == fmt.Sprint(a.epoch.Load()-1)
	})
	a.end()
	<-a.done
	s.api.remove(lease)
	b := s.start("b")
	s.until("b leads above it", func() bool { return b.epoch.Load() > 72 })
	s.say(there)
	s.until("b writes", s.published(there))
}

func TestAConfigMapThatWasDeletedOrEditedIsPutRight(t *testing.T) {
	s := newSite(t)
	s.start("a")
	s.until("published", s.published(here))
	s.api.remove(cm)
	s.until("created again", s.published(here))
	edited := s.api.object(cm)
	edited["data"].(map[string]any)["ipv4"] = "9.9.9.9"
	s.api.put(cm, edited)
	s.until("put right", s.published(here))
}

// Without a quorum nothing moves.
func TestDisagreementHolds(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	s.say(there, 0, 2)
	s.until("ambiguous", func() bool { return dig(s.api.object(cm), "data", "ipv4_status") == "Ambiguous" })
	if !s.published(here)() {
		t.Errorf("published %v", s.api.object(cm))
	}
	s.say(here)
	s.until("verified again", func() bool { return dig(s.api.object(cm), "data", "ipv4_status") == "Verified" })
	if !strings.Contains(a.body("/metrics"), `spokedns_wan_ip_rounds_total{family="ipv4",status="Ambiguous"}`) {
		t.Error("no metric says so")
	}
}
