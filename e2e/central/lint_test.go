package central_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/corednsconfig/etcdclient"
	"github.com/spokedns/spokedns/corednsconfig/etcdlint"
	"github.com/spokedns/spokedns/e2e/stack"
)

// What the linter says CoreDNS does with a key, CoreDNS does: each zone here has one fault, which is found, and
// is asked for what it spoils. The answers are those of the bare etcd plugin.
func TestCoreDNSDoesWhatFindingsSay(t *testing.T) {
	t.Parallel()
	s := stack.ForTest(t)
	e, err := s.Etcd(t.Context(), stack.EtcdConfig{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := e.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	lease, err := client.Grant(t.Context(), 3600)
	if err != nil {
		t.Fatal(err)
	}
	www := map[string]string{"www/1": `{"host":"192.0.2.1","ttl":60,"targetstrip":1,"group":"www"}`}
	for _, tt := range []struct {
		code  etcdlint.Code
		keys  map[string]string // below the zone's path
		lease bool
		asks  map[string]string // "name type" → answer, {} being the zone
	}{
		{
			code: etcdlint.Malformed, keys: map[string]string{"a/b/1": `{"host":"192.0.2.9","port":"443"}`},
			asks: map[string]string{"b.a.{} A": "SERVFAIL", "a.{} A": "SERVFAIL", "{} TXT": "SERVFAIL", "www.{} A": "www.{} A 192.0.2.1"},
		},
		{code: etcdlint.UpperCase, keys: map[string]string{"Shop/1": `{"host":"192.0.2.9","ttl":60}`}, asks: map[string]string{"shop.{} A": "NXDOMAIN", "Shop.{} A": "NXDOMAIN"}},
		{
			code: etcdlint.Wildcard, keys: map[string]string{"apps/*": `{"host":"192.0.2.9","ttl":60}`},
			asks: map[string]string{"foo.apps.{} A": "NXDOMAIN", "any.{} A": "any.{} A 192.0.2.1 | any.{} A 192.0.2.9"},
		},
		{code: etcdlint.NoName, keys: map[string]string{"/x": `{"host":"192.0.2.9","ttl":60}`}, asks: map[string]string{"x.{} A": "NXDOMAIN"}},
		{
			code: etcdlint.Hidden, keys: map[string]string{"x": `{"host":"192.0.2.8","ttl":60}`, "x/y": `{"host":"192.0.2.9","ttl":60,"group":"y"}`},
			asks: map[string]string{"x.{} A": "x.{} A 192.0.2.9", "y.x.{} A": "y.x.{} A 192.0.2.9"},
		},
		{
			code: etcdlint.NameServer, keys: map[string]string{"dns/ns/2": `{"host":"ns.example.net","ttl":60,"group":"x"}`},
			asks: map[string]string{"{} NS": "SERVFAIL"},
		},
		{code: etcdlint.Host, keys: map[string]string{"x/1": `{"host":"192.0.2.9:443","ttl":60}`}, asks: map[string]string{"x.{} A": "x.{} CNAME 192.0.2.9:443"}},
		{
			code: etcdlint.HostAndText, keys: map[string]string{"x/1": `{"host":"192.0.2.9","text":"note","ttl":60}`},
			asks: map[string]string{"x.{} TXT": "NODATA", "x.{} A": "x.{} A 192.0.2.9"},
		},
		{
			code: etcdlint.NoApex, keys: map[string]string{"x/1": `{"host":"192.0.2.9","ttl":60,"targetstrip":1}`},
			asks: map[string]string{"{} A": "{} A 192.0.2.1 | {} A 192.0.2.9"},
		},
		{
			code: etcdlint.SlowApex, keys: map[string]string{"$": `{"host":"{}","port":-1,"priority":-1,"targetstrip":1,"group":"{}"}`},
			asks: map[string]string{"{} A": "NODATA"},
		},
		{
			code: etcdlint.Below, keys: map[string]string{"x/1": `{"host":"192.0.2.8","ttl":60,"targetstrip":1}`, "x/y/1": `{"host":"192.0.2.9","ttl":60,"targetstrip":1}`},
			asks: map[string]string{"x.{} A": "x.{} A 192.0.2.8 | x.{} A 192.0.2.9"},
		},
		{
			code: etcdlint.AliasBeside, keys: map[string]string{"x/1": `{"host":"www.{}","ttl":60,"targetstrip":1}`, "x/2": `{"host":"192.0.2.9","ttl":60,"targetstrip":1}`},
			asks: map[string]string{"x.{} A": "www.{} A 192.0.2.1 | x.{} A 192.0.2.9 | x.{} CNAME www.{}"},
		},
		{code: etcdlint.Leased, lease: true, keys: map[string]string{"x/1": `{"host":"192.0.2.9","ttl":86400}`}, asks: map[string]string{"x.{} A": "x.{} A 192.0.2.9", "x.{} TTL": "at most 1h0m0s"}},
		{code: etcdlint.NoNameServer, keys: www, asks: map[string]string{"{} NS": "NXDOMAIN"}},
		{code: etcdlint.Empty, keys: map[string]string{"x/1": `{ }`}, asks: map[string]string{"x.{} A": "NODATA"}},
		{code: etcdlint.NoTTL, keys: map[string]string{"x/1": `{"host":"192.0.2.9"}`}, asks: map[string]string{"x.{} TTL": "at least 5m0s"}},
		{
			code: etcdlint.Pointer, keys: map[string]string{"1/0badcafe": `{"host":"www.example.org","ttl":60}`, "2": `{"host":"www.example.org","ttl":60}`},
			asks: map[string]string{"1.{} PTR": "NXDOMAIN", "2.{} PTR": "2.{} PTR www.example.org"},
		},
		{code: etcdlint.Outside, keys: nil, asks: map[string]string{"x.elsewhere.example A": "REFUSED"}},
	} {
		t.Run(string(tt.code), func(t *testing.T) {
			zone := "z-" + strings.ToLower(string(tt.code)) + ".example"
			if tt.code == etcdlint.Pointer {
				zone = "2.0.192.in-addr.arpa"
			}
			labels := strings.Split(zone, ".")
			slices.Reverse(labels)
			dir := "/skydns/" + strings.Join(labels, "/") + "/"
			put := func(key, value string, opts ...clientv3.OpOption) {
				if _, err := client.Put(t.Context(), key, strings.ReplaceAll(value, "{}", zone), opts...); err != nil {
					t.Fatal(err)
				}
			}
			for key, value := range www {
				put(dir+key, value)
			}
			for key, value := range tt.keys {
				var opts []clientv3.OpOption
				if tt.lease {
					opts = append(opts, clientv3.WithLease(lease.ID))
				}
				put(dir+key, value, opts...)
			}
			path := "/skydns"
			if tt.code == etcdlint.Outside {
				put("/skydns/example/elsewhere/x/1", `{"host":"192.0.2.9","ttl":60}`)
			}
			all, _, err := etcdlint.Read(t.Context(), client, path)
			if err != nil {
				t.Fatal(err)
			}
			zones := []string{zone}
			if !slices.ContainsFunc(etcdlint.Lint(etcdlint.Layout{Path: path, Zones: zones}, all), func(f etcdlint.Finding) bool {
				return f.Code == tt.code && (strings.HasPrefix(f.Key, dir) || tt.code == etcdlint.Outside)
			}) {
				t.Errorf("%s is not found", tt.code)
			}
			d, err := stack.ForTest(t).CoreDNS(t.Context(), stack.CoreDNSConfig{Zones: zones, Etcd: e})
			if err != nil {
				t.Fatal(err)
			}
			c := &center{T: t, addr: d.Addr}
			for ask, want := range tt.asks {
				name, typ, _ := strings.Cut(strings.ReplaceAll(ask, "{}", zone), " ")
				want = strings.ReplaceAll(want, "{}", zone)
				if typ == "TTL" {
					c.requireTTL(name, want)
				} else if got := answer(c.ask(name, typ)); got != want {
					t.Errorf("%s is answered %s, want %s", strings.ReplaceAll(ask, "{}", zone), got, want)
				}
			}
		})
	}
}

// requireTTL compares the TTL of the name's address with "at most …" or "at least …".
func (c *center) requireTTL(name, want string) {
	c.Helper()
	ttl, err := stack.QueryTTL(c.Context(), c.addr, name, "A")
	c.must(err)
	bound, err := time.ParseDuration(want[strings.LastIndexByte(want, ' ')+1:])
	c.must(err)
	if strings.HasPrefix(want, "at most") && ttl > bound || strings.HasPrefix(want, "at least") && ttl < bound {
		c.Errorf("the TTL of %s is %s, want %s", name, ttl, want)
	}
}

// The command reads as CoreDNS's user, in pages; a landscape as we write it is clean but for what is not there.
func TestLintCommand(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	options := c.lintOptions()
	c.lintClean()
	var out bytes.Buffer

	// More than two pages, two of them wrong.
	for batch := range 250 {
		var ops []clientv3.Op
		for i := range 100 {
			ops = append(ops, clientv3.OpPut(strings.Join([]string{"/skydns/example/lab/c1/h" + string(rune('a'+batch%26)), string(rune('a' + batch/26)), "n" + string(rune('a'+i/26)), string(rune('a' + i%26)), "1"}, "/"), `{"host":"192.0.2.1","ttl":60,"group":"x"}`))
		}
		_, err := c.root.Txn(t.Context()).Then(ops...).Commit()
		c.must(err)
	}
	c.put("/skydns/example/lab/c1/bad/1", `{"ttl":"60"}`)
	c.put("/skydns/example/lab/c2/Bad/1", `{"host":"192.0.2.1","ttl":60}`)
	start := time.Now()
	err := etcdlint.Run(t.Context(), options, &out)
	t.Logf("25,000 keys read and judged in %s", time.Since(start).Round(time.Millisecond))
	var found *etcdlint.Found
	if !errors.As(err, &found) || found.Findings != 2 || etcdlint.ExitCode(err) != 1 || !strings.Contains(out.String(), "2 errors, 0 warnings, 0 notes") {
		t.Errorf("%v:\n%s", err, &out)
	}
	out.Reset()
	options.Output = "json"
	err = etcdlint.Run(t.Context(), options, &out)
	var report etcdlint.Report
	if jsonErr := json.Unmarshal(out.Bytes(), &report); jsonErr != nil || err == nil || len(report.Findings) != 2 || report.Keys < 25_000 || report.Findings[0].Severity != etcdlint.Error {
		t.Errorf("%v, %v:\n%s", err, jsonErr, &out)
	}
}

// lintOptions are the command's, for CoreDNS's user.
func (c *center) lintOptions() etcdlint.Options {
	c.Helper()
	password := filepath.Join(c.TempDir(), "password")
	c.must(os.WriteFile(password, []byte(coreDNSPassword+"\n"), 0o600))
	o := etcdlint.Options{Zones: slices.Clone(c.landscape.Zones), Fail: "note", Options: etcdclient.Options{
		Endpoints: []string{c.etcd.Endpoint}, Username: c.landscape.CoreDNSRole(), PasswordFile: password,
		CAFile: c.etcd.CAFile, CertFile: c.etcd.CertFile, KeyFile: c.etcd.KeyFile,
	}}
	for _, cluster := range c.landscape.Clusters {
		o.Zones = append(o.Zones, c.landscape.ZonesOf(cluster)...)
	}
	return o
}

// lintClean checks that the command finds nothing.
func (c *center) lintClean() {
	c.Helper()
	var out bytes.Buffer
	if err := etcdlint.Run(c.Context(), c.lintOptions(), &out); err != nil {
		c.Errorf("%v:\n%s", err, &out)
	}
}
