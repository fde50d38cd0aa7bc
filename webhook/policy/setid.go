package policy

import (
	"slices"
	"strings"
)

// SetID is the set identifier that carries a view's name across external-dns, which keys plan and
// ownership by it: the view's name, or "<view>/<orig>" when the endpoint has a set identifier of its
// own. It is used when there are several views; with a single one set identifiers stay as they are.
func SetID(view, orig string) string {
	if orig == "" {
		return view
	}
	return view + "/" + orig
}

// SplitSetID is the inverse of SetID: which of the views an endpoint belongs to, and its own set
// identifier. ok is false when id names none of them. With a single view every id is its own.
func SplitSetID(views []string, id string) (view, orig string, ok bool) {
	if len(views) == 1 {
		return views[0], id, true
	}
	view, orig, cut := strings.Cut(id, "/")
	if !slices.Contains(views, view) || cut && orig == "" {
		return "", id, false
	}
	return view, orig, true
}
