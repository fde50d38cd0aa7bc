package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
)

const featureTable = "../docs/backends.md"

// TestReferenceOfBackends keeps the feature table in step with what the backends say of themselves.
func TestReferenceOfBackends(t *testing.T) {
	old, err := os.ReadFile(featureTable)
	if err != nil {
		t.Fatal(err)
	}
	text := between(t, string(old), "features", features(allLimits(t)))
	if *update {
		if err := os.WriteFile(featureTable, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := diff.Diff(string(old), text); d != "" {
		t.Errorf("%s does not say what the code does; run go generate ./webhook (-written +generated):\n%s", featureTable, d)
	}
}

// openable are the fewest settings with which each kind opens.
func openable() map[string]config.Settings {
	return map[string]config.Settings{
		"azuredns": &azuredns.Config{Subscriptions: []string{"00000000-0000-0000-0000-000000000000"}},
		"clouddns": &clouddns.Config{Projects: []string{"platform-prod"}},
		"route53":  &route53.Config{},
		"chain":    &chain.Config{URL: "http://127.0.0.1:8888"},
		"etcd":     &etcd.Config{Endpoints: []string{"http://127.0.0.1:2379"}},
		"gandi":    &gandi.Config{PersonalAccessToken: "x"},
		"memory":   &memorySettings{},
		"rfc2136":  &rfc2136.Config{Servers: []string{"192.0.2.53:53"}},
	}
}

// limitsOf is a kind and what it says of itself.
type limitsOf struct {
	kind string
	backend.Limits
}

func allLimits(t *testing.T) []limitsOf {
	t.Helper()
	var all []limitsOf
	for _, kind := range slices.Sorted(maps.Keys(kinds())) {
		settings := openable()[kind]
		if settings == nil {
			t.Fatalf("openable lacks %s", kind)
		}
		v := config.View{View: policy.View{Name: "v", Zones: []string{"example.org"}}, Backend: config.Section{Kind: kind, Settings: settings}}
		b, err := new(shared).open(v, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, limitsOf{kind, b.Limits()})
		if c, ok := b.(backend.Closer); ok {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	return all
}

// features is the table, and below it why something cannot be stored.
func features(all []limitsOf) string {
	var b strings.Builder
	line := func(what string, cell func(l limitsOf) string) {
		b.WriteString("| " + what + " |")
		for _, l := range all {
			b.WriteString(" " + cell(l) + " |")
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	line("", func(l limitsOf) string {
		if l.kind == "memory" {
			return l.kind
		}
		return "[" + l.kind + "](backends/" + l.kind + ".md)"
	})
	line("---", func(limitsOf) string { return "---" })
	for _, typ := range typesOf(all) {
		line(typ, func(l limitsOf) string { return mark(slices.Contains(l.Types, typ)) })
	}
	line("at the zone's own name", func(l limitsOf) string { return apex(l.Limits) })
	line("wildcards", func(l limitsOf) string { return mark(l.Wildcard) })
	line("set identifiers", func(l limitsOf) string { return mark(l.SetIDs) })
	line("properties", func(l limitsOf) string { return properties(l.Attrs) })
	line("TTL", func(l limitsOf) string {
		return fmt.Sprintf("%d–%d s", max(l.MinTTL, time.Second)/time.Second, cmp.Or(l.MaxTTL, backend.MaxTTL)/time.Second)
	})
	line("TTL when none is asked for", func(l limitsOf) string {
		if l.DefaultTTL == 0 {
			return "the service's"
		}
		return fmt.Sprintf("%d s", l.DefaultTTL/time.Second)
	})
	line("values in one RRset", func(l limitsOf) string { return atMost(l.MaxValues) })
	line("bytes in one text", func(l limitsOf) string { return atMost(cmp.Or(l.MaxText, 65000)) })
	line("changes in one step", func(l limitsOf) string { return step(l.Limits) })

	b.WriteString("\nWhy a type cannot be stored:\n\n")
	for _, l := range all {
		types := map[string][]string{} // by reason
		for _, typ := range slices.Sorted(maps.Keys(l.Missing)) {
			types[l.Missing[typ]] = append(types[l.Missing[typ]], typ)
		}
		for _, why := range slices.SortedFunc(maps.Keys(types), func(a, b string) int { return cmp.Compare(types[a][0], types[b][0]) }) {
			fmt.Fprintf(&b, "- **%s**, %s: %s\n", l.kind, strings.Join(types[why], ", "), why)
		}
	}
	return b.String() + "\n"
}

// typesOf are all types that some backend stores.
func typesOf(all []limitsOf) []string {
	var types []string
	for _, l := range all {
		types = append(types, l.Types...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

func mark(ok bool) string {
	if ok {
		return "yes"
	}
	return "–"
}

func apex(l backend.Limits) string {
	if l.ApexTypes != nil {
		return strings.Join(l.ApexTypes, " ")
	}
	return "all but CNAME and NS"
}

func properties(attrs []string) string {
	switch {
	case slices.Contains(attrs, backend.AnyAttr):
		return "all"
	case len(attrs) == 0:
		return mark(false)
	}
	return fmt.Sprintf("%d, see its page", len(attrs))
}

func atMost(n int) string {
	if n == 0 {
		return "no limit"
	}
	return fmt.Sprint(n)
}

func step(l backend.Limits) string {
	what := map[backend.Atomicity]string{
		backend.AtomicRRset: "one RRset", backend.AtomicUnit: "a name with its ownership", backend.AtomicBatch: "a whole batch",
	}[l.Atomic]
	if l.MaxBatch > 0 {
		what += fmt.Sprintf(", at most %d", l.MaxBatch)
	}
	return what
}
