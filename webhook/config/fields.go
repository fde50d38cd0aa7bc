package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Field is one setting of a settings struct, as its tags describe it. It serves decoding, printing and
// the reference in docs/configuration.md alike, so that the three cannot disagree.
type Field struct {
	Name    string // the YAML key
	Help    string // what it means, for people
	Default string // the value it has when it is not given; empty when that is the zero value
	Index   []int  // where it is in the struct, for reflect's FieldByIndex
	Type    reflect.Type
	Secret  bool // never printed
}

// Fields lists the settings of a struct type in order. Inlined structs count as part of it; fields
// without a yaml tag are no settings.
func Fields(t reflect.Type) []Field {
	var out []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if strings.Contains(options, "inline") {
			for _, sub := range Fields(f.Type) {
				sub.Index = append([]int{i}, sub.Index...)
				out = append(out, sub)
			}
			continue
		}
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		out = append(out, Field{
			Name: name, Help: f.Tag.Get("help"), Default: f.Tag.Get("default"),
			Index: f.Index, Type: f.Type, Secret: f.Type.Kind() == reflect.String && isSecret(name),
		})
	}
	return out
}

// secretWords are the names of settings that hold a secret, alone or as the last word of a longer name.
func secretWords() []string {
	return []string{"password", "secret", "token", "apiKey", "secretKey", "privateKey"}
}

// isSecret decides by name, so that a backend's author need not remember a tag.
func isSecret(name string) bool {
	for _, word := range secretWords() {
		if name == word || strings.HasSuffix(name, strings.ToUpper(word[:1])+word[1:]) {
			return true
		}
	}
	return false
}

// setDefaults gives every setting below v the value of its default tag.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || isText(v.Type()) {
		return
	}
	for _, f := range Fields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if f.Default == "" {
			setDefaults(field)
			continue
		}
		if err := setText(field, f.Default); err != nil {
			panic(fmt.Sprintf("default of %s.%s: %v", v.Type(), f.Name, err)) // a mistake in our own tags
		}
	}
}
