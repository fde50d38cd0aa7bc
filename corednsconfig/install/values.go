package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Place is what the placeholders in values stand for in one cluster.
type Place struct {
	ClusterName, ClusterNamespace   string
	Environment                     string
	ProviderName, ProviderNamespace string
}

// placeholders are the words with what they stand for here.
func (p Place) placeholders() map[string]string {
	return map[string]string{
		"<cluster.name>": p.ClusterName, "<cluster.namespace>": p.ClusterNamespace, "<environment>": p.Environment,
		"<provider.name>": p.ProviderName, "<provider.namespace>": p.ProviderNamespace,
	}
}

// placeholder is all that looks like one, so that a misspelt one is found.
func placeholder() *regexp.Regexp { return regexp.MustCompile(`<[A-Za-z][A-Za-z0-9._-]*>`) }

// ValuesError is what is wrong with values.
type ValuesError struct {
	// Path is the value's, from values on: "values.externalDNS.extraArgs[1]".
	Path string
	// Problem says what is there and what would be right.
	Problem string
}

func (e *ValuesError) Error() string { return e.Path + ": " + e.Problem }

// Values reads the values of an install, in JSON, and puts in what the placeholders stand for. Only texts are looked at,
// after they were read: nothing that is put in can become anything but a part of its text. Keys stay as they are. Every
// fault is returned, joined, as a [ValuesError].
func Values(raw []byte, place Place) (map[string]any, error) {
	values := map[string]any{}
	if len(bytes.TrimSpace(raw)) > 0 {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&values); err != nil {
			return nil, &ValuesError{"values", "want an object: " + err.Error()}
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, &ValuesError{"values", "want one object and nothing behind it"}
		}
	}
	s := substitution{words: place.placeholders(), pattern: placeholder()}
	out, _ := s.value("values", values).(map[string]any)
	if len(s.faults) > 0 {
		return nil, errors.Join(s.faults...)
	}
	if out == nil {
		out = map[string]any{}
	}
	return out, nil
}

type substitution struct {
	words   map[string]string
	pattern *regexp.Regexp
	faults  []error
}

func (s *substitution) value(path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out[key] = s.value(path+"."+key, v[key])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = s.value(fmt.Sprintf("%s[%d]", path, i), v[i])
		}
		return out
	case string:
		return s.text(path, v)
	case json.Number:
		return s.number(path, v)
	}
	return v
}

func (s *substitution) text(path, text string) string {
	return s.pattern.ReplaceAllStringFunc(text, func(word string) string {
		is, known := s.words[word]
		switch {
		case !known:
			s.fault(path, "%s is no placeholder: want one of %s", word, strings.Join(slices.Sorted(maps.Keys(s.words)), ", "))
		case is == "":
			s.fault(path, "%s stands for nothing in this cluster", word)
		case len(validation.IsDNS1123Subdomain(is)) > 0:
			s.fault(path, "%s stands for %q here: want lower-case letters, digits, hyphens and dots, as in a domain name", word, is)
		}
		return is
	})
}

// number keeps whole numbers whole: a template would write a large float64 as 1e+06.
func (s *substitution) number(path string, n json.Number) any {
	if whole, err := n.Int64(); err == nil {
		return whole
	}
	f, err := n.Float64()
	if err != nil {
		s.fault(path, "%s: want a number that fits into 64 bits", n)
	}
	return f
}

func (s *substitution) fault(path, format string, args ...any) {
	s.faults = append(s.faults, &ValuesError{path, fmt.Sprintf(format, args...)})
}
