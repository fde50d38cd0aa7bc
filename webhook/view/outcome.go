package view

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
)

// failure is a change that was not made.
type failure struct {
	entry *entry
	kind  backend.Kind
	err   error
}

func (f *failure) viewName() string {
	if f.entry.view == nil {
		return ""
	}
	return f.entry.view.Name
}

// outcome collects what became of the entries of one Apply.
type outcome struct {
	mu       sync.Mutex
	failures []*failure
	entries  map[*entry]string // those that were not made: the result for metrics
	late     bool              // the time ended
	tooMany  []string          // explanations of refused mass deletions
}

func (o *outcome) fail(x *entry, kind backend.Kind, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mark(x, resultOf(kind))
	o.failures = append(o.failures, &failure{x, kind, err})
}

// Results of changes in metrics, besides success and dry_run.
const (
	resultError   = "error"
	resultRefused = "refused" // asking again will not help
	resultLate    = "late"    // not reached in time
)

func resultOf(kind backend.Kind) string {
	if kind == backend.Rejected {
		return resultRefused
	}
	return resultError
}

func (o *outcome) mark(x *entry, result string) {
	if o.entries == nil {
		o.entries = map[*entry]string{}
	}
	o.entries[x] = result
}

// unreached notes entries that the time did not suffice for. They are no failures of their own.
func (o *outcome) unreached(part []*entry, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.late = true
	for _, x := range part {
		o.mark(x, resultLate)
	}
	o.failures = append(o.failures, &failure{part[0], backend.Temporary, fmt.Errorf("%w: %w", errUnreached, cause)})
}

// add notes what a backend said about the entries it was given. Only when ctx has ended does an error that
// tells of it mean the rest of them too; else it is one operation that took too long.
func (o *outcome) add(ctx context.Context, part []*entry, err error) {
	if err == nil {
		return
	}
	byKey := make(map[backend.Key]*entry, len(part))
	for _, x := range part {
		byKey[x.key] = x
	}
	for _, e := range backend.Errors(err) {
		x := byKey[e.Key]
		switch {
		case ctx.Err() != nil && (errors.Is(e, context.Cause(ctx)) || errors.Is(e, ctx.Err())):
			o.cut(part, x, e)
		case x != nil:
			o.fail(x, e.Kind, e)
		default: // about the zone as a whole
			o.all(part, e)
		}
	}
}

// all notes that nothing of part was made.
func (o *outcome) all(part []*entry, e *backend.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range part {
		o.mark(x, resultOf(e.Kind))
	}
	o.failures = append(o.failures, &failure{part[0], e.Kind, e})
}

// cut notes that the time ended within part: backends name the first change they did not reach, and
// work in the order they were given.
func (o *outcome) cut(part []*entry, first *entry, e *backend.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.late = true
	reached := first != nil
	for _, x := range part {
		if x == first {
			reached = false
		}
		if !reached {
			o.mark(x, resultLate)
		}
	}
	o.failures = append(o.failures, &failure{part[0], e.Kind, e})
}

func (o *outcome) failed(x *entry) bool { return o.entries[x] != "" }

// missing is how many entries were not made.
func (o *outcome) missing() int { return len(o.entries) }

// shown is how many failures an error spells out.
const shown = 5

// err says what was not made, or nil.
func (o *outcome) err(total int) error {
	if len(o.failures) == 0 && len(o.tooMany) == 0 {
		return nil
	}
	made := total - o.missing()
	var b strings.Builder
	if o.late {
		b.WriteString(progress(made, total))
	} else {
		fmt.Fprintf(&b, "%d of %d changes made", made, total)
	}
	for _, why := range o.tooMany {
		b.WriteString("; " + why)
	}
	n := 0
	for _, f := range o.failures {
		if errors.Is(f.err, errCompanion) {
			continue // its companion tells the reason
		}
		if n++; n > shown {
			continue
		}
		b.WriteString("; ")
		if name := f.viewName(); name != "" {
			b.WriteString("view " + name + ": ")
		}
		var known *backend.Error
		if !errors.As(f.err, &known) {
			b.WriteString(f.entry.key.String() + ": ")
		}
		fmt.Fprintf(&b, "%v (%s)", f.err, f.kind)
	}
	if n > shown {
		fmt.Fprintf(&b, "; and %d more, see the log", n-shown)
	}
	return errors.New(b.String())
}
