package extdns_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/extdns"
)

// text draws strings with everything that JSON treats specially.
func text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z0-9.-]{0,20}`),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", `"heritage=external-dns,external-dns/owner=me"`, "<&>", "\u2028", "\u2029", "\x7f", "é", "\\", "\b\f\n\r\t\x01"}),
	)
}

func endpoints() *rapid.Generator[[]*endpoint.Endpoint] {
	one := rapid.Custom(func(t *rapid.T) *endpoint.Endpoint {
		if rapid.IntRange(0, 50).Draw(t, "nil") == 50 {
			return nil
		}
		e := &endpoint.Endpoint{
			DNSName:       text().Draw(t, "name"),
			RecordType:    text().Draw(t, "type"),
			SetIdentifier: text().Draw(t, "set"),
			RecordTTL:     endpoint.TTL(rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 300)).Draw(t, "ttl")),
			Targets:       rapid.SliceOfN(text(), 0, 5).Draw(t, "targets"),
			Labels:        rapid.MapOfN(text(), text(), 0, 12).Draw(t, "labels"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "properties") {
			e.ProviderSpecific = append(e.ProviderSpecific, endpoint.ProviderSpecificProperty{
				Name: text().Draw(t, "property"), Value: text().Draw(t, "value")})
		}
		return e
	})
	return rapid.SliceOfN(one, 0, 8)
}

// The encoder writes byte for byte what encoding/json writes.
func TestEncodeEqualsStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eps := endpoints().Draw(t, "endpoints")
		if rapid.Bool().Draw(t, "none") {
			eps = nil
		}
		var want bytes.Buffer
		if err := json.NewEncoder(&want).Encode(eps); err != nil {
			t.Fatal(err)
		}
		if got := extdns.AppendEndpoints(nil, eps); string(got) != want.String() {
			t.Fatalf("got  %q\nwant %q", got, want.String())
		}
	})
}

var sameEndpoints = cmpopts.IgnoreUnexported(endpoint.Endpoint{})

// checkDecoding compares both decoders with encoding/json: what is accepted, and what comes of it.
func checkDecoding(t interface{ Fatalf(string, ...any) }, body []byte) {
	var want []*endpoint.Endpoint
	wantErr := json.Unmarshal(body, &want)
	got, err := extdns.DecodeEndpoints(bytes.Clone(body))
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("endpoints %q: error %v, encoding/json says %v", body, err, wantErr)
	}
	if err == nil && !cmp.Equal(got, want, sameEndpoints) {
		t.Fatalf("endpoints %q: %s", body, cmp.Diff(want, got, sameEndpoints))
	}
	var wantChanges plan.Changes
	wantErr = json.Unmarshal(body, &wantChanges)
	changes, err := extdns.DecodeChanges(bytes.Clone(body))
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("changes %q: error %v, encoding/json says %v", body, err, wantErr)
	}
	if err == nil && !cmp.Equal(changes, &wantChanges, sameEndpoints) {
		t.Fatalf("changes %q: %s", body, cmp.Diff(&wantChanges, changes, sameEndpoints))
	}
}

func TestDecodeEqualsStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eps := endpoints().Draw(t, "endpoints")
		checkDecoding(t, extdns.AppendEndpoints(nil, eps))
		body, err := json.Marshal(plan.Changes{Create: eps, UpdateOld: eps, UpdateNew: eps, Delete: eps})
		if err != nil {
			t.Fatal(err)
		}
		checkDecoding(t, body)
		// A damaged body must be damaged to both.
		if len(body) > 0 {
			i := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			checkDecoding(t, body[:i])
			body[i] = rapid.Byte().Draw(t, "byte")
			checkDecoding(t, body)
		}
	})
}

// odd bodies that tell a lenient or strict reader from encoding/json.
var odd = []string{
	``, ` `, `null`, `[]`, `{}`, `[] x`, `[]]`, `[,]`, `[{}]`, `[{},]`, `[null]`, `[[]]`, `["x"]`, `[1]`, `true`,
	`[{"dnsName":"a"}]`, ` [ { "dnsName" : "a" } ] `, `[{"dnsName":null}]`, `[{"DNSNAME":"a"}]`, `[{"dnſName":"a"}]`,
	`[{"dnsName":"a","dnsName":"b"}]`, `[{"dnsName":"a","unknown":{"x":[1,2,{"y":null}]}}]`, `[{"dnsName":1}]`,
	`[{"targets":["a","b"],"targets":["c"]}]`, `[{"targets":[]}]`, `[{"targets":null}]`, `[{"targets":[null]}]`, `[{"targets":"a"}]`,
	`[{"labels":{}}]`, `[{"labels":null}]`, `[{"labels":{"a":"b","a":"c"}}]`, `[{"labels":{"a":null}}]`, `[{"labels":{"a":1}}]`,
	`[{"recordTTL":0}]`, `[{"recordTTL":-1}]`, `[{"recordTTL":1.0}]`, `[{"recordTTL":1e2}]`, `[{"recordTTL":01}]`, `[{"recordTTL":+1}]`,
	`[{"recordTTL":9223372036854775807}]`, `[{"recordTTL":9223372036854775808}]`, `[{"recordTTL":"1"}]`, `[{"recordTTL":}]`,
	`[{"providerSpecific":[{"name":"a","value":"b"},{}]}]`, `[{"providerSpecific":[{"Name":"a"}]}]`, `[{"providerSpecific":[{"name":"a","x":1}]}]`,
	`[{"dnsName":"\u0041\ud83d\ude00\ud800\/\b"}]`, `[{"dnsName":"\u00g1"}]`, `[{"dnsName":"\u+041"}]`, `[{"dnsName":"\x"}]`, "[{\"dnsName\":\"\xff\"}]",
	"[{\"dnsName\":\"a\nb\"}]", `[{"dnsName":"a}]`, `[{"dnsName":"\`, "\ufeff[]", "[\v]", "[\u00a0]",
	`{"create":[{"dnsName":"a"}],"Create":[]}`, `{"create":null,"updateOld":[],"x":1}`, `{"create":[],"create":[]}`, `{"create":{}}`,
}

func TestDecodeOdd(t *testing.T) {
	for _, body := range odd {
		t.Run(body, func(t *testing.T) { checkDecoding(t, []byte(body)) })
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range odd {
		f.Add([]byte(body))
	}
	f.Add(sample(2))
	f.Fuzz(func(t *testing.T, body []byte) { checkDecoding(t, body) })
}

// Targets of one endpoint may be appended to without touching those of the next.
func TestDecodedTargetsAreApart(t *testing.T) {
	eps, err := extdns.DecodeEndpoints([]byte(`[{"targets":["a"]},{"targets":["b"]}]`))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(eps[0].Targets, "x")
	if eps[1].Targets[0] != "b" {
		t.Errorf("the second endpoint has targets %q", eps[1].Targets)
	}
}

// sample is what external-dns sends for n names: an address and, for half of them, its ownership text.
func sample(n int) []byte {
	eps := make([]*endpoint.Endpoint, 0, n)
	for i := range n {
		resource := fmt.Sprintf("ingress/default/host-%06d", i/2)
		if i%2 == 0 {
			eps = append(eps, endpoint.NewEndpointWithTTL(fmt.Sprintf("host-%06d.bench.test", i/2), "A", 300,
				fmt.Sprintf("192.0.%d.%d", i>>8&255, i&255)).WithLabel("resource", resource))
			continue
		}
		eps = append(eps, endpoint.NewEndpoint(fmt.Sprintf("a-host-%06d.bench.test", i/2), "TXT",
			`"heritage=external-dns,external-dns/owner=bench,external-dns/resource=`+resource+`"`))
	}
	return extdns.AppendEndpoints(nil, eps)
}

func BenchmarkDecode(b *testing.B) {
	body := sample(100_000)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := extdns.DecodeEndpoints(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var eps []*endpoint.Endpoint
			if err := json.Unmarshal(body, &eps); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	eps, err := extdns.DecodeEndpoints(sample(100_000))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = extdns.AppendEndpoints(buf[:0], eps)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var w bytes.Buffer
			if err := json.NewEncoder(&w).Encode(eps); err != nil {
				b.Fatal(err)
			}
		}
	})
}
