package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest names a wish; see [Chart.Digest].
func (e *Engine) Digest(w Wish) string { return e.opts.Chart.Digest(w) }

// Rights are those that a wish needs; see [Rights].
func (e *Engine) Rights(ctx context.Context, w Wish) ([]Right, error) {
	made, err := e.opts.Chart.Render(ctx, w)
	if err != nil {
		return nil, err
	}
	return Rights(w, made)
}

// Digest names a wish by what is in it and the chart it is for. Two wishes with the same values, in whatever order they
// were written, have one; the Secrets count by name, their content is followed without.
func (c *Chart) Digest(w Wish) string {
	text, _ := json.Marshal([]any{c.digest, w.Namespace, w.Release, w.Values, w.Secrets}) // values were read from JSON
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
