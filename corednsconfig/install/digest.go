package install

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest names a wish by what is in it and the chart it is for. Two wishes with the same values, in whatever order they
// were written, have one; the Secrets count by name, their content is followed without.
func (c *Chart) Digest(w Wish) string {
	text, _ := json.Marshal([]any{c.digest, w.Namespace, w.Release, w.Values, w.Secrets}) // values were read from JSON
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
