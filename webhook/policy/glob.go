package policy

import (
	"errors"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// glob is a text in which "*" stands for any run of characters. It is cut at its stars: one part is a
// text without star.
type glob struct{ parts []string }

func parseGlob(s string) glob { return glob{strings.Split(s, "*")} }

// parseHostGlob is a glob over canonical host names. A text that could match none is an error.
func parseHostGlob(s string) (glob, error) {
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	// Each star becomes something a host name may hold in its place; the rest must then be one.
	probe := strings.ReplaceAll(s, "*", "x")
	if s == "*" {
		return parseGlob(s), nil
	}
	if strings.ContainsAny(s, "?[]{}") {
		return glob{}, errors.New("* is the only character that stands for others")
	}
	if strings.Contains(s, "**") {
		return glob{}, errors.New("one * stands for any number of characters already; want for example *.example.org")
	}
	if _, err := backend.Name(strings.Trim(probe, ".")); err != nil || strings.HasPrefix(probe, ".") || strings.HasSuffix(probe, ".") {
		return glob{}, errors.New("want a host name, in which * may stand for any characters: www.example.org, *.example.org, shop-*.example.org")
	}
	return parseGlob(s), nil
}

// match reports whether the whole of s is covered.
func (g glob) match(s string) bool {
	last := len(g.parts) - 1
	if last == 0 {
		return s == g.parts[0]
	}
	s, ok := strings.CutPrefix(s, g.parts[0])
	if !ok {
		return false
	}
	// Taking the leftmost place for each part in the middle leaves most for the rest.
	for _, part := range g.parts[1:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, g.parts[last])
}

// any reports whether the glob covers every text.
func (g glob) any() bool {
	return len(g.parts) == 2 && g.parts[0] == "" && g.parts[1] == ""
}

func parseGlobs(texts []string) []glob {
	out := make([]glob, len(texts))
	for i, s := range texts {
		out[i] = parseGlob(s)
	}
	return out
}

func matchAny(globs []glob, s string) bool {
	for _, g := range globs {
		if g.match(s) {
			return true
		}
	}
	return false
}
