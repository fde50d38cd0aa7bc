package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
)

func TestPrintedConfigurationSaysTheSame(t *testing.T) {
	f, err := decode(whole)
	if err != nil {
		t.Fatal(err)
	}
	again := reread(t, f)
	if diff := cmp.Diff(f, again); diff != "" {
		t.Errorf("(-given +printed and read):\n%s", diff)
	}
}

func TestPrintedConfigurationHasNoSecrets(t *testing.T) {
	f, err := decode(inBackend("{shelf: {servers: [s], password: hush-hush, tls: {secretKey: mum-is-the-word}}}"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "hush") || strings.Contains(text, "mum") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	if n := strings.Count(text, config.Redacted); n != 2 {
		t.Errorf("%d secrets marked as redacted, want 2:\n%s", n, text)
	}
}

func TestAnyConfigurationSurvivesPrinting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFile(t)
		if err := f.Validate(); err != nil {
			t.Fatalf("the generator made an invalid configuration: %v", err)
		}
		if diff := cmp.Diff(f, reread(t, f)); diff != "" {
			t.Errorf("(-given +printed and read):\n%s", diff)
		}
	})
}

// reread prints a configuration and reads what was printed.
func reread(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, f *config.File) *config.File {
	t.Helper()
	text, err := f.YAML()
	if err != nil {
		t.Fatalf("print: %v", err)
	}
	again, err := decode(text)
	if err != nil {
		t.Fatalf("read: %v\nof:\n%s", err, text)
	}
	return again
}

// word draws text that YAML could take for something else.
func word(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,9}`),
		rapid.SampledFrom([]string{"null", "true", "no", "1", "0x1", "1e3", "-", "a:b", "#a", "&a", "!a", "ünï", "a#b", "2026-01-01", "~"}),
	).Draw(t, label)
}

func anyFile(t *rapid.T) *config.File {
	flag := func(label string) *bool {
		return rapid.OneOf(rapid.Just((*bool)(nil)), rapid.Ptr(rapid.Bool(), false)).Draw(t, label)
	}
	seconds := func(label string) time.Duration {
		return time.Duration(rapid.IntRange(1, 1<<31-1).Draw(t, label)) * time.Second
	}
	words := func(label string) []string {
		var out []string
		for i := range rapid.IntRange(0, 3).Draw(t, label) {
			out = append(out, word(t, fmt.Sprint(label, i)))
		}
		return out
	}
	pairs := func(label string) map[string]string {
		var out map[string]string
		for i := range rapid.IntRange(0, 2).Draw(t, label) {
			if out == nil {
				out = map[string]string{}
			}
			out[word(t, fmt.Sprint("key", label, i))] = word(t, fmt.Sprint(label, i))
		}
		return out
	}
	f := &config.File{Options: config.Defaults(), Targets: map[string]policy.Target{"hub": {Static: []string{"203.0.113.10", "2001:db8::1"}}}}
	for i := range rapid.IntRange(1, 3).Draw(t, "views") {
		v := config.View{View: policy.View{Name: fmt.Sprintf("view-%d", i), Zones: []string{fmt.Sprintf("z%d.example.org", i)}, TTL: seconds("ttl")}}
		v.Backend = config.Section{Kind: "shelf", Settings: &shelf{
			Servers: append(words("servers"), "s"), Timeout: seconds("timeout"), Retries: rapid.Int().Draw(t, "retries"),
		}}
		for j := range rapid.IntRange(0, 3).Draw(t, "rules") {
			// The kind keeps the rule from matching everything, which would hide the ones behind it.
			r := policy.Rule{Name: word(t, "rule"), Action: policy.Keep, Match: policy.Match{
				Kinds: []string{fmt.Sprintf("kind%d", j)}, Namespaces: words("namespaces"), IngressClasses: words("classes"),
				Labels: pairs("labels"), Annotations: pairs("annotations"), TargetCIDRs: []string{"10.0.0.0/8", "fd00::/8"},
			}}
			if rapid.Bool().Draw(t, "rewrite") {
				r.Action, r.Target, r.TTL = policy.Rewrite, "hub", seconds("rule ttl")
			}
			v.Rules = append(v.Rules, r)
		}
		f.Views = append(f.Views, v)
	}
	f.Overrides = policy.Overrides{Target: flag("target"), View: flag("view"), TTL: flag("ttl override")}
	f.DryRun = rapid.Bool().Draw(t, "dry run")
	f.Kubernetes.Enabled = rapid.Bool().Draw(t, "kubernetes")
	f.Kubernetes.Context = word(t, "context")
	f.Kubernetes.Kinds = rapid.SliceOfN(rapid.SampledFrom(append(claim.Kinds(), "all")), 0, 3).Draw(t, "kinds")
	f.Rails.MaxDeleteShare = rapid.Float64Range(0.001, 1).Draw(t, "share")
	f.Rails.MaxDeleteMin = rapid.IntRange(1, 1<<40).Draw(t, "min")
	f.Failover = rapid.Bool().Draw(t, "failover")
	f.ExternalDNS.TXTOwnerID = word(t, "owner")
	f.Log.Level = rapid.SampledFrom([]string{"debug", "info", "warn", "error"}).Draw(t, "level")
	return f
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "a", whole, good, inRule("{action: keep}"), inBackend("{shelf: {servers: [s], password: p}}"),
		"views: &a\n- *a\n", "x: &a {<<: *a}\n", "? {a: b}\n: c\n", "views: !!str [a]\n", "- - -\n", "views:\n\t", "%YAML 1.2\n---\na: b\n",
		"log: {level: \"\\x00\"}", "targets: {? [a] : {static: []}}", "kubernetes: {<<: [{enabled: false}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := config.Decode("config.yaml", src, kinds)
		if err != nil {
			if got != nil || config.Explain(err) == "" {
				t.Errorf("refused with %v and %v", got, err)
			}
			return
		}
		first, err := got.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := config.Decode("config.yaml", []byte(first), kinds)
		if err != nil {
			t.Fatalf("accepted, but not what is printed of it: %v\n%s", err, first)
		}
		second, err := again.YAML()
		if err != nil || first != second {
			t.Errorf("printed:\n%s\nread and printed (%v):\n%s", first, err, second)
		}
	})
}
