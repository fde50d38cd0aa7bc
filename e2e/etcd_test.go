package e2e_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
)

// etcdLab is one etcd with a CoreDNS in front of it that answers for every zone below lab.test. Each
// test takes zones of its own.
type etcdLab struct {
	etcd    *stack.Etcd
	coredns *stack.CoreDNS
	zones   *atomic.Int32
}

func newEtcdLab(t *testing.T) etcdLab {
	t.Helper()
	s := stack.ForTest(t)
	e, err := s.Etcd(t.Context(), stack.EtcdConfig{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var zones []string
	for i := range 400 {
		zones = append(zones, fmt.Sprintf("z%d.lab.test", i))
	}
	c, err := s.CoreDNS(t.Context(), stack.CoreDNSConfig{Zones: append(zones, "in-addr.arpa"), Etcd: e})
	if err != nil {
		t.Fatal(err)
	}
	return etcdLab{etcd: e, coredns: c, zones: new(atomic.Int32)}
}

func (l etcdLab) zone() string { return fmt.Sprintf("z%d.lab.test", l.zones.Add(1)-1) }

func (l etcdLab) open(t *testing.T) *etcd.Backend {
	return openEtcd(t, etcd.Config{Endpoints: []string{l.etcd.Endpoint}})
}

func openEtcd(t *testing.T, cfg etcd.Config) *etcd.Backend {
	t.Helper()
	b, err := etcd.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestEtcdConformance(t *testing.T) {
	lab := newEtcdLab(t)
	backendtest.Run(t, backendtest.Harness{Fresh: func(t *testing.T) backendtest.Subject {
		return backendtest.Subject{
			Backend: lab.open(t), Zone: lab.zone(), Other: lab.zone(), Verify: lab.verify,
			Reopen: func(t *testing.T) backend.Backend { return lab.open(t) },
		}
	}})
}

// verify asks CoreDNS. It gives a CNAME only while it follows one, in answer to a question for an
// address, and only when it leads to one or out of the zone; and a weight of 0 as 1.
func (l etcdLab) verify(t *testing.T, zone string, want []backend.RRset) {
	t.Helper()
	for _, set := range want {
		values := slices.Clone(set.Values)
		switch set.Type {
		case "CNAME":
			l.verifyAlias(t, zone, set)
			continue
		case "SRV":
			for i, v := range values {
				f := strings.Fields(v)
				if f[1] == "0" {
					f[1] = "1"
				}
				values[i] = strings.Join(f, " ")
			}
			slices.Sort(values)
		}
		got, err := stack.Query(t.Context(), l.coredns.Addr, set.Name, set.Type)
		if err != nil {
			t.Error(err)
		} else if !slices.Equal(got, values) {
			t.Errorf("CoreDNS answers %s with %.300q, want %.300q", set.Key, got, values)
		}
	}
}

func (l etcdLab) verifyAlias(t *testing.T, zone string, set backend.RRset) {
	t.Helper()
	var followed []string
	for _, typ := range []string{"A", "AAAA"} {
		for _, rr := range digAll(t, l.coredns.Addr, set.Name, typ) {
			if alias, ok := rr.(*dns.CNAME); ok && alias.Hdr.Name == dns.Fqdn(set.Name) {
				followed = append(followed, strings.TrimSuffix(alias.Target, "."))
			}
		}
	}
	slices.Sort(followed)
	followed = slices.Compact(followed)
	if len(set.Values) == 1 && backend.InZone(set.Values[0], zone) && len(followed) == 0 {
		for _, typ := range []string{"A", "AAAA"} {
			if found := digAll(t, l.coredns.Addr, set.Values[0], typ); len(found) > 0 {
				t.Errorf("CoreDNS does not follow %s to %s, which has %v", set.Key, set.Values[0], found)
			}
		}
		return
	}
	if !slices.Equal(followed, set.Values) {
		t.Errorf("CoreDNS follows %s to %q, want %q", set.Key, followed, set.Values)
	}
}

// digAll returns the whole answer section.
func digAll(t *testing.T, addr, name, typ string) []dns.RR {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[typ])
	in, _, err := (&dns.Client{Net: "tcp"}).ExchangeContext(t.Context(), m, addr)
	if err != nil {
		t.Fatal(err)
	}
	return in.Answer
}

// Names answer with their own records only: not with those of names below, whether they have records
// themselves, only a text, or none at all.
func TestEtcdNamesAnswerForThemselves(t *testing.T) {
	lab := newEtcdLab(t)
	zone := lab.zone()
	b := lab.open(t)
	stands := []backend.RRset{
		recordSet("foo."+zone, "A", 60, "192.0.2.1"), recordSet("1bar.foo."+zone, "A", 60, "192.0.2.2"),
		recordSet("note."+zone, "TXT", 60, "x"), recordSet("host.note."+zone, "AAAA", 60, "2001:db8::1"),
		recordSet("leaf.two.one."+zone, "A", 60, "192.0.2.3"), recordSet("mail."+zone, "A", 60, "192.0.2.4"),
		recordSet("shop."+zone, "MX", 60, "10 mail."+zone), recordSet("_sip.shop."+zone, "SRV", 60, "0 500 5061 mail."+zone, "0 7 5060 mail."+zone),
		recordSet("x."+zone, "TXT", 60, "below the zone"),
	}
	var changes []backend.Change
	for _, set := range stands {
		changes = append(changes, backend.Change{New: &set})
	}
	if err := b.Apply(t.Context(), zone, changes); err != nil {
		t.Fatal(err)
	}
	silent := []backend.RRset{
		recordSet("note."+zone, "AAAA", 0), recordSet("two.one."+zone, "A", 0), recordSet("one."+zone, "A", 0),
		recordSet("shop."+zone, "A", 0), recordSet("shop."+zone, "SRV", 0), recordSet("foo."+zone, "SRV", 0), recordSet("foo."+zone, "TXT", 0),
		recordSet(zone, "A", 0), recordSet(zone, "TXT", 0), recordSet(zone, "MX", 0),
	}
	lab.verify(t, zone, append(stands, silent...))

	// With the last name below gone, nothing of ours is left behind.
	changes = nil
	for _, set := range stands {
		changes = append(changes, backend.Change{Old: &set})
	}
	if err := b.Apply(t.Context(), zone, changes); err != nil {
		t.Fatal(err)
	}
	if left := lab.keys(t, zone); len(left) > 0 {
		t.Errorf("an empty zone still has keys: %v", left)
	}
}

// The reverse tree has its records at exact keys, and a zone's longest texts still fit into an answer.
func TestEtcdAnswersReverseNamesAndLongTexts(t *testing.T) {
	lab := newEtcdLab(t)
	reverse, zone := "2.0.192.in-addr.arpa", lab.zone()
	b := lab.open(t)
	host, other := recordSet("1."+reverse, "PTR", 60, "www.example.net"), recordSet("1."+reverse, "PTR", 60, "ftp.example.net")
	owner := recordSet("ptr-1."+reverse, "TXT", 60, "heritage=external-dns")
	long := recordSet("long."+zone, "TXT", 60, strings.Repeat(`back\slash `, 5_400))
	for _, c := range []struct {
		zone string
		backend.Change
	}{
		{reverse, backend.Change{New: &host}}, {reverse, backend.Change{New: &owner}},
		{reverse, backend.Change{Old: &host, New: &other}}, {zone, backend.Change{New: &long}},
	} {
		if err := b.Apply(t.Context(), c.zone, []backend.Change{c.Change}); err != nil {
			t.Fatal(err)
		}
	}
	requireZone(t, b, reverse, other, owner)
	requireZone(t, b, zone, long)
	lab.verify(t, reverse, []backend.RRset{other, owner})
	lab.verify(t, zone, []backend.RRset{long})
	if err := b.Apply(t.Context(), reverse, []backend.Change{{Old: &other}}); err != nil {
		t.Fatal(err)
	}
	lab.verify(t, reverse, []backend.RRset{recordSet("1."+reverse, "PTR", 0), owner})

	// Upstream's provider puts a PTR record where CoreDNS does not find it.
	lab.put(t, lab.dir(reverse)+"/7/0badcafe", `{"host":"old.example.net","ttl":60,"targetstrip":1}`)
	lost := recordSet("7."+reverse, "PTR", 60, "old.example.net")
	requireZone(t, b, reverse, owner, lost)
	if err := b.Apply(t.Context(), reverse, []backend.Change{{Old: &lost, New: &lost}}); err != nil {
		t.Fatal(err)
	}
	requireZone(t, b, reverse, owner, lost)
	lab.verify(t, reverse, []backend.RRset{lost})
}
