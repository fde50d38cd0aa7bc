package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// BINDConfig describes a BIND server whose zones come and go by its control channel.
type BINDConfig struct {
	Name       string    // of the part, "bind" when empty
	Keys       []TSIGKey // for updates and transfers; one hmac-sha256 key when empty
	ControlKey TSIGKey   // of the control channel; the first of Keys when empty
	Options    string    // further statements of the options block, which win over those there are
	Statements string    // further statements of the file: zones of its own
	Views      []string  // each with the Statements in it; none: no views
}

// BIND is a running BIND server without zones, that can be killed and started again on the same data.
type BIND struct {
	*Part
	Addr       string // host:port for UDP and TCP
	Control    string // host:port of the control channel
	Key        TSIGKey
	ControlKey TSIGKey
	Dir        string // where its files are

	stack *Stack
	name  string
}

// BIND starts the server and waits until its control channel takes connections.
func (s *Stack) BIND(ctx context.Context, cfg BINDConfig) (*BIND, error) {
	b := &BIND{stack: s, name: cfg.Name, ControlKey: cfg.ControlKey}
	if b.name == "" {
		b.name = "bind"
	}
	if len(cfg.Keys) == 0 {
		cfg.Keys = []TSIGKey{defaultKey()}
	}
	b.Key = cfg.Keys[0]
	if b.ControlKey == (TSIGKey{}) {
		b.ControlKey = b.Key
	}
	b.Dir = filepath.Join(s.Dir, b.name)
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	control, err := FreePort()
	if err != nil {
		return nil, err
	}
	b.Addr, b.Control = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", control)
	if err := b.Configure(cfg); err != nil {
		return nil, err
	}
	return b, b.Restart(ctx)
}

// Configure writes the configuration again, for the next start or `rndc reconfig`. Addresses and keys stay.
//
// More SOA questions a second than BIND's 20 are allowed: each new zone begins with one.
func (b *BIND) Configure(cfg BINDConfig) error {
	var conf strings.Builder
	keys := append([]TSIGKey{b.Key}, cfg.Keys...)
	if b.ControlKey.Name != b.Key.Name {
		keys = append(keys, b.ControlKey)
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if !seen[k.Name] {
			fmt.Fprintf(&conf, "key %q { algorithm %s; secret %q; };\n", k.Name, k.Algorithm, k.Secret)
		}
		seen[k.Name] = true
	}
	_, port, _ := net.SplitHostPort(b.Addr)
	_, control, _ := net.SplitHostPort(b.Control)
	for _, unless := range []string{"allow-new-zones yes;", "empty-zones-enable no;", "recursion no;"} {
		if word, _, _ := strings.Cut(unless, " "); !strings.Contains(cfg.Options, word) {
			cfg.Options += " " + unless
		}
	}
	fmt.Fprintf(&conf, `options {
	directory %[1]q; pid-file "named.pid"; session-keyfile "session.key"; lock-file none;
	listen-on port %[2]s { 127.0.0.1; }; listen-on-v6 { none; };
	dnssec-validation no; notify no;
	tcp-clients 1000; transfers-out 100; transfers-in 100; transfers-per-ns 100; serial-query-rate 1000;
	%[3]s
};
controls { inet 127.0.0.1 port %[4]s allow { 127.0.0.1; } keys { %[5]q; }; };
`, b.Dir, port, cfg.Options, control, b.ControlKey.Name)
	if len(cfg.Views) == 0 {
		conf.WriteString(cfg.Statements)
	}
	for i, v := range cfg.Views {
		match := "any;"
		if i < len(cfg.Views)-1 {
			match = fmt.Sprintf("127.0.0.%d;", i+2)
		}
		fmt.Fprintf(&conf, "view %q { match-clients { %s }; %s };\n", v, match, cfg.Statements)
	}
	return os.WriteFile(filepath.Join(b.Dir, "named.conf"), []byte(conf.String()), 0o600)
}

// Restart starts the server again on the data it had; it must have ended.
func (b *BIND) Restart(ctx context.Context) error {
	program, err := System("named", "bind9")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-g", "-n", "2", "-c", filepath.Join(b.Dir, "named.conf"))
	b.Part, err = b.stack.Start(ctx, b.name, b.listens, cmd)
	return err
}

func (b *BIND) listens(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", b.Control)
	return errors.Join(err, closed(conn))
}

func closed(c net.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// Files are the names of the zone files and journals that begin with a prefix.
func (b *BIND) Files(prefix string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(b.Dir, prefix+"*"))
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths, err
}

// Query asks the server for the records of one name and type, see Query.
func (b *BIND) Query(ctx context.Context, name, typ string) ([]string, error) {
	return Query(ctx, b.Addr, name, typ)
}
