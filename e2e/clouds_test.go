package e2e_test

import (
	"context"
	"encoding/gob"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
)

// These tests run the real external-dns and our built program on the stand-ins of the cloud services: over
// loopback, through the settings for other endpoints, with the SDKs' own code for credentials.

// cloudZone is a zone in a cloud; homeZone is one on a BIND, in another view of the same webhook.
const cloudZone, homeZone = "cloud.example.org", "home.example.net"

func TestClouds(t *testing.T) {
	t.Parallel()
	program := builtWebhook(t)
	for name, open := range clouds() {
		for what, test := range map[string]func(*cloudSite){
			"second run changes nothing":         secondRunChangesNothing,
			"trouble loses nothing":              troubleLosesNothing,
			"refused writes hold up nobody else": refusedWritesHoldUpNobodyElse,
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				test(newCloudSite(t, program, open(t)))
			})
		}
	}
}

// cloudSite is an external-dns on a webhook with two views: one in the cloud, one at home.
type cloudSite struct {
	*testing.T
	*cloud
	own     *stack.Stack
	bind    *stack.Named
	webhook *stack.Webhook
	dns     *stack.ExternalDNS
	config  stack.ExternalDNSConfig
	wanted  atomic.Pointer[[]*endpoint.Endpoint]
}

func newCloudSite(t *testing.T, program string, c *cloud) *cloudSite {
	t.Helper()
	s := &cloudSite{T: t, cloud: c, own: stack.ForTest(t)}
	var err error
	s.bind, err = s.own.Named(t.Context(), stack.NamedConfig{Zones: []string{homeZone}})
	s.must(err)
	internet, err := stack.NewDivert(t.TempDir(), nil)
	s.must(err)
	t.Cleanup(func() {
		internet.Close()
		if asked := internet.Refused(); len(asked) > 0 {
			t.Errorf("the webhook asked the Internet for %v", asked)
		}
	})
	s.webhook, err = s.own.Webhook(t.Context(), stack.WebhookConfig{Program: program, Env: append(internet.Env(), c.env...), Args: []string{"--no-kubernetes"}, ConfigYAML: fmt.Sprintf(`views:
- name: cloud
  zones: [%s]
  backend:
%s
  rules: [{action: keep}]
- name: home
  zones: [%s]
  backend: {rfc2136: {servers: [%q], tsig: {name: %s, algorithm: %s, secret: %q}}}
  rules: [{action: keep}]
`, cloudZone, indented(c.section), homeZone, s.bind.Addr, s.bind.Key.Name, s.bind.Key.Algorithm, s.bind.Key.Secret)})
	s.must(err)
	s.want()
	s.config = stack.ExternalDNSConfig{WebhookURL: s.webhook.API, Sources: []string{"connector"}, ExtraArgs: []string{"--connector-source-server=" + s.connector()}}
	s.dns, err = s.own.ExternalDNS(t.Context(), s.config)
	s.must(err)
	return s
}

func indented(section string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n    ")
}

func (s *cloudSite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// connector serves what is wanted to external-dns's connector source.
func (s *cloudSite) connector() string {
	s.Helper()
	l, err := (&net.ListenConfig{}).Listen(s.Context(), "tcp", "127.0.0.1:0")
	s.must(err)
	s.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = gob.NewEncoder(conn).Encode(*s.wanted.Load())
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// want replaces what external-dns finds.
func (s *cloudSite) want(endpoints ...*endpoint.Endpoint) { s.wanted.Store(&endpoints) }

func wantedRecord(name, typ string, targets ...string) *endpoint.Endpoint {
	return &endpoint.Endpoint{DNSName: name, RecordType: typ, Targets: targets}
}

// published waits until the cloud holds exactly what is wanted of it, with an ownership text for each, and
// until external-dns plans nothing.
func (s *cloudSite) published() {
	s.Helper()
	want := map[backend.Key][]string{}
	for _, e := range *s.wanted.Load() {
		if strings.HasSuffix(e.DNSName, cloudZone) {
			want[backend.Key{Name: e.DNSName, Type: e.RecordType}] = slices.Sorted(slices.Values(e.Targets))
		}
	}
	s.must(stack.Eventually(s.Context(), soon, func(context.Context) error {
		s.alive()
		got, texts := map[backend.Key][]string{}, 0
		for _, r := range s.records() {
			if r.Type == "TXT" && strings.Contains(r.Values[0], "heritage=external-dns") {
				texts++
				continue
			}
			got[r.Key] = r.Values
		}
		if !maps.EqualFunc(got, want, slices.Equal) || texts != len(want) {
			return fmt.Errorf("the service holds %v and %d ownership texts, want %v; the webhook's last words:\n%s",
				got, texts, want, s.webhook.LogTail(5))
		}
		return nil
	}))
	s.must(s.idle(1))
}

// loops reads external-dns's counters.
func (s *cloudSite) loops() stack.Loops {
	s.Helper()
	l, err := s.dns.Loops(s.Context())
	s.must(err)
	return l
}

// idle waits until external-dns has planned nothing for so many loops after its last change or error.
func (s *cloudSite) idle(loops float64) error {
	s.Helper()
	base := s.loops()
	return stack.Eventually(s.Context(), soon, func(ctx context.Context) error {
		l, err := s.dns.Loops(ctx)
		if err != nil {
			return err
		}
		if l.Applies != base.Applies || l.Errors != base.Errors {
			base = l
		}
		if l.Idle < base.Idle+loops {
			return fmt.Errorf("external-dns is still busy: %+v, the webhook's last words:\n%s", l, s.webhook.LogTail(5))
		}
		return nil
	})
}

// troubled waits until external-dns has heard two more errors.
func (s *cloudSite) troubled() {
	s.Helper()
	base := s.loops()
	s.must(stack.Eventually(s.Context(), soon, func(ctx context.Context) error {
		s.alive()
		l, err := s.dns.Loops(ctx)
		if err == nil && l.Errors < base.Errors+2 {
			err = fmt.Errorf("%g errors so far", l.Errors-base.Errors)
		}
		return err
	}))
	s.alive()
}

// alive checks that external-dns did not end: every answer of the webhook was one it survives.
func (s *cloudSite) alive() {
	s.Helper()
	select {
	case <-s.dns.Done():
		s.Fatalf("external-dns ended:\n%s", s.dns.LogTail(20))
	default:
	}
}

// atHome waits until the BIND answers with this address.
func (s *cloudSite) atHome(host, address string) {
	s.Helper()
	s.must(stack.EventuallyAnswers(s.Context(), soon, s.bind.Addr, host+"."+homeZone, "A", address))
}

// failures is how many operations of a view failed with an error of this kind.
func (s *cloudSite) failures(view, kind string) float64 {
	s.Helper()
	m, err := s.webhook.Metrics(s.Context())
	s.must(err)
	return m.Sum("spokedns_errors_total", "view="+view, "kind="+kind)
}

// The law that everything read back is what was written: once it is published nothing is planned, by this
// external-dns nor by the next one.
func secondRunChangesNothing(s *cloudSite) {
	www, www6 := wantedRecord("www."+cloudZone, "A", "192.0.2.2", "192.0.2.1"), wantedRecord("www."+cloudZone, "AAAA", "2001:db8::1")
	alias := wantedRecord("alias."+cloudZone, "CNAME", "lb.example.net")
	wildcard := wantedRecord("*.apps."+cloudZone, "A", "192.0.2.3")
	apex := wantedRecord(cloudZone, "A", "192.0.2.4")
	home := wantedRecord("www."+homeZone, "A", "192.0.2.9")
	s.want(www, www6, alias, wildcard, apex, home)
	s.published()
	s.atHome("www", "192.0.2.9")
	s.must(s.idle(3))

	changed, swapped := wantedRecord("www."+cloudZone, "A", "192.0.2.5"), wantedRecord("alias."+cloudZone, "A", "192.0.2.6")
	s.want(changed, www6, swapped, wildcard, apex, home)
	s.published()

	second := s.config
	second.Name = "external-dns-second"
	var err error
	s.dns, err = s.own.ExternalDNS(s.Context(), second)
	s.must(err)
	s.must(s.idle(2))
	if l := s.loops(); l.Applies != 0 {
		s.Errorf("the second external-dns asked for %g changes:\n%s", l.Applies, s.dns.LogTail(30))
	}

	s.want(changed, home)
	s.published()
	s.want(home)
	s.published()
	s.atHome("www", "192.0.2.9")
}

// A service that throttles every request, and then denies every one, costs nothing that stands, in no view;
// when it is over the next loop carries on.
func troubleLosesNothing(s *cloudSite) {
	first, home := wantedRecord("first."+cloudZone, "A", "192.0.2.1"), wantedRecord("first."+homeZone, "A", "192.0.2.9")
	s.want(first, home)
	s.published()
	s.atHome("first", "192.0.2.9")

	for _, c := range []struct {
		kind  string
		cause func(on bool)
		next  string
	}{{"temporary", s.throttle, "after-throttling"}, {"denied", s.deny, "after-denial"}} {
		before := s.failures("cloud", c.kind)
		c.cause(true)
		s.want(append(slices.Clone(*s.wanted.Load()), wantedRecord(c.next+"."+cloudZone, "A", "192.0.2.2"))...)
		s.troubled()
		s.atHome("first", "192.0.2.9")
		if s.failures("cloud", c.kind) == before {
			s.Errorf("no failure of the cloud's view is %s:\n%s", c.kind, s.webhook.LogTail(10))
		}
		c.cause(false)
		s.published()
	}
	if n := s.failures("home", "temporary") + s.failures("home", "denied"); n != 0 {
		s.Errorf("%g operations failed at home", n)
	}
}

// A service that can be read but not written holds up its own view only: what changes at home in the same
// loop is published.
func refusedWritesHoldUpNobodyElse(s *cloudSite) {
	s.want(wantedRecord("first."+cloudZone, "A", "192.0.2.1"))
	s.published()
	s.refuseWrites(true)
	s.want(wantedRecord("first."+cloudZone, "A", "192.0.2.2"), wantedRecord("later."+homeZone, "A", "192.0.2.9"))
	s.troubled()
	s.atHome("later", "192.0.2.9")
	if len(s.records()) != 2 {
		s.Errorf("the service holds %v", s.records())
	}
	s.refuseWrites(false)
	s.published()
	s.atHome("later", "192.0.2.9")
}
