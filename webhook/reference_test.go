package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/config"
)

//go:generate go test . -run TestReference -update

var update = flag.Bool("update", false, "write the generated parts of docs/configuration.md")

const reference = "../docs/configuration.md"

// TestReference keeps the generated parts of docs/configuration.md in step with the code.
func TestReference(t *testing.T) {
	old, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	text := string(old)
	for name, part := range map[string]string{"file": fileReference(), "backends": backendReference(t), "flags": flagReference(t)} {
		text = between(t, text, name, part)
	}
	if *update {
		if err := os.WriteFile(reference, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(old), text); diff != "" {
		t.Errorf("%s does not say what the code does; run go generate ./webhook (-written +generated):\n%s", reference, diff)
	}
}

// between replaces what stands between the marks of a generated part.
func between(t *testing.T, text, name, part string) string {
	t.Helper()
	begin, end := "<!-- generated: "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks %q … %q", reference, begin, end)
	}
	return before + begin + part + end + after
}

// fileReference is one table for each part of the file.
func fileReference() string {
	var b strings.Builder
	b.WriteString(table("", reflect.TypeFor[config.File]()))
	return b.String()
}

func backendReference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	kinds := kinds()
	for _, kind := range strings.Split(kinds.String(), ", ") {
		settings, err := kinds.New(kind)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n### %s\n\n", kind)
		rows := rows("", reflect.TypeOf(settings).Elem())
		if len(rows) == 0 {
			b.WriteString("No settings: `" + kind + ": {}`. Records are kept in the process and answered to nobody.\n")
			continue
		}
		b.WriteString(header + strings.Join(rows, ""))
	}
	return b.String() + "\n"
}

const header = "| key | value | default | meaning |\n|---|---|---|---|\n"

func table(path string, t reflect.Type) string {
	return "\n" + header + strings.Join(rows(path, t), "") + "\n"
}

// rows describes the settings below path.
func rows(path string, t reflect.Type) []string {
	var out []string
	for _, f := range config.Fields(t) {
		key := strings.TrimPrefix(path+"."+f.Name, ".")
		kind, inner, suffix := describe(f.Type)
		if f.Help != "" { // a mapping without help only holds what follows it
			out = append(out, fmt.Sprintf("| `%s` | %s | %s | %s |\n", key, kind, code(f.Default), sentence(f.Help)))
		}
		if inner != nil {
			out = append(out, rows(key+suffix, inner)...)
		}
	}
	return out
}

// describe says how values of a type are written, and what is inside of them.
func describe(t reflect.Type) (kind string, inner reflect.Type, suffix string) {
	switch {
	case t == reflect.TypeFor[config.Section]():
		return "mapping with one key", nil, ""
	case t == reflect.TypeFor[time.Duration]():
		return "duration", nil, ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.Struct:
		return "mapping", t, ""
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "list", t.Elem(), "[]"
		}
		return "list of texts", nil, ""
	case reflect.Map:
		if t.Elem().Kind() == reflect.Struct {
			return "mapping", t.Elem(), ".<name>"
		}
		return "mapping of texts", nil, ""
	case reflect.Bool:
		return "true or false", nil, ""
	case reflect.String:
		return "text", nil, ""
	}
	return "number", nil, ""
}

// flagReference is one table for each group of flags.
func flagReference(t *testing.T) string {
	t.Helper()
	_, k, err := newParser(io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	rows := map[string][]string{}
	for _, f := range append([]*kong.Flag{k.Model.HelpFlag}, k.Model.Flags...) {
		group := f.Group.Title
		if slices.Contains(rows[group], row(f)) {
			continue
		}
		if rows[group] == nil {
			groups = append(groups, group)
		}
		rows[group] = append(rows[group], row(f))
	}
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\n### %s\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n%s", g, strings.Join(rows[g], ""))
	}
	return b.String() + "\n"
}

func row(f *kong.Flag) string {
	name := "--" + f.Name
	if f.Tag.Negatable != "" {
		name = "--[no-]" + f.Name
	}
	if f.PlaceHolder != "" && !f.IsBool() {
		name += "=" + f.PlaceHolder
	}
	envs := make([]string, len(f.Envs))
	for i, env := range f.Envs {
		envs[i] = code(env)
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, strings.Join(envs, ", "), code(f.Default), sentence(f.Help))
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// sentence gives a help text a capital, unless it begins with values, a full stop, and no table marks.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if first, _, _ := strings.Cut(s, " "); !strings.ContainsAny(first, ",-0123456789") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(s, "."), ", …"), "|", "\\|") + "."
}

// TestEverySettingIsExplained: a setting without help cannot be looked up anywhere.
func TestEverySettingIsExplained(t *testing.T) {
	types := []reflect.Type{reflect.TypeFor[config.File]()}
	for _, fresh := range kinds() {
		types = append(types, reflect.TypeOf(fresh()).Elem())
	}
	var visit func(path string, t reflect.Type)
	visit = func(path string, in reflect.Type) {
		for _, f := range config.Fields(in) {
			key := path + "." + f.Name
			_, inner, suffix := describe(f.Type)
			if f.Help == "" && inner == nil {
				t.Errorf("%s has no help", key)
			}
			if inner != nil {
				visit(key+suffix, inner)
			}
		}
	}
	for _, in := range types {
		visit(in.String(), in)
	}
}

// TestEverySettingHasTheFlagThatMistakesName: a mistake in file-less mode names a flag that there is.
func TestEverySettingHasTheFlagThatMistakesName(t *testing.T) {
	_, k, err := newParser(io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var visit func(kind, path string, in reflect.Type)
	visit = func(kind, path string, in reflect.Type) {
		for _, f := range config.Fields(in) {
			key := path + "." + f.Name
			if _, inner, _ := describe(f.Type); inner != nil {
				visit(kind, key, inner)
				continue
			}
			flag := kind + config.FlagSuffix(key)
			if !slices.ContainsFunc(k.Model.Flags, func(f *kong.Flag) bool { return f.Name == flag }) {
				t.Errorf("setting %s%s has no flag --%s", kind, key, flag)
			}
		}
	}
	for kind, fresh := range kinds() {
		visit(kind, "", reflect.TypeOf(fresh()).Elem())
	}
}

// TestExamplesInTheDocumentation decodes every YAML example: a whole configuration as it is, a part of
// one inside a configuration that is right.
func TestExamplesInTheDocumentation(t *testing.T) {
	fence := regexp.MustCompile("(?ms)^[ \t]*```ya?ml[^\n]*\n(.*?)^[ \t]*```")
	examples := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range fence.FindAllSubmatch(text, -1) {
			name := fmt.Sprintf("%s, example %d", path, i+1)
			if err := checkExample(string(m[1])); err != nil {
				t.Errorf("%s: %s\n%s", name, config.Explain(err), m[1])
			}
			examples++
		}
	}
	if examples == 0 {
		t.Error("no examples found")
	}
}

// documents are the pages about the webhook. Those about other programs and their charts are tested beside them.
func documents(t *testing.T) []string {
	t.Helper()
	paths := []string{"../README.md"}
	others := []string{"central-dns.md", "landscape.md", "install.md"}
	err := filepath.WalkDir("../docs", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") && !slices.Contains(others, filepath.Base(path)) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func checkExample(src string) error {
	var keys map[string]any
	for part := range strings.SplitSeq(src, "\n---\n") {
		keys = nil
		if err := yaml.Unmarshal([]byte(part), &keys); err != nil {
			return err
		}
	}
	indent := func(by string) string {
		return by + strings.ReplaceAll(strings.TrimRight(src, "\n"), "\n", "\n"+by) + "\n"
	}
	const view = "views:\n- name: example\n  zones: [example.org]\n"
	const targets = "targets: {hub: {static: [203.0.113.10]}}\n"
	switch {
	case keys["apiVersion"] != nil || keys["provider"] != nil || keys["sources"] != nil:
		return nil // an object for Kubernetes, or values of external-dns's chart
	case keys["views"] != nil:
	case keys["backend"] != nil:
		src = view + indent("  ")
	case keys["rules"] != nil && keys["targets"] == nil:
		src = view + "  backend: {memory: {}}\n" + indent("  ") + targets
	default:
		src = view + "  backend: {memory: {}}\n" + src
	}
	_, err := config.Decode("example", []byte(src), kinds())
	return err
}
