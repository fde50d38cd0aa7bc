package zonefile

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// objectName is the name of the object for a name and a type in DNS, always the same for the same: "www.example.org-a".
// The second of several for one RRset is "www.example.org-a-2". Where the name cannot be that of an object, what can is kept and a digest of the whole is added.
func objectName(name, typ string, part int) string {
	suffix := ""
	if typ != "" {
		suffix = "-" + strings.ToLower(typ)
	}
	if part > 1 {
		suffix += "-" + strconv.Itoa(part)
	}
	const most = 253 // RFC 1123 subdomain, as the API server wants it
	safe := safeName(name)
	if safe == name && len(safe)+len(suffix) <= most {
		return safe + suffix
	}
	digest := sha256.Sum256([]byte(name + " " + typ))
	suffix += "-" + hex.EncodeToString(digest[:4])
	if over := len(safe) + len(suffix) - most; over > 0 {
		safe = strings.Trim(safe[over:], ".-")
	}
	return safe + suffix
}

// safeName is a name of which every label has letters, digits and inner dashes.
func safeName(name string) string {
	var labels []string
	for label := range strings.SplitSeq(name, ".") {
		if label == "*" {
			label = "any"
		}
		label = strings.Trim(strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' {
				return r
			}
			return '-'
		}, label), "-")
		if label == "" {
			label = "x"
		}
		labels = append(labels, label)
	}
	return strings.Join(labels, ".")
}
