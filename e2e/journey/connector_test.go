package journey_test

import (
	"encoding/gob"
	"net"
	"sync/atomic"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
)

// connector serves endpoints to external-dns's connector source: any number of them, and also ones that
// an API server would refuse.
type connector struct {
	address   string
	endpoints atomic.Pointer[[]*endpoint.Endpoint]
}

func newConnector(s *site, endpoints ...*endpoint.Endpoint) *connector {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.Cleanup(func() { _ = l.Close() })
	c := &connector{address: l.Addr().String()}
	c.serve(endpoints...)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = gob.NewEncoder(conn).Encode(*c.endpoints.Load())
			_ = conn.Close()
		}
	}()
	return c
}

// serve replaces the endpoints.
func (c *connector) serve(endpoints ...*endpoint.Endpoint) { c.endpoints.Store(&endpoints) }

// externalDNS is the configuration of an external-dns that reads from here.
func (c *connector) externalDNS() stack.ExternalDNSConfig {
	return stack.ExternalDNSConfig{Sources: []string{"connector"}, ExtraArgs: []string{"--connector-source-server=" + c.address}}
}

func record(s *site, host, typ string, targets ...string) *endpoint.Endpoint {
	return &endpoint.Endpoint{DNSName: s.name(host), RecordType: typ, Targets: targets}
}
