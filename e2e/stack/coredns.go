package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/miekg/dns"
)

// CoreDNSConfig describes a CoreDNS that answers from etcd.
type CoreDNSConfig struct {
	Name     string   // of the part, "coredns" when empty
	Zones    []string // it is authoritative for; the etcd plugin finds their records
	Etcd     *Etcd    // where the records are
	Prefix   string   // path of the records in etcd, "/skydns" when empty
	User     string   // of etcd, with Password; empty without authentication
	Password string
	Options  []string // further lines in the server block, "cache 30" for example; by default there is no cache
}

// CoreDNS is a running CoreDNS.
type CoreDNS struct {
	*Part
	Addr     string // host:port, both UDP and TCP
	Corefile string // path of its configuration
}

// CoreDNS starts CoreDNS in front of etcd and waits until it answers for its first zone.
func (s *Stack) CoreDNS(ctx context.Context, cfg CoreDNSConfig) (*CoreDNS, error) {
	if len(cfg.Zones) == 0 || cfg.Etcd == nil {
		return nil, errors.New("coredns: want at least one zone, and an etcd")
	}
	if cfg.Name == "" {
		cfg.Name = "coredns"
	}
	program, err := Tool("coredns")
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	c := &CoreDNS{
		Addr:     fmt.Sprintf("127.0.0.1:%d", port),
		Corefile: filepath.Join(s.Dir, cfg.Name+".Corefile"),
	}
	if err := os.WriteFile(c.Corefile, []byte(cfg.corefile(port)), 0o600); err != nil {
		return nil, err
	}
	ready := func(ctx context.Context) error {
		_, err := exchange(ctx, c.Addr, dns.Fqdn(cfg.Zones[0]), "SOA")
		return err
	}
	c.Part, err = s.Start(ctx, cfg.Name, ready, exec.Command(program, "-conf", c.Corefile))
	return c, err
}

// corefile is the server block: one port, every zone, the etcd plugin.
func (cfg CoreDNSConfig) corefile(port int) string {
	prefix := cfg.Prefix
	if prefix == "" {
		prefix = "/skydns"
	}
	var names []string
	for _, zone := range cfg.Zones {
		names = append(names, fmt.Sprintf("%s:%d", zone, port))
	}
	lines := []string{"bind 127.0.0.1", "errors"}
	lines = append(lines, cfg.Options...)
	lines = append(lines, "etcd {", "    path "+prefix, "    endpoint "+cfg.Etcd.Endpoint)
	if cfg.Etcd.CAFile != "" {
		lines = append(lines, fmt.Sprintf("    tls %s %s %s", cfg.Etcd.CertFile, cfg.Etcd.KeyFile, cfg.Etcd.CAFile))
	}
	if cfg.User != "" {
		lines = append(lines, fmt.Sprintf("    credentials %s %s", cfg.User, cfg.Password))
	}
	lines = append(lines, "}")
	return strings.Join(names, " ") + " {\n    " + strings.Join(lines, "\n    ") + "\n}\n"
}
