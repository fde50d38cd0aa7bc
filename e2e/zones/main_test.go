// Package zones owns the proof that zones and records as objects become answers: the compiled program, with the rights it
// asks for, on a real API server, BIND and Knot. What counts is what servers answer with authority.
package zones

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// home is where the program keeps its ledger and its Lease.
const home = "spokedns"

// parts are started once for all tests.
var parts struct {
	once       sync.Once
	stack      *stack.Stack
	api        *stack.APIServer
	client     client.Client
	program    string
	kubeconfig string
	controller *stack.ZoneController
}

func TestMain(m *testing.M) {
	code := m.Run() // returning ends the program with it
	if parts.stack == nil {
		return
	}
	parts.stack.Close()
	if code != 0 {
		parts.stack.PrintLogs(os.Stderr, 60)
	}
	_ = os.RemoveAll(parts.stack.Dir)
}

// once starts what all tests use.
func once(t *testing.T) {
	t.Helper()
	parts.once.Do(func() {
		dir, err := os.MkdirTemp("", "zones")
		if err != nil {
			t.Fatal(err)
		}
		parts.stack = stack.New(dir)
		if err := start(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
	})
	if parts.controller == nil {
		t.Fatal("what all tests use could not be started")
	}
}

func start(ctx context.Context, dir string) (err error) {
	if parts.program, err = stack.BuildZonecontroller(ctx, dir); err != nil {
		return err
	}
	if parts.api, err = parts.stack.APIServer(ctx, stack.APIServerConfig{}); err != nil {
		return err
	}
	if err := parts.api.ApplyCRDs(ctx, stack.ZoneControllerCRDs()); err != nil {
		return err
	}
	s := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		return err
	}
	if parts.client, err = client.New(parts.api.Config, client.Options{Scheme: s}); err != nil {
		return err
	}
	if err := namespace(ctx, home); err != nil {
		return err
	}
	if parts.kubeconfig, err = parts.api.ZoneControllerAccount(ctx, parts.program, home); err != nil {
		return err
	}
	parts.controller, err = parts.stack.ZoneController(ctx, stack.ZoneControllerConfig{Program: parts.program, Kubeconfig: parts.kubeconfig, Namespace: home, Args: []string{"--probe=1s"}})
	return err
}

func namespace(ctx context.Context, name string) error {
	return parts.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// site is a namespace with servers of its own.
type site struct {
	*testing.T
	ctx  context.Context
	st   *stack.Stack
	ns   string
	zone string // the name in DNS of its first zone
}

func newSite(t *testing.T) *site {
	t.Helper()
	once(t)
	name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(t.Name(), "Test"), "/", "-"))
	s := &site{T: t, ctx: t.Context(), st: stack.ForTest(t), ns: name, zone: name + ".example"}
	if err := namespace(s.ctx, s.ns); err != nil {
		t.Fatal(err)
	}
	if _, err := parts.api.ZoneControllerAccount(s.ctx, parts.program, home, s.ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.leave)
	return s
}

// leave takes the site's objects away, so that the next test finds a program at rest.
func (s *site) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.Failed() {
		s.show(ctx)
	}
	for _, o := range []client.Object{&v1alpha1.DNSRecord{}, &v1alpha1.DNSZone{}, &v1alpha1.DNSServer{}} {
		_ = parts.client.DeleteAllOf(ctx, o, client.InNamespace(s.ns))
	}
	if s.Failed() {
		return
	}
	gone := func(ctx context.Context) error {
		var zones v1alpha1.DNSZoneList
		var servers v1alpha1.DNSServerList
		if err := errors.Join(parts.client.List(ctx, &zones, client.InNamespace(s.ns)), parts.client.List(ctx, &servers, client.InNamespace(s.ns))); err != nil {
			return err
		}
		if n := len(zones.Items) + len(servers.Items); n > 0 {
			return fmt.Errorf("%d zones and %d servers are still there: %+v", len(zones.Items), len(servers.Items), zones.Items)
		}
		return nil
	}
	if err := stack.Eventually(ctx, patience, gone); err != nil {
		s.Error(err)
	}
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) create(objects ...client.Object) {
	s.Helper()
	for _, o := range objects {
		s.must(parts.client.Create(s.ctx, o))
	}
}

func (s *site) delete(o client.Object) {
	s.Helper()
	s.must(parts.client.Delete(s.ctx, o))
}

// change changes an object as kubectl edit would.
func change[T client.Object](s *site, o T, f func(T)) {
	s.Helper()
	s.must(parts.client.Get(s.ctx, client.ObjectKeyFromObject(o), o))
	before := o.DeepCopyObject().(T)
	f(o)
	s.must(parts.client.Patch(s.ctx, o, client.MergeFrom(before)))
}

// secret keeps a key.
func (s *site) secret(name string, key stack.TSIGKey) {
	s.Helper()
	s.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name},
		StringData: map[string]string{"name": key.Name, "algorithm": key.Algorithm, "secret": key.Secret},
	})
}

// primary starts a BIND server and makes its DNSServer.
func (s *site) primary(name string) *stack.BIND {
	return s.bind(name, v1alpha1.Primary, stack.BINDConfig{})
}

func (s *site) bind(name string, role v1alpha1.Role, cfg stack.BINDConfig) *stack.BIND {
	s.Helper()
	cfg.Name = name
	b, err := s.st.BIND(s.ctx, cfg)
	s.must(err)
	s.secret(name, b.Key)
	o := s.server(name, role, b.Addr)
	o.Spec.TSIG = &v1alpha1.SecretReference{Name: name}
	o.Spec.Control = &v1alpha1.Control{RNDC: &v1alpha1.RNDC{Address: b.Control, Key: v1alpha1.SecretReference{Name: name}}}
	s.create(o)
	return b
}

// server is a DNSServer without keys and control.
func (s *site) server(name string, role v1alpha1.Role, addr string) *v1alpha1.DNSServer {
	return &v1alpha1.DNSServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name, Labels: map[string]string{"site": s.ns, "name": name}},
		Spec:       v1alpha1.DNSServerSpec{Address: addr, Role: role},
	}
}

// follower starts a BIND server that follows a catalog zone of primaries.
func (s *site) follower(name, catalog string, primaries ...*stack.BIND) *stack.BIND {
	s.Helper()
	var of []string
	for _, p := range primaries {
		host, port, err := net.SplitHostPort(p.Addr)
		s.must(err)
		of = append(of, fmt.Sprintf("%s port %s key %q;", host, port, p.Key.Name))
	}
	from := strings.Join(of, " ")
	b, err := s.st.BIND(s.ctx, stack.BINDConfig{
		Name:       name,
		Options:    fmt.Sprintf(`catalog-zones { zone %q default-primaries { %s } min-update-interval 0; };`, catalog, from),
		Statements: fmt.Sprintf(`zone %q { type secondary; file "catalog.db"; primaries { %s }; };`, catalog, from),
	})
	s.must(err)
	s.secret(name, b.Key)
	o := s.server(name, v1alpha1.Secondary, b.Addr)
	o.Spec.TSIG = &v1alpha1.SecretReference{Name: name}
	o.Spec.Control = &v1alpha1.Control{Catalog: &v1alpha1.Catalog{Zone: catalog}}
	s.create(o)
	return b
}

// dnszone is a DNSZone on all servers of the site.
func (s *site) dnszone(name, zone string) *v1alpha1.DNSZone {
	return &v1alpha1.DNSZone{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name},
		Spec: v1alpha1.DNSZoneSpec{
			ZoneName: zone, TTL: 300,
			SOA:            v1alpha1.SOA{PrimaryNS: "ns1." + zone, AdminEmail: "hostmaster@example.net", Refresh: 3600, Retry: 600, Expire: 604800, NegativeTTL: 300},
			NameServers:    []v1alpha1.NameServer{{Hostname: "ns1." + zone, IPv4Addresses: []string{"192.0.2.53"}}},
			ServerSelector: metav1.LabelSelector{MatchLabels: map[string]string{"site": s.ns}},
		},
	}
}

func (s *site) dnsrecord(name, zone, typ string, values ...string) *v1alpha1.DNSRecord {
	object := strings.NewReplacer("*", "any", "@", "apex", "_", "").Replace(strings.ToLower(name + "-" + typ))
	return &v1alpha1.DNSRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: object},
		Spec:       v1alpha1.DNSRecordSpec{Zone: v1alpha1.ZoneReference{Name: zone}, Name: name, Type: typ, Values: values},
	}
}

// answers waits until every server answers a name of the zone with authority and exactly the values; none: that there are
// none.
func (s *site) answers(name, typ string, values []string, servers ...*stack.BIND) {
	s.Helper()
	for _, b := range servers {
		s.answersAt(b.Addr, name, typ, values...)
	}
}

func (s *site) answersAt(addr, name, typ string, values ...string) {
	s.Helper()
	want := slices.Sorted(slices.Values(values))
	// A server that has just been filled says for a moment that it cannot answer, which dig shows as nothing.
	check := func(ctx context.Context) error {
		got, err := authority(ctx, addr, name, typ)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%s answers %s %s with %q, want %q", addr, name, typ, got, want)
		}
		if err == nil {
			if got = s.dig(addr, name, typ); !slices.Equal(got, want) {
				err = fmt.Errorf("dig @%s %s %s: %q, want %q", addr, name, typ, got, want)
			}
		}
		return err
	}
	if err := stack.Eventually(s.ctx, patience, check); err != nil {
		s.Fatal(err)
	}
}

// authority asks one server; an answer without the AA bit is an error.
func authority(ctx context.Context, addr, name, typ string) ([]string, error) {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[typ])
	m.RecursionDesired = false
	in, _, err := (&dns.Client{Net: "tcp", Timeout: 5 * time.Second}).ExchangeContext(ctx, m, addr)
	switch {
	case err != nil:
		return nil, err
	case in.Rcode != dns.RcodeSuccess && in.Rcode != dns.RcodeNameError || !in.Authoritative:
		return nil, fmt.Errorf("%s answers %s %s with %s, authority %t", addr, name, typ, dns.RcodeToString[in.Rcode], in.Authoritative)
	}
	var values []string
	for _, rr := range in.Answer {
		if rr.Header().Rrtype == dns.StringToType[typ] {
			values = append(values, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
	}
	slices.Sort(values)
	return values, nil
}

// dig is what people ask with.
func (s *site) dig(addr, name, typ string) []string {
	s.Helper()
	host, port, err := net.SplitHostPort(addr)
	s.must(err)
	program, err := stack.System("dig", "bind9-dnsutils")
	s.must(err)
	out, err := exec.CommandContext(s.ctx, program, "@"+host, "-p", port, "+norecurse", "+short", name, typ).Output()
	s.must(err)
	var values []string
	for line := range strings.Lines(string(out)) {
		values = append(values, strings.TrimSpace(line))
	}
	slices.Sort(values)
	return values
}

// refused waits until servers do not know the zone.
func (s *site) refused(zone string, servers ...*stack.BIND) {
	s.Helper()
	for _, b := range servers {
		check := func(ctx context.Context) error {
			if got, err := authority(ctx, b.Addr, zone, "SOA"); err == nil {
				return fmt.Errorf("%s answers for %s with %q, want it gone", b.Addr, zone, got)
			}
			return nil
		}
		if err := stack.Eventually(s.ctx, patience, check); err != nil {
			s.Fatal(err)
		}
	}
}

// is waits until a condition of an object is "Status Reason", and returns its message.
func (s *site) is(o client.Object, kind, want string) string {
	s.Helper()
	message := ""
	check := func(ctx context.Context) error {
		if err := parts.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		var conditions []metav1.Condition
		var observed int64
		switch o := o.(type) {
		case *v1alpha1.DNSZone:
			conditions, observed = o.Status.Conditions, o.Status.ObservedGeneration
		case *v1alpha1.DNSRecord:
			conditions, observed = o.Status.Conditions, o.Status.ObservedGeneration
		case *v1alpha1.DNSServer:
			conditions, observed = o.Status.Conditions, o.Status.ObservedGeneration
		}
		c := meta.FindStatusCondition(conditions, kind)
		if c == nil || string(c.Status)+" "+c.Reason != want || observed != o.GetGeneration() {
			return fmt.Errorf("%T %s: %s is %+v, want %q for generation %d, not %d", o, o.GetName(), kind, c, want, o.GetGeneration(), observed)
		}
		message = c.Message
		return nil
	}
	if err := stack.Eventually(s.ctx, patience, check); err != nil {
		s.Fatal(err)
	}
	return message
}

// eachRecord waits until all records of the site are "Status Reason".
func (s *site) eachRecord(list *v1alpha1.DNSRecordList, want string) {
	s.Helper()
	s.must(parts.client.List(s.ctx, list, client.InNamespace(s.ns)))
	for i := range list.Items {
		s.is(&list.Items[i], v1alpha1.Ready, want)
	}
}

// show logs what the site's objects say of themselves.
func (s *site) show(ctx context.Context) {
	var zones v1alpha1.DNSZoneList
	var servers v1alpha1.DNSServerList
	_ = parts.client.List(ctx, &zones, client.InNamespace(s.ns))
	_ = parts.client.List(ctx, &servers, client.InNamespace(s.ns))
	for _, z := range zones.Items {
		s.Logf("DNSZone %s, deleted %v: %+v", z.Name, z.DeletionTimestamp, z.Status)
	}
	for _, o := range servers.Items {
		s.Logf("DNSServer %s: %+v", o.Name, o.Status)
	}
}
