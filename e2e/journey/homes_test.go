package journey_test

import (
	"fmt"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
)

// home is where a test's records live: a real DNS service, and how the webhook is told about it.
type home struct {
	name      string
	wildcards bool // the service can answer for *.name
	in        func(*site) server
	backend   func(*site) string
}

func homes() []home {
	return []home{
		{"BIND", true, bind, (*site).bind},
		{"etcd", false, coreDNS, (*site).etcd},
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
	key, secret   string // of TSIG
	stop, restart func()
	etcd          *stack.Etcd // nil when it is a BIND
}

func (s *site) ownBIND() *ownServer {
	s.Helper()
	n, err := s.own.Named(s.ctx, stack.NamedConfig{Zones: []string{s.zone}})
	s.must(err)
	return &ownServer{
		server: server{s, n.Addr}, backend: rfc2136Section(n), key: n.Key.Name, secret: n.Key.Secret,
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
	return &ownServer{
		server: server{s, d.Addr}, backend: etcdSection(e, c.RootPassword), etcd: e,
		stop:    func() { e.Stop() },
		restart: func() { s.Helper(); s.must(e.Restart(s.ctx)) },
	}
}
