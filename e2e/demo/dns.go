package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spokedns/spokedns/e2e/stack"
)

// dnsService is one of the two sides of the DNS: who answers, and how the webhook writes there.
type dnsService struct {
	addr    string // host:port
	backend string // the backend section of the view, in YAML
}

// port is where to point dig.
func (d dnsService) port() string {
	_, port := split(d.addr)
	return port
}

// split takes a host:port apart.
func split(addr string) (host, port string) {
	i := strings.LastIndex(addr, ":")
	return addr[:i], addr[i+1:]
}

const zone = "example.org"

func (l *spoke) startPublic(ctx context.Context) error {
	n, err := l.Named(ctx, stack.NamedConfig{Zones: []string{zone}})
	if err != nil {
		return err
	}
	l.public = dnsService{n.Addr, fmt.Sprintf("rfc2136: {servers: [%q], tsig: {name: %s, algorithm: %s, secret: %q}}",
		n.Addr, n.Key.Name, n.Key.Algorithm, n.Key.Secret)}
	l.parts = append(l.parts, n.Part)
	return nil
}

func (l *spoke) startInternal(ctx context.Context) error {
	e, err := l.Etcd(ctx, stack.EtcdConfig{})
	if err != nil {
		return err
	}
	c, err := l.CoreDNS(ctx, stack.CoreDNSConfig{Zones: []string{zone}, Etcd: e})
	if err != nil {
		return err
	}
	l.internal = dnsService{c.Addr, fmt.Sprintf("etcd: {endpoints: [%q], prefix: /skydns}", e.Endpoint)}
	l.parts = append(l.parts, e.Part, c.Part)
	return nil
}
