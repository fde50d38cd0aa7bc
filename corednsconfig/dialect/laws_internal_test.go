package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// wishes draws zones under names that no user of these tests has.
func wishes(t *rapid.T, label string) []corefile.Forward {
	var want []corefile.Forward
	zones := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"openmcp.cluster", "a.openmcp.cluster", "b.example", "z.example", "_x.y"}), 0, 4, rapid.ID[string]).Draw(t, label)
	for i, z := range zones {
		want = append(want, corefile.Forward{Zones: []string{z}, Upstreams: []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, 0, byte(i%2 + 1)}), rapid.SampledFrom([]uint16{53, 5353}).Draw(t, "port")),
		}})
	}
	settled, err := settle(want)
	if err != nil {
		t.Fatal(err)
	}
	return settled
}

var space = rapid.StringOfN(rapid.SampledFrom([]rune(" \n\t")), 0, 3, -1)

// stubText draws a JSON object as somebody might have formatted it, or no text at all.
func stubText(t *rapid.T) []byte {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return []byte(space.Draw(t, "blank"))
	}
	w := func() string { return space.Draw(t, "space") }
	var entries []string
	for _, z := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"corp.example", "Corp2.Example.", "c,d", "e}f", `g\"h`}), 0, 4, rapid.ID[string]).Draw(t, "zones") {
		entries = append(entries, w()+`"`+z+`"`+w()+":"+w()+`["10.1.0.53",`+w()+`"10.1.1.53"]`+w())
	}
	body := strings.Join(entries, ",")
	if body == "" {
		body = w()
	}
	return []byte(w() + "{" + body + "}" + w())
}

// Stub domains: what is wanted is there, the users' entries are untouched, a second time changes nothing, and taking it out
// again gives back the bytes, whatever was wanted in between.
func TestLawStubDomains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := stubText(t)
		text, record := src, stubRecord{}
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			want := wishes(t, "want")
			next, nextRecord, _, err := splice(text, record, want)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			again, againRecord, _, err := splice(next, nextRecord, want)
			if err != nil || !bytes.Equal(again, next) || !reflect.DeepEqual(againRecord, nextRecord) {
				t.Fatalf("not settled: %q then %q, %v", next, again, err)
			}
			got := map[string][]string{}
			if len(bytes.TrimSpace(next)) > 0 {
				if err := json.Unmarshal(next, &got); err != nil {
					t.Fatalf("%q: %v", next, err)
				}
			}
			for _, f := range want {
				for _, z := range f.Zones {
					if !slices.Equal(got[z], []string{upstreamText(f.Upstreams[0])}) {
						t.Fatalf("%s: %v in %q", z, got[z], next)
					}
				}
			}
			text, record = next, nextRecord
		}
		back, _, _, err := splice(text, record, nil)
		if err != nil || !bytes.Equal(back, src) || (back == nil) != (src == nil) {
			t.Fatalf("%q became %q (%v)", src, back, err)
		}
	})
}

// An entry of ours that somebody changed is put right while it is wanted, and left alone when it is not.
func TestStubDomainChangedByOthers(t *testing.T) {
	want := []corefile.Forward{{Zones: []string{"a.example"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}}}
	text, record, _, err := splice([]byte("{}"), stubRecord{}, want)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(text, []byte("10.0.0.1"), []byte("10.6.6.6"))
	if next, _, _, err := splice(changed, record, want); err != nil || !bytes.Equal(next, text) {
		t.Errorf("wanted: got %q, %v", next, err)
	}
	next, _, warnings, err := splice(changed, record, nil)
	if err != nil || !bytes.Equal(next, changed) || len(warnings) != 1 {
		t.Errorf("not wanted: got %q, warnings %q, %v", next, warnings, err)
	}
	// The record is lost, as after a blind update by another tool: the entry says what is wanted, so it is ours.
	if next, adopted, _, err := splice(text, stubRecord{}, want); err != nil || !bytes.Equal(next, text) || len(adopted.Zones) != 1 {
		t.Errorf("adopted: got %q, %v, %v", next, adopted, err)
	}
}

const stockCorefile = `.:53 {
    errors
    health {
        lameduck 5s
    }
    kubernetes   cluster.local  cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    prometheus 0.0.0.0:9153
    forward . /etc/resolv.conf
    cache 30
    reload
}
`

func chart(t fataler, values string) (*Dialect, *helmTarget) {
	f, err := corefile.Parse([]byte(stockCorefile), corefile.Process{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	site, err := f.Site()
	if err != nil {
		t.Fatalf("%v", err)
	}
	d := &Dialect{Cluster: Server{Corefile: []byte(stockCorefile), Site: site, Source: Source{"kube-system", "rke2", "Corefile"}}, facts: plainFacts()}
	return d, &helmTarget{dialect: d, namespace: "kube-system", name: "rke2-coredns"}
}

type fataler interface{ Fatalf(string, ...any) }

// valuesText draws values as people write them.
func valuesText(t *rapid.T) string {
	parts := rapid.Permutation([]string{
		"# a comment\n", "autoscaler:\n  min: 2 # two\n", "text: |\n  servers:\n  - not one\n\n", "\n", "flow: {servers: [1, 2]}\n", "\"quoted\": 'x'\n",
		"servers:  # mine\n- zones: [{zone: mine.example}]\n  port: 53\n  plugins:\n  - name: errors\n",
	}).Draw(t, "order")
	parts = parts[:rapid.IntRange(0, len(parts)).Draw(t, "parts")]
	text := strings.Join(parts, "")
	if rapid.Bool().Draw(t, "indented") {
		text = strings.ReplaceAll(text, "\n- zones: [{zone: mine.example}]\n  port: 53\n  plugins:\n  - name: errors\n",
			"\n  # below\n\n    - zones: [{zone: mine.example}]\n      port: 53\n      plugins:\n      - name: errors\n")
	}
	if rapid.Bool().Draw(t, "no line end") {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

// Values of a chart: settled after one time, and back to the bytes when nothing is wanted any more.
func TestLawValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := valuesText(t)
		_, target := chart(t, src)
		text := src
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			want := wishes(t, "want")
			next, _, err := target.values(text, want)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			again, copied, err := target.values(next, want)
			if err != nil || again != next || copied {
				t.Fatalf("not settled (%v):\n%s\nthen\n%s", err, next, again)
			}
			text = next
		}
		back, _, err := target.values(text, nil)
		if err != nil || back != src {
			t.Fatalf("%q became %q (%v)", src, back, err)
		}
	})
}

// What people change in the chart's servers that we had to copy stays changed.
func TestCopiedServersAreTheUsersToChange(t *testing.T) {
	_, target := chart(t, "")
	want := []corefile.Forward{{Zones: []string{"a.example"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}}}
	text, copied, err := target.values("", want)
	if err != nil || !copied {
		t.Fatalf("%v, copied %t", err, copied)
	}
	changed := strings.Replace(text, `. /etc/resolv.conf`, `. 10.3.3.3`, 1)
	want[0].Zones = []string{"b.example"}
	next, copied, err := target.values(changed, want)
	if err != nil || copied || !strings.Contains(next, "10.3.3.3") || strings.Contains(next, "resolv.conf") || !strings.Contains(next, "b.example") {
		t.Errorf("%v, copied %t:\n%s", err, copied, next)
	}
}

// What a Corefile says survives the way through the values of a chart, for everything the chart can say at all.
func TestChartServersSurvive(t *testing.T) {
	for _, text := range []string{
		stockCorefile,
		". {\n errors\n}\n",
		"a.example:53 b.example:53 {\n    log\n    forward . 1.1.1.1 {\n        tls\n        policy random\n    }\n}\n",
		"tls://a.example:853 {\n    errors\n    rewrite name regex (.*)\\.a \"{1} x\"\n}\n",
		"a.example, b.example {\n  template IN A {\n    answer \"{{ .Name }} 60 IN A 1.2.3.4\"\n  }\n}\n",
		"(snip) {\n  errors\n}\nimport more/*.conf\na.example {\n  import snip\n}\n",
	} {
		servers, err := chartServers([]byte(text), true)
		if strings.Contains(text, "snip") {
			continue // whether it survives or is refused, proveChart has the word; it must not panic
		}
		if err != nil {
			t.Errorf("%s%v", text, err)
			continue
		}
		var words, rendered []string
		for _, b := range blocksOf([]byte(text)) {
			words = append(words, fmt.Sprint(b.lines))
		}
		for _, b := range blocksOf(renderChart(servers)) {
			rendered = append(rendered, fmt.Sprint(b.lines))
		}
		if text != stockCorefile && !slices.Equal(words, rendered) {
			t.Errorf("%v became %v", words, rendered)
		}
	}
	for _, text := range []string{"a.example:53 b.example:54 {\n errors\n}\n"} {
		if _, err := chartServers([]byte(text), true); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
