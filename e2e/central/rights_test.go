package central_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
)

// A cluster's user writes and reads its own keys and nobody else's; CoreDNS's reads all of them and writes none.
func TestUsersReachTheirOwnKeysOnly(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	c1 := c.client(c.landscape.ClusterRole("c1"), clusterPassword)
	reader := c.client(c.landscape.CoreDNSRole(), coreDNSPassword)
	put := func(client *clientv3.Client, key string) error {
		_, err := client.Put(t.Context(), key, `{"host":"192.0.2.1"}`)
		return err
	}
	get := func(client *clientv3.Client, key string, opts ...clientv3.OpOption) error {
		_, err := client.Get(t.Context(), key, opts...)
		return err
	}
	del := func(client *clientv3.Client, key string) error {
		_, err := client.Delete(t.Context(), key, clientv3.WithPrefix())
		return err
	}
	if changed, err := central.Apply(t.Context(), c1, c.landscape, c.passwords()); !errors.Is(err, rpctypes.ErrPermissionDenied) || len(changed) > 0 {
		t.Errorf("c1 applies the rights: %q, %v", changed, err)
	}
	_, grantErr := c1.UserGrantRole(t.Context(), c.landscape.ClusterRole("c1"), "root")
	for _, tt := range []struct {
		what    string
		err     error
		allowed bool
	}{
		{"c1 writes its own", put(c1, "/skydns/example/lab/c1/www/x"), true},
		{"c1 reads all of its own", get(c1, "/skydns/example/lab/c1/", clientv3.WithPrefix()), true},
		{"c1 writes c2's", put(c1, "/skydns/example/lab/c2/www/x"), false},
		{"c1 writes c10's", put(c1, "/skydns/example/lab/eu/c10/www/x"), false},
		{"c1 writes the key that is its zone's path", put(c1, "/skydns/example/lab/c1"), false},
		{"c1 writes what only begins like its path", put(c1, "/skydns/example/lab/c11/x"), false},
		{"c1 writes the base domain's", put(c1, "/skydns/example/lab/dns/ns/ns1"), false},
		{"c1 reads the landscape", get(c1, "/skydns/", clientv3.WithPrefix()), false},
		{"c1 deletes the landscape", del(c1, "/skydns/"), false},
		{"c1 gives itself rights", grantErr, false},
		{"CoreDNS reads the landscape", get(reader, "/skydns/", clientv3.WithPrefix()), true},
		{"CoreDNS reads the key that is a zone's path", get(reader, "/skydns/example"), true},
		{"CoreDNS reads beside the landscape", get(reader, "/other/", clientv3.WithPrefix()), false},
		{"CoreDNS writes", put(reader, "/skydns/example/lab/c1/www/x"), false},
		{"CoreDNS deletes", del(reader, "/skydns/example/lab/c1/www/x"), false},
	} {
		if denied := errors.Is(tt.err, rpctypes.ErrPermissionDenied); tt.allowed && tt.err != nil || !tt.allowed && !denied {
			t.Errorf("%s: %v, want allowed: %t", tt.what, tt.err, tt.allowed)
		}
	}
}

// Applied again nothing changes; what others changed is put right; a password that changed works at once; and
// a cluster that is gone cannot get in, while others who work meanwhile go on.
func TestRightsConverge(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	if rights, keys := c.apply(); len(rights)+len(keys) > 0 {
		t.Errorf("the second time it changed %q and %q", rights, keys)
	}
	ctx, role := t.Context(), c.landscape.ClusterRole("c1")
	working := c.backend(t, "c2")
	www := backend.RRset{Key: backend.Key{Name: "www.c2." + base, Type: "A"}, TTL: 60e9, Values: []string{"192.0.2.2"}}
	c.must(working.Apply(ctx, "c2."+base, []backend.Change{{New: &www}}))

	read := clientv3.PermissionType(clientv3.PermReadWrite)
	_, err := c.root.RoleGrantPermission(ctx, role, "/skydns/", "/skydns0", read)
	c.must(err)
	_, err = c.root.RoleRevokePermission(ctx, role, "/skydns/example/lab/c1/", "/skydns/example/lab/c10")
	c.must(err)
	_, err = c.root.UserGrantRole(ctx, role, "root")
	c.must(err)
	_, err = c.root.UserChangePassword(ctx, role, "stolen")
	c.must(err)
	c.put("/skydns/example/lab/$", "{}")
	c.put("/skydns/example/lab/dns/ns/ns7", `{"host":"192.0.2.7"}`)
	rights, keys := c.apply()
	for _, want := range []string{
		"revoked /skydns/ from role " + role, "granted /skydns/example/lab/c1/ to role " + role,
		"changed the password of user " + role, "revoked role root from user " + role,
	} {
		if !slices.Contains(rights, want) {
			t.Errorf("it did not say %q, but %q", want, rights)
		}
	}
	if want := []string{"/skydns/example/lab/$", "/skydns/example/lab/dns/ns/ns7"}; !slices.Equal(keys, want) {
		t.Errorf("it wrote %q, want %q", keys, want)
	}
	first := c.backend(t, "c1")
	own := backend.RRset{Key: backend.Key{Name: "www.c1." + base, Type: "A"}, TTL: 60e9, Values: []string{"192.0.2.1"}}
	c.must(first.Apply(ctx, "c1."+base, []backend.Change{{New: &own}}))

	c.landscape.Clusters = c.landscape.Clusters[1:]
	rights, _ = c.apply()
	if want := []string{"deleted user " + role, "deleted role " + role}; !slices.Equal(rights, want) {
		t.Errorf("without c1 it changed %q, want %q", rights, want)
	}
	if err := first.Apply(ctx, "c1."+base, []backend.Change{{Old: &own}}); backend.KindOf(err) != backend.Denied {
		t.Errorf("a webhook of the removed cluster: %v, want to be denied", err)
	}
	c.must(stack.Eventually(ctx, soon, func(ctx context.Context) error {
		_, err := working.List(ctx, "c2."+base)
		return err
	}))
	c.must(working.Apply(ctx, "c2."+base, []backend.Change{{Old: &www}}))
}

// A new etcd becomes one with authentication, and is left as it is the second time; users without a password
// get in with a certificate of their name.
func TestNewEtcd(t *testing.T) {
	t.Parallel()
	s := stack.ForTest(t)
	e, err := s.Etcd(t.Context(), stack.EtcdConfig{TLS: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := e.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l := central.Landscape{Path: "/skydns", Zones: []string{base}, Clusters: []central.Cluster{{Name: "c1"}}}
	passwords := map[string]string{l.ClusterRole("c1"): clusterPassword}
	for range 2 {
		if _, err := central.Apply(t.Context(), client, l, passwords); err != nil {
			t.Fatal(err)
		}
	}
	if off, err := central.Enable(t.Context(), client, rootPassword); err != nil || !off {
		t.Fatalf("turn authentication on: %t, %v", off, err)
	}
	root, err := e.ClientAs("root", rootPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if off, err := central.Enable(t.Context(), root, rootPassword); err != nil || off {
		t.Fatalf("turn authentication on again: %t, %v", off, err)
	}
	if changed, err := central.Apply(t.Context(), root, l, passwords); err != nil || len(changed) > 0 {
		t.Fatalf("the users once more: %q, %v", changed, err)
	}
	if _, err := e.ClientAs(l.CoreDNSRole(), "guess"); err == nil || !strings.Contains(err.Error(), "authentication failed") {
		t.Errorf("a user without a password logs in with one: %v", err)
	}
}
