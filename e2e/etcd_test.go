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
