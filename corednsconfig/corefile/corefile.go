// Package corefile owns the text of a Corefile: where its server blocks are, byte for byte, and how a block of
// ours is put in, changed and taken out without another byte moving.
package corefile

import (
	_ "github.com/coredns/caddy/caddyfile"
	_ "github.com/coredns/corefile-migration/migration"
)
