package rollout

import (
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// diff is a unified diff of edits. What is not there is /dev/null, as in diffs of files.
func diff(edits []dialect.Edit) string {
	var b strings.Builder
	for _, e := range edits {
		name := e.Ref.Name + "/" + e.Key
		if e.Ref.Namespace != "" {
			name = e.Ref.Namespace + "/" + name
		}
		before, after := "a/"+name, "b/"+name
		if e.Before == nil {
			before = "/dev/null"
		}
		if e.After == nil {
			after = "/dev/null"
		}
		b.WriteString(udiff.Unified(before, after, string(e.Before), string(e.After)))
	}
	return b.String()
}
