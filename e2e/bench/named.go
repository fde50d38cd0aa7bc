package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The key that every zone of the benchmark is written and read with.
const (
	tsigName   = "bench-key"
	tsigSecret = "c3Bva2VkbnMtYmVuY2htYXJrLWtleS0zMi1ieXRlcyE="
)

// zoneFile is a zone of a named and how many hosts it holds at first.
type zoneFile struct {
	name  string
	hosts int
}

// named starts a BIND with the zones, and returns its address. With slowSync every fsync of it takes that
// long and does nothing else: a simulation of a disk, not one.
func (b *bench) named(ctx context.Context, name string, slowSync time.Duration, zones ...zoneFile) (string, error) {
	program, err := stack.System("named", "bind9")
	if err != nil {
		return "", err
	}
	port, err := stack.FreePort()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.stack.Dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, `options { directory %q; pid-file "named.pid"; session-keyfile "session.key";
  listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no;
  notify no; tcp-clients 1000; transfers-out 100; };
key %q { algorithm hmac-sha256; secret %q; };
`, dir, port, tsigName, tsigSecret)
	for _, z := range zones {
		if err := z.write(filepath.Join(dir, z.name+".db")); err != nil {
			return "", err
		}
		fmt.Fprintf(&conf, "zone %q { type primary; file %q; allow-update { key %q; }; allow-transfer { key %q; }; };\n",
			z.name, z.name+".db", tsigName, tsigName)
	}
	file := filepath.Join(dir, "named.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command(program, "-g", "-c", file, "-n", "2")
	if slowSync > 0 {
		shim, err := slowSyncShim(ctx, dir, slowSync)
		if err != nil {
			return "", err
		}
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+shim)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	ready := func(ctx context.Context) error {
		for _, z := range zones {
			if _, err := stack.QueryTTL(ctx, addr, z.name, "SOA"); err != nil {
				return err
			}
		}
		return nil
	}
	_, err = b.stack.Start(ctx, name, ready, cmd)
	return addr, err
}

func (z zoneFile) write(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "$ORIGIN %s.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n", z.name)
	for _, e := range hosts(z.name, z.hosts, 0) {
		fmt.Fprintf(w, "%s. %s %s\n", e.DNSName, e.RecordType, e.Targets[0])
	}
	return errors.Join(w.Flush(), f.Close())
}

var errNoCompiler = errors.New("gcc is missing")

// slowSyncShim compiles a library that replaces fsync and fdatasync by a sleep.
func slowSyncShim(ctx context.Context, dir string, nap time.Duration) (string, error) {
	compiler, err := stack.System("gcc", "gcc")
	if err != nil {
		return "", errNoCompiler
	}
	source, shim := filepath.Join(dir, "slowsync.c"), filepath.Join(dir, "slowsync.so")
	code := fmt.Sprintf(`#include <time.h>
static int nap(void) { struct timespec t = {0, %d}; return nanosleep(&t, 0) * 0; }
int fsync(int fd) { (void)fd; return nap(); }
int fdatasync(int fd) { (void)fd; return nap(); }
`, nap.Nanoseconds())
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, compiler, "-shared", "-fPIC", "-O2", "-o", shim, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the slow fsync: %w: %s", err, out)
	}
	return shim, nil
}
