package dialect

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// A chartServer is a server block as values of the CoreDNS chart.
type chartServer struct {
	Zones   []chartZone   `yaml:"zones"`
	Port    int           `yaml:"port,omitempty"`
	Plugins []chartPlugin `yaml:"plugins"`
}

type chartZone struct {
	Zone   string `yaml:"zone"`
	Scheme string `yaml:"scheme,omitempty"`
	// UseTCP opens the port of the Service for TCP too; some versions of the chart do without.
	UseTCP bool `yaml:"use_tcp,omitempty"`
}

type chartPlugin struct {
	Name        string `yaml:"name"`
	Parameters  string `yaml:"parameters,omitempty"`
	ConfigBlock string `yaml:"configBlock,omitempty"`
}

// The lines around what is ours in the values, and before what we had to copy because our list replaces the chart's.
const (
	valuesBegin = "# spokedns: begin. What is up to the end is written by spokedns; changes are lost."
	valuesChart = "# spokedns: the servers as the chart had them, because a list in values replaces the chart's. Yours to change."
	valuesEnd   = "# spokedns: end."
	// valuesJoined is in the begin line where the text before had no line end.
	valuesJoined = " (joined)"
)

// chartServers turns server blocks into values. The chart writes them out again as the same words; that is proved. The chart
// makes the ports of the Service of the values too, so tcp says whether it is to be open for TCP.
func chartServers(text []byte, tcp bool) ([]chartServer, error) {
	file, err := corefile.Parse(text, corefile.Process{})
	if err != nil {
		return nil, err
	}
	var servers []chartServer
	written := blocksOf(text)
	blocks := slices.DeleteFunc(file.Blocks(), func(b corefile.Block) bool { return b.File != "" })
	if len(blocks) != len(written) {
		return nil, fmt.Errorf("%d server blocks are read, %d stand in the text", len(blocks), len(written))
	}
	for i, w := range written {
		var s chartServer
		for _, k := range blocks[i].Keys {
			if s.Port != 0 && s.Port != k.Port {
				return nil, fmt.Errorf("the addresses %s have several ports, values have one", strings.Join(w.keys, " "))
			}
			s.Port = k.Port
			z := chartZone{Zone: k.Zone, UseTCP: tcp && k.Transport == "dns"}
			if z.Zone == "" {
				z.Zone = "."
			}
			if k.Transport != "dns" {
				z.Scheme = k.Transport + "://"
			}
			s.Zones = append(s.Zones, z)
		}
		for _, l := range w.lines {
			p := chartPlugin{Name: l.words[0], Parameters: quoteAll(l.words[1:])}
			if l.words[0] == "kubernetes" {
				// The chart puts the cluster's domain in front of the parameters, each time.
				p.Parameters = quoteAll(distinct(l.words[1:]))
			}
			if l.inner != nil {
				p.ConfigBlock = strings.Join(render(l.inner, ""), "\n")
			}
			s.Plugins = append(s.Plugins, p)
		}
		servers = append(servers, s)
	}
	return servers, proveChart(servers, written)
}

// proveChart writes the values out as the chart does and compares the words.
func proveChart(servers []chartServer, written []written) error {
	for i, b := range blocksOf(renderChart(servers)) {
		if len(b.lines) != len(written[i].lines) {
			return fmt.Errorf("block %s does not survive as values", strings.Join(b.keys, " "))
		}
		for j, l := range b.lines {
			was := written[i].lines[j]
			if l.words[0] == "kubernetes" {
				was.words = distinct(was.words)
			}
			if len(l.inner) == 0 && len(was.inner) == 0 {
				l.inner, was.inner = nil, nil
			}
			if !reflect.DeepEqual(l, was) {
				return fmt.Errorf("plugin %s in block %s does not survive as values", l.words[0], strings.Join(b.keys, " "))
			}
		}
	}
	return nil
}

func renderChart(servers []chartServer) []byte {
	var text bytes.Buffer
	for _, s := range servers {
		var zones []string
		for _, z := range s.Zones {
			zones = append(zones, fmt.Sprintf("%s%s:%d", z.Scheme, z.Zone, s.Port))
		}
		fmt.Fprintf(&text, "%s {\n", strings.Join(zones, " "))
		for _, p := range s.Plugins {
			fmt.Fprintf(&text, "    %s %s", p.Name, p.Parameters)
			if p.ConfigBlock != "" {
				fmt.Fprintf(&text, " {\n%s\n    }", p.ConfigBlock)
			}
			text.WriteString("\n")
		}
		text.WriteString("}\n")
	}
	return text.Bytes()
}

func distinct(words []string) []string {
	var all []string
	for _, w := range words {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

func render(lines []line, indent string) []string {
	var text []string
	for _, l := range lines {
		if l.inner == nil {
			text = append(text, indent+quoteAll(l.words))
			continue
		}
		text = append(text, indent+quoteAll(l.words)+" {")
		text = append(text, render(l.inner, indent+"  ")...)
		text = append(text, indent+"}")
	}
	return text
}

// quoteAll writes words so that CoreDNS's lexer reads them as they are.
func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " \t\r\n#\"") {
			quoted[i] = `"` + strings.ReplaceAll(w, `"`, `\"`) + `"`
		}
	}
	return strings.Join(quoted, " ")
}

// section is our part of the values: from the beginning of its first line to the end of its last, and what it says.
type section struct {
	start, end int
	chart      string // the lines below valuesChart
	hasChart   bool
}

// findSection looks for the marks. Marks that are not a pair are a fault.
func findSection(values string) (section, bool, error) {
	begins, ends := strings.Count(values, valuesBegin), strings.Count(values, valuesEnd)
	if begins == 0 && ends == 0 {
		return section{}, false, nil
	}
	start, end := strings.Index(values, valuesBegin), strings.Index(values, valuesEnd)
	if begins != 1 || ends != 1 || end < start {
		return section{}, false, &corefile.Fault{Reason: corefile.Altered, Ours: true, Line: 1 + strings.Count(values[:max(start, end, 0)], "\n"),
			Text: "the lines that mark what is ours are no longer a pair: take them away with what is between them"}
	}
	s := section{end: end + len(valuesEnd)}
	if strings.HasPrefix(values[s.end:], "\n") {
		s.end++
	}
	s.start = strings.LastIndexByte(values[:start], '\n') + 1
	if strings.HasPrefix(values[start+len(valuesBegin):], valuesJoined) && s.start > 0 {
		s.start--
	}
	if at := strings.Index(values[start:end], valuesChart); at >= 0 {
		s.hasChart = true
		s.chart = strings.TrimPrefix(values[start+at+len(valuesChart):end], "\n")
	}
	return s, true, nil
}

func marshalServers(servers []chartServer) (string, error) {
	text, err := yaml.MarshalWithOptions(servers, yaml.UseLiteralStyleIfMultiline(true))
	return string(text), err
}

// indented puts spaces in front of every line that has text.
func indented(text, indent string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			lines[i] = indent + l
		}
	}
	return strings.Join(lines, "")
}
