// Package setting owns how a wrong setting is reported: which field, what it holds, what would be right.
package setting

import (
	"errors"
	"fmt"
	"strings"
)

// Error is one wrong setting.
type Error struct {
	Field string // path in the configuration: "views[1].rules[0].match.hosts[2]"
	Value string // what was given, as text; empty when the field is missing
	Want  string // what would be right, for people: "want host:port, for example 192.0.2.53:53"
}

// Error reads `views[0].backend.rfc2136.server: "dns": want host:port`.
func (e *Error) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Want)
	}
	return fmt.Sprintf("%s: %q: %s", e.Field, e.Value, e.Want)
}

// Under puts a path in front of the Field of every *Error in err's tree: Under("tsig", err) turns
// "secret: …" into "tsig.secret: …". Other errors are wrapped with the path. nil stays nil.
func Under(path string, err error) error {
	switch e := err.(type) { //nolint:errorlint // the tree is rebuilt node by node
	case nil:
		return nil
	case *Error:
		field := path
		if e.Field != "" {
			sep := "."
			if strings.HasPrefix(e.Field, "[") {
				sep = ""
			}
			field += sep + e.Field
		}
		return &Error{Field: field, Value: e.Value, Want: e.Want}
	case interface{ Unwrap() []error }:
		var all []error
		for _, sub := range e.Unwrap() {
			all = append(all, Under(path, sub))
		}
		return errors.Join(all...)
	}
	return fmt.Errorf("%s: %w", path, err)
}
