package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

// source is a DNS server that lets a zone be transferred.
type source struct {
	Server   string `placeholder:"ADDRESS" help:"DNS server that has the zone and lets it be transferred, with or without a port."`
	TSIGFile string `name:"tsig-file" placeholder:"FILE" help:"File with the key that signs the transfer, as tsig-keygen prints it."`
}

// transfer reads a zone.
func (s source) transfer(ctx context.Context, zone string) ([]backend.RRset, error) {
	cfg := rfc2136.Config{Servers: []string{withPort(s.Server)}}
	if s.TSIGFile != "" {
		text, err := os.ReadFile(s.TSIGFile)
		if err != nil {
			return nil, fmt.Errorf("--tsig-file: %w", err)
		}
		key, err := keyfile.Parse(map[string][]byte{"key": text})
		if err != nil {
			return nil, setting.Under("--tsig-file: "+s.TSIGFile, err)
		}
		cfg.TSIG = rfc2136.TSIG{Name: key.Name, Algorithm: key.Algorithm, Secret: key.Secret}
	}
	server, err := rfc2136.NewZones(cfg)
	if err != nil {
		return nil, setting.Under("--server", err)
	}
	defer server.Close()
	sets, _, err := server.Transfer(ctx, zone)
	return sets, err
}

// withPort is an address with the port of DNS where it has none.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	if ip := net.ParseIP(address); ip != nil {
		return net.JoinHostPort(ip.String(), "53")
	}
	return address + ":53"
}
