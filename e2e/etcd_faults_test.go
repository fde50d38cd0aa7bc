package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/clienttls"
)

const etcdZone = "example.org"

func startEtcd(t *testing.T, cfg stack.EtcdConfig) *stack.Etcd {
	t.Helper()
	e, err := stack.ForTest(t).Etcd(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A watch that was cut off while the changes it missed were compacted away ends; the zone is read anew.
func TestEtcdCompactedDuringTheWatch(t *testing.T) {
	e := startEtcd(t, stack.EtcdConfig{NoSync: true})
	between := startProxy(t, strings.TrimPrefix(e.Endpoint, "http://"))
	b := openEtcd(t, etcd.Config{Endpoints: []string{"http://" + between.addr}, Timeout: time.Second})
	direct := openEtcd(t, etcd.Config{Endpoints: []string{e.Endpoint}})
	first, second := recordSet("one."+etcdZone, "A", 60, "192.0.2.1"), recordSet("two."+etcdZone, "A", 60, "192.0.2.2")
	write(t, direct, backend.Change{New: &first})
	requireZone(t, b, etcdZone, first)

	between.mute.Store(true)
	between.hangUp()
	write(t, direct, backend.Change{Old: &first}, backend.Change{New: &second})
	client, err := e.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	resp, err := client.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), resp.Header.Revision); err != nil {
		t.Fatal(err)
	}
	requireUnreachable(t, b, "http://"+between.addr)
	between.mute.Store(false)
	eventually(t, func(ctx context.Context) error { _, err := b.List(ctx, etcdZone); return err })
	requireZone(t, b, etcdZone, second)
}

// An etcd that dies in the middle of an apply leaves whole units behind, and the next apply finishes.
func TestEtcdKilledDuringAnApply(t *testing.T) {
	e := startEtcd(t, stack.EtcdConfig{})
	b := openEtcd(t, etcd.Config{Endpoints: []string{e.Endpoint}, Timeout: time.Second})
	requireZone(t, b, etcdZone)
	changes, want := etcdHosts(5000)
	client, err := e.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	written := client.Watch(t.Context(), "/skydns/org/example/", clientv3.WithPrefix())
	failed := make(chan error, 1)
	go func() { failed <- b.Apply(t.Context(), etcdZone, changes) }()
	<-written // the first transaction is through
	e.Kill()
	err = <-failed
	if err == nil || backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), e.Endpoint) {
		t.Fatalf("apply while etcd dies: %.300v, want a temporary error naming %s", err, e.Endpoint)
	}
	requireUnreachable(t, b, e.Endpoint)
	if err := e.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left []backend.RRset
	eventually(t, func(ctx context.Context) (err error) { left, err = b.List(ctx, etcdZone); return err })
	if len(left)%2 != 0 || len(left) == 0 {
		t.Errorf("%d RRsets survived; want some, and each name with its ownership text", len(left))
	}
	if err := b.Apply(t.Context(), etcdZone, changes); err != nil {
		t.Fatalf("the same changes again: %.300v", err)
	}
	requireZone(t, b, etcdZone, want...)
}

// An etcd that comes back empty is noticed, though its revisions begin again.
func TestEtcdEmptied(t *testing.T) {
	s := stack.ForTest(t)
	e, err := s.Etcd(t.Context(), stack.EtcdConfig{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	b := openEtcd(t, etcd.Config{Endpoints: []string{e.Endpoint}, Timeout: time.Second})
	changes, want := etcdHosts(50)
	write(t, b, changes...)
	requireZone(t, b, etcdZone, want...)
	e.Kill()
	if err := os.RemoveAll(filepath.Join(s.Dir, "etcd", "data")); err != nil {
		t.Fatal(err)
	}
	if err := e.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error { _, err := b.List(ctx, etcdZone); return err })
	requireZone(t, b, etcdZone)
	write(t, b, changes...)
	requireZone(t, b, etcdZone, want...)
}

func TestEtcdUsers(t *testing.T) {
	e := startEtcd(t, stack.EtcdConfig{NoSync: true, RootPassword: "root-secret"})
	if err := e.AddUser(t.Context(), "spokedns", "right", "/skydns/org/example/"); err != nil {
		t.Fatal(err)
	}
	set := recordSet("www."+etcdZone, "A", 60, "192.0.2.1")
	file := filepath.Join(t.TempDir(), "password")
	writeFile(t, file, "wrong\n")
	denied := func(t *testing.T, cfg etcd.Config, zone string, mentions ...string) {
		t.Helper()
		cfg.Endpoints = []string{e.Endpoint}
		b := openEtcd(t, cfg)
		_, listErr := b.List(t.Context(), zone)
		beside := recordSet("www."+zone, "A", 60, "192.0.2.1")
		applyErr := b.Apply(t.Context(), zone, []backend.Change{{New: &beside}})
		for _, err := range []error{listErr, applyErr} {
			if err == nil || backend.KindOf(err) != backend.Denied {
				t.Errorf("want denied, got: %v", err)
			}
			for _, m := range mentions {
				if err != nil && !strings.Contains(err.Error(), m) {
					t.Errorf("want a mention of %q in: %v", m, err)
				}
			}
		}
	}
	denied(t, etcd.Config{Username: "spokedns", Password: "wrong"}, etcdZone, `"spokedns"`, e.Endpoint, etcdZone)
	denied(t, etcd.Config{Username: "nobody", Password: "wrong"}, etcdZone, `"nobody"`)
	denied(t, etcd.Config{}, etcdZone, "username")
	denied(t, etcd.Config{Username: "spokedns", Password: "right"}, "example.net", `"spokedns"`, "example.net")

	// A role on the zone's own prefix is enough for everything, and a corrected password file heals.
	b := openEtcd(t, etcd.Config{Endpoints: []string{e.Endpoint}, Username: "spokedns", PasswordFile: file})
	if _, err := b.List(t.Context(), etcdZone); backend.KindOf(err) != backend.Denied {
		t.Errorf("list with the wrong password: %v, want denied", err)
	}
	writeFile(t, file, "right\n")
	requireZone(t, b, etcdZone)
	deep := recordSet("a.b."+etcdZone, "A", 60, "192.0.2.2")
	apex := recordSet(etcdZone, "A", 60, "192.0.2.3")
	write(t, b, backend.Change{New: &set}, backend.Change{New: &deep}, backend.Change{New: &apex})
	requireZone(t, b, etcdZone, set, deep, apex)
	write(t, b, backend.Change{Old: &set}, backend.Change{Old: &deep}, backend.Change{Old: &apex})
	requireZone(t, b, etcdZone)
}

func TestEtcdOverTLS(t *testing.T) {
	s := stack.ForTest(t)
	e, err := s.Etcd(t.Context(), stack.EtcdConfig{NoSync: true, TLS: true, RootPassword: "root-secret"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.CoreDNS(t.Context(), stack.CoreDNSConfig{Zones: []string{etcdZone}, Etcd: e, User: "root", Password: "root-secret"})
	if err != nil {
		t.Fatal(err)
	}
	right := clienttls.Files{CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile}
	cfg := func(tls clienttls.Files) etcd.Config {
		return etcd.Config{Endpoints: []string{e.Endpoint}, Username: "root", Password: "root-secret", TLS: tls, Timeout: 2 * time.Second}
	}
	b := openEtcd(t, cfg(right))
	set := recordSet("www."+etcdZone, "A", 60, "192.0.2.1")
	write(t, b, backend.Change{New: &set})
	requireZone(t, b, etcdZone, set)
	etcdLab{etcd: e, coredns: c}.verify(t, etcdZone, []backend.RRset{set})
	other := right
	other.ServerName = "etcd.internal"
	requireZone(t, openEtcd(t, cfg(other)), etcdZone, set)
	wrong := right
	wrong.ServerName = "somebody.else"
	unknown := clienttls.Files{CertFile: e.CertFile, KeyFile: e.KeyFile}
	for mention, tls := range map[string]clienttls.Files{"somebody.else": wrong, "unknown authority": unknown, "no answer": {CAFile: e.CAFile}} {
		_, err := openEtcd(t, cfg(tls)).List(t.Context(), etcdZone)
		if err == nil || backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), e.Endpoint) || !strings.Contains(err.Error(), mention) {
			t.Errorf("%v, want a temporary error naming %s and %q", err, e.Endpoint, mention)
		}
	}
}

// A full database refuses writes; the error says what to do, and reading goes on.
func TestEtcdFull(t *testing.T) {
	e := startEtcd(t, stack.EtcdConfig{NoSync: true, QuotaBytes: 1 << 20})
	b := openEtcd(t, etcd.Config{Endpoints: []string{e.Endpoint}})
	full := errors.New("never full")
	for i := range 100 {
		set := recordSet(fmt.Sprintf("text-%d.%s", i, etcdZone), "TXT", 60, strings.Repeat("x", 50_000))
		if full = b.Apply(t.Context(), etcdZone, []backend.Change{{New: &set}}); full != nil {
			break
		}
	}
	if full == nil || backend.KindOf(full) != backend.Temporary || !strings.Contains(full.Error(), "compact") {
		t.Errorf("apply to a full etcd: %v, want a temporary error with a remedy", full)
	}
	if sets, err := b.List(t.Context(), etcdZone); err != nil || len(sets) == 0 {
		t.Errorf("list of a full etcd: %d RRsets, %v", len(sets), err)
	}
}

func etcdHosts(n int) (changes []backend.Change, sets []backend.RRset) {
	for i := range n {
		name := fmt.Sprintf("host-%d.%s", i, etcdZone)
		a := recordSet(name, "A", 60, fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
		text := recordSet("a-"+name, "TXT", 60, "heritage=external-dns,external-dns/owner=hub")
		changes = append(changes, backend.Change{New: &a, Unit: name}, backend.Change{New: &text, Unit: name})
		sets = append(sets, a, text)
	}
	return changes, sets
}

func requireUnreachable(t *testing.T, b backend.Backend, endpoint string) {
	t.Helper()
	sets, err := b.List(t.Context(), etcdZone)
	if err == nil || sets != nil || backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), endpoint) {
		t.Errorf("list without etcd: %d RRsets and %v, want a temporary error naming %s", len(sets), err, endpoint)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, b backend.Backend, changes ...backend.Change) {
	t.Helper()
	if err := b.Apply(t.Context(), etcdZone, changes); err != nil {
		t.Fatal(err)
	}
}
