package config

import (
	"regexp"
	"strings"
)

// secretLine finds what looks like a secret in a line of YAML, known to be one or not: a key that ends in
// one of the usual words, and its value.
func secretLine() *regexp.Regexp {
	return regexp.MustCompile(`(?i)((?:password|secret|token|key)["']?[ \t]*:[ \t]*)([^\s,}#|>&*][^,}#\r\n]*)`)
}

// conceal replaces the secrets in the text of a configuration, line by line, so that parts of it can be
// shown around a mistake. Columns to the left of a secret stay where they are.
func (d *decoder) conceal(src string) string {
	src = secretLine().ReplaceAllString(src, "${1}"+Redacted)
	const short = 4 // anything shorter would take words of the configuration with it
	for _, secret := range d.secrets {
		for line := range strings.Lines(secret) { // a block text has several
			if line = strings.TrimSpace(line); len(line) > short {
				src = strings.ReplaceAll(src, line, Redacted)
			}
		}
	}
	return src
}
