package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Redacted stands where a secret was.
const Redacted = "(redacted)"

// YAML returns the configuration as a file that says the same, defaults written out and secrets
// replaced by Redacted. Settings that are empty by default and in fact are left out.
func (f *File) YAML() (string, error) {
	out, err := yaml.MarshalWithOptions(encode(reflect.ValueOf(f)), yaml.IndentSequence(true))
	return string(out), err
}

// encode is the counterpart of the decoder: what it writes, the decoder reads back as the same value,
// except for secrets.
func encode(v reflect.Value) any {
	if s, ok := v.Interface().(Section); ok {
		if s.Settings == nil {
			return nil
		}
		return yaml.MapSlice{{Key: s.Kind, Value: encode(reflect.ValueOf(s.Settings))}}
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err == nil {
			return string(text)
		}
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return short(d)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return encode(v.Elem())
	case reflect.Struct:
		out := yaml.MapSlice{}
		for _, f := range Fields(v.Type()) {
			field := v.FieldByIndex(f.Index)
			if item, ok := encodeField(f, field); ok {
				out = append(out, yaml.MapItem{Key: f.Name, Value: item})
			}
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = encode(v.Index(i))
		}
		return out
	case reflect.Map:
		out := yaml.MapSlice{}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			out = append(out, yaml.MapItem{Key: k.String(), Value: encode(v.MapIndex(k))})
		}
		return out
	}
	return v.Interface()
}

// field encodes one setting; false when it says nothing.
func encodeField(f Field, v reflect.Value) (any, bool) {
	isStruct := v.Kind() == reflect.Struct && !isText(v.Type())
	if v.IsZero() && f.Default == "" && !isStruct {
		return nil, false
	}
	if f.Secret && v.String() != "" {
		return Redacted, true
	}
	item := encode(v)
	if m, ok := item.(yaml.MapSlice); ok && len(m) == 0 && isStruct {
		return nil, false // nothing in it was given
	}
	return item, true
}

// short writes a duration without the zero units that time.Duration.String appends: "5m", not "5m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
