package stack

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// KnotServer is a Knot DNS server without zones of its own, with a control socket.
type KnotServer struct {
	*Part
	Addr   string // host:port for UDP and TCP
	Key    TSIGKey
	Socket string // of its control
	Dir    string

	stack *Stack
	name  string
}

const followerName = "knot-follower"

// KnotServer starts a Knot DNS server whose configuration is a database, as it has to be for zones that are
// added to outlast a restart.
func (s *Stack) KnotServer(ctx context.Context, name string) (*KnotServer, error) {
	return s.knotServer(ctx, name, "")
}

// KnotFollower starts a Knot DNS server that follows a catalog zone, which it fetches, with the members, from
// the server at primary.
func (s *Stack) KnotFollower(ctx context.Context, catalog, primary string) (*KnotServer, error) {
	host, port, err := net.SplitHostPort(primary)
	if err != nil {
		return nil, err
	}
	return s.knotServer(ctx, followerName, fmt.Sprintf(`
remote:
  - id: primary
    address: %s@%s
    key: %s
acl:
  - id: told
    address: %s
    action: notify
template:
  - id: member
    storage: %q
    master: primary
    acl: told
zone:
  - domain: %s
    master: primary
    acl: told
    catalog-role: interpret
    catalog-template: member
`, host, port, defaultKey().Name, host, filepath.Join(s.Dir, followerName), catalog))
}

func (s *Stack) knotServer(ctx context.Context, name, more string) (*KnotServer, error) {
	k := &KnotServer{Key: defaultKey(), stack: s, name: name, Dir: filepath.Join(s.Dir, name)}
	k.Socket = filepath.Join(k.Dir, "knot.sock")
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	k.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	conf := fmt.Sprintf(`server:
  rundir: %[1]q
  listen: 127.0.0.1@%[2]d
log:
  - target: stdout
    any: info
database:
  storage: %[1]q
  journal-db-max-size: 100M
  kasp-db-max-size: 20M
  timer-db-max-size: 20M
  catalog-db-max-size: 20M
key:
  - id: %[3]s
    algorithm: %[4]s
    secret: %[5]s
template:
  - id: default
    storage: %[1]q
%[6]s`, k.Dir, port, k.Key.Name, k.Key.Algorithm, k.Key.Secret, more)
	text := filepath.Join(k.Dir, "knot.conf")
	if err := os.WriteFile(text, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	knotc, err := System("knotc", "knot")
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, knotc, "-C", k.database(), "conf-import", text).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("knotc conf-import: %w: %s", err, out)
	}
	return k, k.Restart(ctx)
}

func (k *KnotServer) database() string { return filepath.Join(k.Dir, "confdb") }

// Restart starts the server again on the data it had; it must have ended.
func (k *KnotServer) Restart(ctx context.Context) error {
	program, err := System("knotd", "knot")
	if err != nil {
		return err
	}
	// After a crash Knot takes the number in this file for its own while another process has it.
	_ = os.Remove(filepath.Join(k.Dir, "knot.pid"))
	ready := func(ctx context.Context) error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", k.Socket)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	k.Part, err = k.stack.Start(ctx, k.name, ready, exec.Command(program, "-C", k.database()))
	return err
}
