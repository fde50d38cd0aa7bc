package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// KnotConfig describes a Knot DNS server. Zones are primary and empty at first; one key may transfer and
// update them.
type KnotConfig struct {
	Name  string // of the part, "knotd" when empty
	Zones []string
}

// Knot is a running Knot DNS server that can be killed and started again on the same data.
type Knot struct {
	*Part
	Addr string // host:port for UDP and TCP
	Key  TSIGKey

	stack *Stack
	name  string
	conf  string
	zones []string
}

// Knot starts a Knot DNS server and waits until it serves its zones.
func (s *Stack) Knot(ctx context.Context, cfg KnotConfig) (*Knot, error) {
	k := &Knot{stack: s, name: cfg.Name, zones: cfg.Zones, Key: defaultKey()}
	if k.name == "" {
		k.name = "knotd"
	}
	dir := filepath.Join(s.Dir, k.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	k.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	var b strings.Builder
	fmt.Fprintf(&b, `server:
  rundir: %[1]q
  listen: 127.0.0.1@%[2]d
log:
  - target: stdout
    any: info
database:
  storage: %[1]q
  journal-db-max-size: 1G
key:
  - id: %[3]s
    algorithm: %[4]s
    secret: %[5]s
acl:
  - id: webhook
    key: %[3]s
    action: [transfer, update]
template:
  - id: default
    storage: %[1]q
    file: "%%s.db"
    acl: webhook
zone:
`, dir, port, k.Key.Name, k.Key.Algorithm, k.Key.Secret)
	for _, zone := range k.zones {
		fmt.Fprintf(&b, "  - domain: %s\n", zone)
		if err := os.WriteFile(filepath.Join(dir, zone+".db"), []byte(emptyZone), 0o600); err != nil {
			return nil, err
		}
	}
	k.conf = filepath.Join(dir, "knot.conf")
	if err := os.WriteFile(k.conf, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	return k, k.Restart(ctx)
}

// Restart starts the server again on the data it had; it must have ended.
func (k *Knot) Restart(ctx context.Context) error {
	program, err := System("knotd", "knot")
	if err != nil {
		return err
	}
	k.Part, err = k.stack.Start(ctx, k.name, servesAll(k.Addr, k.zones), exec.Command(program, "-c", k.conf))
	return err
}

// Query asks the server for the records of one name and type, see Query.
func (k *Knot) Query(ctx context.Context, name, typ string) ([]string, error) {
	return Query(ctx, k.Addr, name, typ)
}
