package journey_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
)

// home is where a test's records live: a real DNS service, and how the webhook is told about it.
type home struct {
	name      string
	wildcards bool // the service can answer for *.name
	in        func(*site) server
	backend   func(*site) string
	address   func(*site) string // where the webhook writes, as it stands in backend
	slow      int                // bytes a second at which 100,000 names take longer than one call may
}

// farAway is the backend section over a slow link.
func (h home) farAway(s *site) string {
	address := h.address(s)
	return strings.Replace(h.backend(s), address, slowLink(s, address, h.slow), 1)
}

func homes() []home {
	return []home{
		{
			name: "BIND", wildcards: true, in: bind, backend: (*site).bind, slow: 1 << 20,
			address: func(s *site) string { return s.shared.bind.Addr },
		},
		{
			name: "etcd", in: coreDNS, backend: (*site).etcd, slow: 6 << 20,
			address: func(s *site) string { return strings.TrimPrefix(s.shared.etcd.Endpoint, "http://") },
		},
	}
}

// inEveryHome runs a journey once for each home, all of them at a time, each on a site of its own.
func inEveryHome(t *testing.T, journey func(t *testing.T, s *site, home home, dns server)) {
	for _, home := range homes() {
		t.Run(home.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			journey(t, s, home, home.in(s))
		})
	}
}

// bind is the shared BIND.
func bind(s *site) server { return server{s, s.shared.bind.Addr} }

// coreDNS is the shared CoreDNS, which answers from the shared etcd.
func coreDNS(s *site) server { return server{s, s.shared.coreDNS.Addr} }

// bind is the backend section for the shared BIND.
func (s *site) bind() string { return rfc2136Section(s.shared.bind) }

// etcd is the backend section for the shared etcd.
func (s *site) etcd() string { return etcdSection(s.shared.etcd, "") }

func rfc2136Section(n *stack.Named) string {
	return fmt.Sprintf("rfc2136:\n  servers: [%q]\n  tsig: {name: %s, algorithm: %s, secret: %q}", n.Addr, n.Key.Name, n.Key.Algorithm, n.Key.Secret)
}

func etcdSection(e *stack.Etcd, rootPassword string) string {
	section := fmt.Sprintf("etcd:\n  endpoints: [%q]\n  prefix: /skydns", e.Endpoint)
	if rootPassword != "" {
		section += fmt.Sprintf("\n  username: root\n  password: %s", rootPassword)
	}
	return section
}

// serial is the zone's serial number.
func (v server) serial() uint32 {
	v.Helper()
	in, _, err := (&dns.Client{}).ExchangeContext(v.ctx, new(dns.Msg).SetQuestion(dns.Fqdn(v.zone), dns.TypeSOA), v.addr)
	v.must(err)
	for _, rr := range in.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial
		}
	}
	v.Fatalf("%s has no SOA", v.zone)
	return 0
}

// ownServer is a DNS service of one test's own, to be stopped and broken.
type ownServer struct {
	server
	backend       string // section for the webhook
	farAway       string // the same over a slow link
	key, secret   string // of TSIG
	stop, restart func()
	etcd          *stack.Etcd // nil when it is a BIND
}

func (s *site) ownBIND() *ownServer {
	s.Helper()
	n, err := s.own.Named(s.ctx, stack.NamedConfig{Zones: []string{s.zone}})
	s.must(err)
	section := rfc2136Section(n)
	return &ownServer{
		server: server{s, n.Addr}, backend: section,
		farAway: strings.Replace(section, n.Addr, slowLink(s, n.Addr, 1<<20), 1),
		key:     n.Key.Name, secret: n.Key.Secret,
		stop:    func() { n.Stop() },
		restart: func() { s.Helper(); s.must(n.Restart(s.ctx)) },
	}
}

func (s *site) ownEtcd(c stack.EtcdConfig) *ownServer {
	s.Helper()
	e, err := s.own.Etcd(s.ctx, c)
	s.must(err)
	user := ""
	if c.RootPassword != "" {
		user = "root"
	}
	d, err := s.own.CoreDNS(s.ctx, stack.CoreDNSConfig{Zones: []string{s.zone}, Etcd: e, User: user, Password: c.RootPassword})
	s.must(err)
	section, address := etcdSection(e, c.RootPassword), strings.TrimPrefix(e.Endpoint, "http://")
	return &ownServer{
		server: server{s, d.Addr}, backend: section, etcd: e,
		farAway: strings.Replace(section, address, slowLink(s, address, 4<<20), 1),
		stop:    func() { e.Stop() },
		restart: func() { s.Helper(); s.must(e.Restart(s.ctx)) },
	}
}
