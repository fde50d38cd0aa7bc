package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Plan says what would be done in a cluster, and which values would change; empty: nothing. It reads, and touches nothing.
func (e *Engine) Plan(ctx context.Context, c Cluster, w Wish) (string, error) {
	wanted := ""
	if w.Values != nil {
		var wrong *ValuesError
		if _, err := e.opts.Chart.Render(ctx, w); errors.As(err, &wrong) {
			return "refused: " + wrong.Error() + "\n", nil
		} else if err != nil {
			return "", err
		}
		wanted = e.opts.Chart.Digest(w)
	}
	at, err := e.reach(c, w)
	if err != nil {
		return "", err
	}
	there, why, err := at.Namespace(ctx)
	if err != nil || why != "" {
		return why, err
	}
	var f Found
	if there {
		if f, err = at.Find(ctx); err != nil {
			return "", err
		}
	}
	step, why := Decide(wanted, f, w.DrainTimeout)
	if step == DoNothing {
		return "", nil
	}
	var have map[string]any
	if at.last != nil {
		have = at.last.Config
	}
	return outlook(w, there, step, why, have), nil
}

// outlook is a plan as text: what and why, then the values that are not as they were. What values were is not shown, the
// Secret in which Helm keeps them is not for everybody's eyes.
func outlook(w Wish, there bool, step Step, why string, have map[string]any) string {
	var out strings.Builder
	if !there {
		fmt.Fprintf(&out, "+ namespace %s\n", w.Namespace)
	}
	for _, s := range w.Secrets {
		fmt.Fprintf(&out, "= Secret %s as %s/%s\n", s.Source, w.Namespace, s.Target)
	}
	fmt.Fprintf(&out, "%s release %s/%s: %s\n", verb(step), w.Namespace, w.Release, why)
	if w.Values == nil || step == Refuse {
		return out.String()
	}
	old, values := flat(have), flat(w.Values)
	for _, path := range slices.Sorted(maps.Keys(values)) {
		was, known := old[path]
		switch {
		case !known:
			fmt.Fprintf(&out, "+ %s: %s\n", path, values[path])
		case was != values[path]:
			fmt.Fprintf(&out, "~ %s: %s\n", path, values[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(old)) {
		if _, stays := values[path]; !stays {
			fmt.Fprintf(&out, "- %s\n", path)
		}
	}
	return out.String()
}

// verb is what a step would do.
func verb(s Step) string {
	switch s {
	case Install:
		return "install"
	case Drain, Uninstall:
		return "drain and uninstall"
	case Refuse:
		return "refuse"
	case Wait:
		return "wait for"
	}
	return "upgrade"
}

// flat are values as paths, for comparisons.
func flat(values map[string]any) map[string]string {
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			for key, v := range m {
				walk(path+"."+key, v)
			}
			return
		}
		text, _ := json.Marshal(v) // values were read from JSON
		out[path] = string(text)
	}
	for key, v := range values {
		walk(key, v)
	}
	return out
}
