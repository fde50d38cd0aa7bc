package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest names a wish; see [Chart.Digest].
func (e *Engine) Digest(w Wish) string { return e.opts.Chart.Digest(w) }

// Rights are those that a wish needs, to its end; see [Rights].
func (e *Engine) Rights(ctx context.Context, w Wish) ([]Right, error) {
	made, err := e.opts.Chart.Render(ctx, w)
	if err != nil {
		return nil, err
	}
	all, err := Rights(w, made)
	if err != nil || keeps(w.Values) {
		return all, err
	}
	last := w
	last.Values = draining(w.Values)
	if made, err = e.opts.Chart.Render(ctx, last); err != nil {
		return nil, err
	}
	draining, err := Rights(w, made)
	return Join(all, draining), err
}

// Digest names a wish by what is in it and the chart it is for. Two wishes with the same values, in whatever order they
// were written, have one; the Secrets count by name, their content is followed without.
func (c *Chart) Digest(w Wish) string {
	text, _ := json.Marshal([]any{c.digest, w.Namespace, w.Release, w.Values, w.Secrets}) // values were read from JSON
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
