package rollout

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/coredns/caddy/caddyfile"
	"github.com/miekg/dns"
)

// standalone is a Corefile that says the same as a trial's, for a CoreDNS that stands outside the cluster: on one port
// of loopback, with fixed answers in place of the kubernetes plugin, and without plugins that open ports of their own. It
// puts the trial's files below dir, which must exist.
func standalone(dir string, t trial, port int) ([]byte, error) {
	for name, content := range filesOf(t) {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, relocate(dir, content, t.Process.Env), 0o600); err != nil {
			return nil, err
		}
	}
	main := filepath.Join(dir, filepath.FromSlash(t.path()))
	text, err := os.ReadFile(main)
	if err != nil {
		return nil, err
	}
	blocks, err := caddyfile.Parse(main, bytes.NewReader(text), nil)
	if err != nil {
		return nil, err
	}
	site := portOfTrial(t)
	var b strings.Builder
	for _, block := range blocks {
		keys := standaloneKeys(block.Keys, t, site, port)
		if len(keys) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s {\n    bind 127.0.0.1\n", strings.Join(keys, " "))
		for _, name := range slices.Sorted(maps.Keys(block.Tokens)) {
			writeDirective(&b, name, block.Tokens[name], t)
		}
		b.WriteString("}\n")
	}
	return []byte(b.String()), nil
}

func portOfTrial(t trial) int {
	if t.Site.Port != 0 {
		return t.Site.Port
	}
	return 53
}

// relocate makes absolute imports point below dir, and fills in variables that are known.
func relocate(dir string, content []byte, env map[string]string) []byte {
	for name, value := range env {
		content = bytes.ReplaceAll(content, []byte("{$"+name+"}"), []byte(value))
		content = bytes.ReplaceAll(content, []byte("{%"+name+"%}"), []byte(value))
	}
	return regexp.MustCompile(`(?m)^([ \t]*import[ \t]+)/`).ReplaceAll(content, []byte("${1}"+dir+"/"))
}

// standaloneKeys are the addresses of a block that clients of cluster DNS would reach, on our port; blocks for others are
// left out.
func standaloneKeys(keys []string, t trial, site, port int) []string {
	var out []string
	for _, key := range keys {
		key, plain := strings.CutPrefix(strings.TrimSuffix(key, ","), "dns://")
		if !plain && strings.Contains(key, "://") {
			continue
		}
		zone, number := key, t.Process.Port
		if number == 0 {
			number = 53
		}
		if i := strings.LastIndex(key, ":"); i >= 0 {
			n, err := strconv.Atoi(key[i+1:])
			if err != nil {
				continue
			}
			zone, number = key[:i], n
		}
		if number == site {
			out = append(out, zone+":"+strconv.Itoa(port))
		}
	}
	return out
}

// writeDirective writes a directive, or what stands in for it.
func writeDirective(b *strings.Builder, name string, tokens []caddyfile.Token, t trial) {
	switch name {
	case "bind", "health", "ready", "prometheus", "reload", "pprof", "trace", "dnstap", "loop", "autopath", "k8s_external", "tls":
		return
	case "kubernetes":
		fmt.Fprintf(b, "    template IN A %s {\n        match ^%s$\n        answer \"{{ .Name }} 5 IN A 192.0.2.1\"\n        fallthrough\n    }\n",
			dns.Fqdn(t.Domain), regexp.QuoteMeta(t.Cluster.Name))
		fmt.Fprintf(b, "    template IN ANY %s {\n        rcode NXDOMAIN\n    }\n", dns.Fqdn(t.Domain))
		return
	}
	line, file := -1, ""
	for _, token := range tokens {
		if token.Line != line || token.File != file {
			b.WriteString("\n   ")
			line, file = token.Line, token.File
		}
		b.WriteString(" " + quote(token.Text))
	}
	b.WriteString("\n")
}

// quote writes a word so that CoreDNS reads it back.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\r\n\"#") {
		return word
	}
	return `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
}
