package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	"sigs.k8s.io/external-dns/provider/coredns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
)

// Upstream's provider writes keys with random ids, without a group, with quotes around texts, and with a
// text and a host in one key where they share a name. All of it is read, and ours takes its place when
// the records change or are only asked for again.
func TestEtcdAdoptsUpstreamsRecords(t *testing.T) {
	lab := newEtcdLab(t)
	zone := lab.zone()
	b := lab.open(t)
	upstream := upstreamProvider(t, lab, zone)
	www, text, alias, shared := "www."+zone, "a-www."+zone, "alias."+zone, "shared."+zone
	const owner = "heritage=external-dns,external-dns/owner=old"
	publish(t, upstream, &plan.Changes{Create: []*endpoint.Endpoint{
		endpoint.NewEndpointWithTTL(www, "A", 120, "192.0.2.1", "192.0.2.2"),
		endpoint.NewEndpoint(text, "TXT", `"`+owner+`"`),
		endpoint.NewEndpointWithTTL(alias, "CNAME", 60, "lb.example.net"),
		endpoint.NewEndpointWithTTL(shared, "A", 60, "192.0.2.3"),
		endpoint.NewEndpoint(shared, "TXT", `"`+owner+`"`),
		endpoint.NewEndpointWithTTL("below.www."+zone, "A", 60, "192.0.2.4"),
	}})
	wwwA := recordSet(www, "A", 120, "192.0.2.1", "192.0.2.2")
	textTXT, aliasC := recordSet(text, "TXT", 300, owner), recordSet(alias, "CNAME", 60, "lb.example.net")
	sharedA, sharedTXT := recordSet(shared, "A", 60, "192.0.2.3"), recordSet(shared, "TXT", 60, owner)
	below := recordSet("below.www."+zone, "A", 60, "192.0.2.4")
	requireZone(t, b, zone, wwwA, textTXT, aliasC, sharedA, sharedTXT, below)

	// One of two values changes, one RRset of a shared key changes, one is deleted, the rest is asked for again.
	wwwNew, sharedNew := recordSet(www, "A", 120, "192.0.2.2", "192.0.2.9"), recordSet(shared, "A", 60, "192.0.2.5")
	err := b.Apply(t.Context(), zone, []backend.Change{
		{Old: &wwwA, New: &wwwNew, Unit: www}, {Old: &textTXT, New: &textTXT, Unit: www},
		{Old: &sharedA, New: &sharedNew}, {Old: &aliasC}, {Old: &below, New: &below},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []backend.RRset{wwwNew, textTXT, sharedNew, sharedTXT, below}
	requireZone(t, b, zone, want...)
	lab.verify(t, zone, append(want, recordSet(alias, "CNAME", 0)))
	for key, value := range lab.keys(t, zone) {
		if !strings.Contains(key, "/$") || !strings.Contains(value, `"group":`) {
			t.Errorf("a key of upstream's still stands: %s = %s", key, value)
		}
	}

	// The way back: upstream's provider finds the same names and values.
	records, err := upstream.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, ep := range records {
		for _, target := range ep.Targets {
			found[ep.DNSName+" "+target] = true
		}
	}
	for _, set := range want {
		for _, v := range set.Values {
			if !found[set.Name+" "+v] {
				t.Errorf("upstream's provider does not find %s %s", set.Key, v)
			}
		}
	}
}

// What nobody can read is reported and left as it is, and stops nothing else.
func TestEtcdLeavesMalformedKeysAlone(t *testing.T) {
	lab := newEtcdLab(t)
	zone := lab.zone()
	b := lab.open(t)
	bad := map[string]string{
		lab.dir(zone) + "/broken/x":   `{"host":`,
		lab.dir(zone) + "/port/x":     `{"host":"192.0.2.1","port":"443"}`,
		lab.dir(zone) + "/Upper/x":    `{"host":"192.0.2.1"}`,
		lab.dir(zone) + "/host/x":     `{"host":"no name at all"}`,
		lab.dir(zone) + "/empty//x":   `{"host":"192.0.2.1"}`,
		lab.dir(zone) + "/list/$a-x":  `[]`,
		lab.dir(zone) + "/strip/x":    `{"host":"192.0.2.1","targetstrip":99}`,
		lab.dir(zone) + "/text/$txt-": "\xff\xfe",
	}
	for key, value := range bad {
		lab.put(t, key, value)
	}
	lab.put(t, lab.dir(zone)+"/fine", `{"host":"192.0.2.7","ttl":60}`)
	fine := recordSet("fine."+zone, "A", 60, "192.0.2.7")
	requireZone(t, b, zone, fine)
	ours := recordSet("ours."+zone, "A", 60, "192.0.2.8")
	beside := recordSet("port."+zone, "A", 60, "192.0.2.9")
	if err := b.Apply(t.Context(), zone, []backend.Change{{New: &ours}, {New: &beside}}); err != nil {
		t.Fatal(err)
	}
	requireZone(t, b, zone, fine, ours, beside)
	lab.verify(t, zone, []backend.RRset{fine, ours})
	reported := strings.Join(b.Malformed(zone), "\n")
	keys := lab.keys(t, zone)
	for key, value := range bad {
		if keys[key] != value {
			t.Errorf("%s is now %q, it was %q", key, keys[key], value)
		}
		if !strings.Contains(reported, key) {
			t.Errorf("%s is not reported in:\n%s", key, reported)
		}
	}
	lab.put(t, lab.dir(zone)+"/broken/x", `{"host":"192.0.2.6"}`)
	requireZone(t, b, zone, fine, ours, beside, recordSet("x.broken."+zone, "A", 300, "192.0.2.6"))
}

// Records that people put by hand, as CoreDNS's documentation tells them to.
func TestEtcdReadsKeysMadeByHand(t *testing.T) {
	lab := newEtcdLab(t)
	zone := lab.zone()
	for key, value := range map[string]string{
		"/x1":           `{"host":"192.0.2.1","ttl":60}`,
		"/x2":           `{"host":"2001:db8::1","ttl":60}`,
		"/alias":        `{"host":"lb.example.net."}`,
		"/mail/m1":      `{"host":"mx1.` + zone + `","mail":true,"priority":5}`,
		"/_sip/s1":      `{"host":"sip.example.net","port":5060}`,
		"/note":         `{"text":"made by hand"}`,
		"/dns/apex/a1":  `{"host":"192.0.2.9"}`,
		"/dns/ns/ns1":   `{"host":"192.0.2.53"}`,
		"/grouped/a/g1": `{"host":"192.0.2.11","group":"blue","targetstrip":2}`,
	} {
		lab.put(t, lab.dir(zone)+key, value)
	}
	b := lab.open(t)
	byHand := recordSet("note."+zone, "TXT", 300, "made by hand")
	requireZone(t, b, zone, recordSet("x1."+zone, "A", 60, "192.0.2.1"), recordSet("x2."+zone, "AAAA", 60, "2001:db8::1"),
		recordSet("alias."+zone, "CNAME", 300, "lb.example.net"), recordSet("m1.mail."+zone, "MX", 300, "5 mx1."+zone),
		recordSet("s1._sip."+zone, "SRV", 300, "10 100 5060 sip.example.net"), byHand, recordSet(zone, "A", 300, "192.0.2.9"),
		recordSet("ns1.ns.dns."+zone, "A", 300, "192.0.2.53"), recordSet("grouped."+zone, "A", 300, "192.0.2.11"))
	apex, changed := recordSet(zone, "A", 300, "192.0.2.9"), recordSet(zone, "A", 60, "192.0.2.10")
	if err := b.Apply(t.Context(), zone, []backend.Change{{Old: &apex, New: &changed}, {Old: &byHand}}); err != nil {
		t.Fatal(err)
	}
	lab.verify(t, zone, []backend.RRset{changed, recordSet("note."+zone, "TXT", 0)})
}

func upstreamProvider(t *testing.T, lab etcdLab, zone string) provider.Provider {
	t.Helper()
	t.Setenv("ETCD_URLS", lab.etcd.Endpoint)
	p, err := coredns.New(t.Context(), &externaldns.Config{CoreDNSPrefix: "/skydns/"}, endpoint.NewDomainFilter([]string{zone}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func publish(t *testing.T, p provider.Provider, c *plan.Changes) {
	t.Helper()
	if err := p.ApplyChanges(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func recordSet(name, typ string, ttl int, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: time.Duration(ttl) * time.Second, Values: values}
}

func requireZone(t *testing.T, b backend.Backend, zone string, want ...backend.RRset) {
	t.Helper()
	got, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	byKey := func(a, b backend.RRset) int { return strings.Compare(a.Key.String(), b.Key.String()) }
	if diff := cmp.Diff(slices.SortedFunc(slices.Values(want), byKey), slices.SortedFunc(slices.Values(got), byKey)); diff != "" {
		t.Fatalf("the list is not what stands (-want +got):\n%s", diff)
	}
}

// dir is the key of a zone of the lab.
func (l etcdLab) dir(zone string) string {
	labels := strings.Split(zone, ".")
	slices.Reverse(labels)
	return "/skydns/" + strings.Join(labels, "/")
}

func (l etcdLab) client(t *testing.T) *clientv3.Client {
	t.Helper()
	c, err := l.etcd.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (l etcdLab) put(t *testing.T, key, value string) {
	t.Helper()
	if _, err := l.client(t).Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func (l etcdLab) keys(t *testing.T, zone string) map[string]string {
	t.Helper()
	resp, err := l.client(t).Get(t.Context(), l.dir(zone)+"/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, kv := range resp.Kvs {
		out[string(kv.Key)] = string(kv.Value)
	}
	return out
}

func eventually(t *testing.T, check func(context.Context) error) {
	t.Helper()
	if err := stack.Eventually(t.Context(), 20*time.Second, check); err != nil {
		t.Fatal(err)
	}
}
