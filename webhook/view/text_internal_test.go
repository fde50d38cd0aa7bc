package view

import (
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Every text has one target, which stands for it again and survives JSON.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", `"`, `""`, "a", "\xff", `\`, `"a" "b"`, "\"\\\x00é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target := targetOf(text)
		if got := backend.Text(target); got != text {
			t.Fatalf("backend.Text(targetOf(%q)) = %q by way of %q", text, got, target)
		}
		if !utf8.ValidString(target) {
			t.Fatalf("target %q of %q is not UTF-8", target, text)
		}
		if once := targetOf(backend.Text(text)); targetOf(backend.Text(once)) != once {
			t.Fatalf("%q is not canonical after one round: %q", text, once)
		}
	})
}

// external-dns's registry reads our raw text as it reads its own quoted one.
func TestRegistryReadsRawText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := endpoint.Labels{"owner": rapid.StringMatching(`[a-z0-9-]+`).Draw(t, "owner"), "resource": "ingress/a/b"}
		target := targetOf(backend.Text(labels.Serialize(true, false, nil)))
		got, err := endpoint.NewLabelsFromString(target, nil)
		if err != nil || got["owner"] != labels["owner"] || got["resource"] != labels["resource"] {
			t.Fatalf("%s reads as %v, %v", target, got, err)
		}
	})
}
