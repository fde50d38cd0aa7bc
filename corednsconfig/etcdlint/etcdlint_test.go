package etcdlint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/etcdlint"
)

var layout = etcdlint.Layout{Path: "/skydns", Zones: []string{"example.org", "sub.example.org", "2.0.192.in-addr.arpa"}}

// clean are the keys of a zone as the webhook and the central DNS write them.
func clean() []etcdlint.Key {
	const dir = "/skydns/org/example"
	return keys(
		dir+"/$", `{"host":"example.org","port":-1,"priority":-1,"targetstrip":1,"group":"example.org"}`,
		dir+"/dns/$", `{"host":"dns.example.org","port":-1,"priority":-1,"targetstrip":1,"group":"dns.example.org"}`,
		dir+"/dns/apex/$", `{"host":"example.org","port":-1,"priority":-1,"targetstrip":3,"group":"example.org"}`,
		dir+"/dns/ns/ns1", `{"host":"192.0.2.53","ttl":300,"group":"ns.dns.example.org"}`,
		dir+"/www/$a-0123456789", `{"host":"192.0.2.1","port":-1,"priority":-1,"ttl":60,"targetstrip":1,"group":"www.example.org"}`,
		dir+"/www/_owner-a/$txt-0123456789", `{"text":"heritage=external-dns","ttl":60,"targetstrip":1,"group":"_owner-a.www.example.org"}`,
		dir+"/www/$", `{"host":"www.example.org","port":-1,"priority":-1,"targetstrip":1,"group":"www.example.org"}`,
		dir+"/apps/_wildcard/$a-0123456789", `{"host":"192.0.2.1","port":-1,"priority":-1,"ttl":60,"targetstrip":1,"group":"_wildcard.apps.example.org"}`,
		dir+"/mail/$mx-0123456789", `{"host":"$mx.mx.example.org","port":-1,"priority":65536,"mail":true,"ttl":60,"targetstrip":1,"group":"mail.example.org"}`,
		dir+"/_sip/$srv-0123456789", `{"host":".","port":443,"priority":1,"weight":65536,"ttl":60,"group":"_sip.example.org"}`,
		dir+"/_sip/$fill-0123456789", `{"host":"_sip.example.org","port":-1,"priority":1,"weight":-7,"ttl":60,"targetstrip":1,"group":"_sip.example.org"}`,
		"/skydns/arpa/in-addr/192/0/2/$", `{"host":"2.0.192.in-addr.arpa","port":-1,"priority":-1,"targetstrip":1,"group":"2.0.192.in-addr.arpa"}`,
		"/skydns/arpa/in-addr/192/0/2/dns/apex/$", `{"host":"2.0.192.in-addr.arpa","port":-1,"priority":-1,"targetstrip":3,"group":"2.0.192.in-addr.arpa"}`,
		"/skydns/arpa/in-addr/192/0/2/dns/ns/ns1", `{"host":"192.0.2.53","ttl":300,"group":"ns.dns.2.0.192.in-addr.arpa"}`,
		"/skydns/arpa/in-addr/192/0/2/1", `{"host":"www.example.org","ttl":60}`,
		"/skydns/arpa/in-addr/192/0/2/1/_owner/$txt-0123456789", `{"text":"heritage=external-dns","ttl":60,"targetstrip":1,"group":"_owner.1.2.0.192.in-addr.arpa"}`,
	)
}

func keys(pairs ...string) (out []etcdlint.Key) {
	for pair := range slices.Chunk(pairs, 2) {
		out = append(out, etcdlint.Key{Name: pair[0], Value: []byte(pair[1])})
	}
	return out
}

func TestWhatWeWriteIsClean(t *testing.T) {
	if found := etcdlint.Lint(layout, clean()); len(found) > 0 {
		t.Errorf("%d findings: %+v", len(found), found)
	}
}

func TestFindings(t *testing.T) {
	const dir = "/skydns/org/example"
	a := `{"host":"192.0.2.9","ttl":60,"group":"x"}`
	for _, tt := range []struct {
		name string
		keys []etcdlint.Key
		want []string // "code key"
	}{
		{"port as text", keys(dir+"/x/1", `{"host":"192.0.2.9","port":"443"}`), []string{"malformed " + dir + "/x/1"}},
		{"not JSON", keys(dir+"/x/1", `192.0.2.9`), []string{"malformed " + dir + "/x/1"}},
		{"TTL below 0", keys(dir+"/x/1", `{"host":"192.0.2.9","ttl":-1}`), []string{"malformed " + dir + "/x/1"}},
		{"upper case", keys(dir+"/Shop/1", a), []string{"upper-case " + dir + "/Shop/1"}},
		{"star", keys(dir+"/apps/*", a), []string{"wildcard-label " + dir + "/apps/*"}},
		{"any", keys(dir+"/any/1", a), []string{"wildcard-label " + dir + "/any/1"}},
		{"two slashes", keys(dir+"//1", a), []string{"no-name " + dir + "//1"}},
		{"slash at the end", keys(dir+"/x/", a), []string{"no-name " + dir + "/x/"}},
		{"long label", keys(dir+"/"+strings.Repeat("x", 64), a), []string{"no-name " + dir + "/" + strings.Repeat("x", 64)}},
		{"other zone", keys("/skydns/net/example/x", a), []string{"outside /skydns/net/example/x"}},
		{"other path", keys("/elsewhere/x", a), []string{"outside /elsewhere/x"}},
		{"hidden", keys(dir+"/x", a, dir+"/x/y", `{"host":"192.0.2.9","ttl":60,"group":"y.x.example.org"}`), []string{"hidden " + dir + "/x"}},
		{"PTR in a child", keys("/skydns/arpa/in-addr/192/0/2/7/0badcafe", `{"host":"www.example.org","ttl":60,"targetstrip":1,"group":"x"}`), []string{"ptr-not-exact /skydns/arpa/in-addr/192/0/2/7/0badcafe"}},
		{"NS with a name", keys(dir+"/dns/ns/2", `{"host":"ns.example.net","ttl":60,"group":"x"}`), []string{"ns-not-address " + dir + "/dns/ns/2"}},
		{"address and port", keys(dir+"/x/1", `{"host":"192.0.2.9:443","ttl":60,"group":"x"}`), []string{"host " + dir + "/x/1"}},
		{"URL", keys(dir+"/x/1", `{"host":"https://www.example.net","ttl":60,"group":"x"}`), []string{"host " + dir + "/x/1"}},
		{"no address after all", keys(dir+"/x/1", `{"host":"192.0.2.256","ttl":60,"group":"x"}`), []string{"host " + dir + "/x/1"}},
		{"host and text", keys(dir+"/x/1", `{"host":"192.0.2.9","text":"t","ttl":60,"group":"x"}`), []string{"host-and-text " + dir + "/x/1"}},
		{"nothing", keys(dir+"/x/1", `{}`), []string{"empty " + dir + "/x/1"}},
		{"no TTL", keys(dir+"/x/1", `{"host":"192.0.2.9","group":"x"}`), []string{"no-ttl " + dir + "/x/1"}},
		{"lease", []etcdlint.Key{{Name: dir + "/x/1", Value: []byte(a), Leased: true}}, []string{"leased " + dir + "/x/1"}},
		{"name below in the answer", keys(
			dir+"/x/0badcafe", `{"host":"192.0.2.8","ttl":60,"targetstrip":1}`, dir+"/x/y/1badcafe", `{"host":"192.0.2.9","ttl":60,"targetstrip":1}`,
		), []string{"answers-below " + dir + "/x/0badcafe"}},
		{"alias beside an address", keys(
			dir+"/x/1", `{"host":"lb.example.net","ttl":60,"targetstrip":1,"group":"x"}`, dir+"/x/2", `{"host":"192.0.2.9","ttl":60,"targetstrip":1,"group":"x"}`,
		), []string{"alias-beside-address " + dir + "/x/1"}},
		{"zone without its own keys", keys(dir+"/sub/x/1", `{"host":"192.0.2.9","ttl":60,"targetstrip":1,"group":"x"}`), []string{
			"missing-apex " + dir + "/sub/dns/apex", "missing-ns " + dir + "/sub/dns/ns",
		}},
		{"zone with a guard alone", keys(dir+"/sub/$", `{"host":"sub.example.org","port":-1,"priority":-1,"targetstrip":1,"group":"sub.example.org"}`), []string{
			"missing-ns " + dir + "/sub/dns/ns", "slow-apex " + dir + "/sub/dns/apex",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range etcdlint.Lint(layout, append(clean(), tt.keys...)) {
				got = append(got, string(f.Code)+" "+f.Key)
				if f.Effect == "" || f.Remedy == "" || f.Severity < etcdlint.Note {
					t.Errorf("%s is not explained: %+v", f.Code, f)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever the keys, in whatever order: the same findings, each about a key or a zone, the worst first.
func TestLintProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.OneOf(rapid.SampledFrom([]string{"", "$", "$a-0123456789", "*", "any", "dns", "apex", "ns", "arpa", "in-addr", "Up"}), rapid.StringMatching(`[a-z0-9]{1,3}`))
		value := rapid.OneOf(rapid.SampledFrom([]string{`{}`, `{`, `null`, `{"host":"192.0.2.1"}`, `{"host":"a.b","targetstrip":3}`, `{"text":"t"}`, `{"host":"x","port":-1}`}), rapid.String())
		drawn := map[string]etcdlint.Key{}
		for range rapid.IntRange(0, 12).Draw(t, "keys") {
			path := rapid.SampledFrom([]string{"/skydns/org/example/", "/skydns/arpa/in-addr/192/0/2/", "/skydns/", ""}).Draw(t, "path")
			name := path + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "segments"), "/")
			drawn[name] = etcdlint.Key{Name: name, Value: []byte(value.Draw(t, "value")), Leased: rapid.Bool().Draw(t, "leased")}
		}
		var in []etcdlint.Key
		for _, k := range drawn {
			in = append(in, k)
		}
		slices.SortFunc(in, func(a, b etcdlint.Key) int { return strings.Compare(a.Name, b.Name) })
		first := etcdlint.Lint(layout, in)
		for i, f := range first {
			if i > 0 && f.Severity > first[i-1].Severity {
				t.Fatalf("%v comes after %v", f, first[i-1])
			}
			if _, known := drawn[f.Key]; !known && !strings.HasSuffix(f.Key, "/dns/apex") && !strings.HasSuffix(f.Key, "/dns/ns") {
				t.Fatalf("%v is about no key", f)
			}
		}
		if again := etcdlint.Lint(layout, in); fmt.Sprint(first) != fmt.Sprint(again) {
			t.Fatalf("the second time it finds %v, before %v", again, first)
		}
	})
}

func FuzzLint(f *testing.F) {
	for _, k := range clean() {
		f.Add(k.Name, k.Value)
	}
	f.Add("/skydns", []byte(`{`))
	f.Add("", []byte(``))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		for _, found := range etcdlint.Lint(layout, append(clean(), etcdlint.Key{Name: name, Value: value})) {
			if found.Effect == "" || found.Remedy == "" {
				t.Fatalf("%q = %q: %+v", name, value, found)
			}
		}
	})
}

// many are about n keys as the webhook writes them, one in a hundred of them spoilt.
func many(n int) []etcdlint.Key {
	out := clean()
	for i := len(out); i < n; i += 2 {
		name := fmt.Sprintf("host-%d.c%d.example.org", i, i%200)
		dir := fmt.Sprintf("/skydns/org/example/c%d/host-%d", i%200, i)
		port := "-1"
		if i%100 == 0 {
			port = `"443"`
		}
		out = append(out, keys(
			dir+"/$a-0123456789", fmt.Sprintf(`{"host":"10.%d.%d.%d","port":%s,"priority":-1,"ttl":60,"targetstrip":1,"group":%q}`, i>>16&255, i>>8&255, i&255, port, name),
			dir+"/_owner-a/$txt-0123456789", fmt.Sprintf(`{"text":"heritage=external-dns,external-dns/owner=c%d","ttl":60,"targetstrip":1,"group":"_owner-a.%s"}`, i%200, name),
		)...)
	}
	return out
}

func BenchmarkLint20000(b *testing.B) {
	all := many(20_000)
	b.ReportAllocs()
	for b.Loop() {
		if found := etcdlint.Lint(layout, all); len(found) < 50 {
			b.Fatalf("%d findings", len(found))
		}
	}
}
