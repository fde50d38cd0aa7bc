package corefile

import "strings"

const defaultPath = "/etc/coredns/Corefile"

func (p Process) path() string {
	if p.Path == "" {
		return defaultPath
	}
	return p.Path
}

func (p Process) port() int {
	if p.Port == 0 {
		return 53
	}
	return p.Port
}

// expand replaces the references to environment variables in text, in both spellings, {%NAME%} first. It notes when one
// could not be replaced.
func (p *parser) expand(text string) string {
	if !strings.Contains(text, "{$") && !strings.Contains(text, "{%") {
		return text
	}
	if p.process.Env == nil {
		p.known = false
		return text
	}
	text = p.replace(text, "{%", "%}")
	return p.replace(text, "{$", "}")
}

// A value may hold references itself, even to its own variable; CoreDNS would not come back from that.
const (
	maxReplacements = 100
	maxExpanded     = 1 << 16
)

func (p *parser) replace(text, opening, closing string) string {
	for range maxReplacements {
		start := strings.Index(text, opening)
		if start < 0 {
			return text
		}
		length := strings.Index(text[start:], closing)
		if length <= len(opening) {
			return text
		}
		reference := text[start : start+length+len(closing)]
		name := reference[len(opening) : len(reference)-len(closing)]
		if text = strings.ReplaceAll(text, reference, p.process.Env[name]); len(text) > maxExpanded {
			break
		}
	}
	p.known = false
	return text
}
