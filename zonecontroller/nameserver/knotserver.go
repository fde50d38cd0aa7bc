package nameserver

import (
	"context"

	"github.com/spokedns/spokedns/zonecontroller/nameserver/knot"
)

type knotd struct {
	s    *Server
	tool *knot.Tool
}

func (k *knotd) ensure(ctx context.Context, z ZoneConfig, content Content) (bool, error) {
	return false, nil
}
func (k *knotd) remove(ctx context.Context, zone string) error   { return nil }
func (k *knotd) status(ctx context.Context) (string, int, error) { return "", 0, nil }
