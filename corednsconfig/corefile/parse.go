package corefile

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// directive is one line of a server block with what its braces hold.
type directive struct {
	name   string
	tokens []token // the name first; references replaced where CoreDNS replaces them
}

// server is a server block as CoreDNS's parser groups it.
type server struct {
	keys       []string
	first      token // the first address, as it stands in its file
	last       token // the closing brace; without braces the last token
	braces     bool
	directives []directive
}

// The parser below follows CoreDNS's (github.com/coredns/caddy/caddyfile) step by step, because its oddities decide what a
// running CoreDNS does: it looks at the token list through a cursor, an import replaces two tokens of that list by what is
// imported, and whether a token starts a line is asked of its neighbour in the list. What differs: files, snippets and
// variables come from values, every token knows its bytes, and imports of unknown files are stepped over.
type parser struct {
	process Process
	tokens  []token
	cursor  int

	snippets map[string][]token
	imports  []ImportPattern
	known    bool               // no reference was left as it stands, no import stepped over
	words    map[int]importWord // by where they start in the Corefile
	expanded int                // imports carried out
	work     int                // tokens moved by them
	servers  []server
	block    server
	broken   *Fault // CoreDNS lets it pass, but nothing can be put next to it: see contents
}

// A Corefile of a cluster is a few hundred tokens; an import that goes round in circles must still come to an end.
const (
	maxImports    = 1000
	maxImportWork = 4_000_000
)

// importWord is a word of an import directive, which says nothing to the grammar even if it is a brace.
type importWord struct{ topLevel bool }

func newParser(src []byte, p Process) *parser {
	return &parser{process: p, tokens: lex("", src), cursor: -1, known: true, words: map[int]importWord{}}
}

func (p *parser) parse() error {
	for p.next() {
		p.block = server{first: p.at(p.cursor)}
		if err := p.one(); err != nil {
			return err
		}
		if len(p.block.keys) > 0 {
			p.servers = append(p.servers, p.block)
		}
	}
	return nil
}

func (p *parser) one() error {
	eof, err := p.addresses()
	if err != nil || eof {
		return err
	}
	if name, ok := snippetName(p.block.keys); ok {
		return p.snippet(name)
	}
	return p.contents()
}

// addresses reads up to the opening brace or the first directive.
func (p *parser) addresses() (eof bool, err error) {
	another := false
	for {
		text := p.expand(p.val())
		if text == "import" && p.newLine() {
			if err := p.doImport(true); err != nil {
				return false, err
			}
			continue
		}
		if text == "{" {
			if another {
				return false, p.fault(Syntax, "expected another address but had %q: check for an extra comma", text)
			}
			return false, nil
		}
		if text != "" {
			if len(p.block.keys) == 0 {
				p.block.first = p.at(p.cursor)
			}
			p.block.last = p.at(p.cursor)
			text, another = strings.CutSuffix(text, ",")
			if text == "{" || text == "}" {
				p.broken = p.fault(Syntax, "%q stands where a zone is expected: CoreDNS takes it for one", text)
			}
			p.block.keys = append(p.block.keys, text)
		}
		more := p.next()
		if !more && another {
			return false, p.fault(Syntax, "the file ends after a comma, where another address is expected")
		}
		if !more {
			return true, nil
		}
		if !another && p.newLine() {
			return false, nil
		}
	}
}

func snippetName(keys []string) (string, bool) {
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "(") || !strings.HasSuffix(keys[0], ")") {
		return "", false
	}
	return strings.TrimSuffix(keys[0][1:], ")"), true
}

func (p *parser) snippet(name string) error {
	if _, there := p.snippets[name]; there {
		return p.fault(Syntax, "snippet %q is declared twice", name)
	}
	if p.val() != "{" {
		return p.fault(Syntax, "unexpected %q after the name of snippet %q: want {", p.val(), name)
	}
	body := []token{}
	depth := 1
	for p.next() {
		if p.val() == "}" {
			if depth--; depth == 0 {
				break
			}
		}
		if p.val() == "{" {
			depth++
		}
		body = append(body, p.at(p.cursor))
	}
	if depth != 0 {
		return p.fault(Syntax, "the braces of snippet %q are not closed", name)
	}
	for i := range len(body) - 1 {
		if body[i].text == "import" && (i == 0 || body[i-1].file != body[i].file || body[i-1].line != body[i].line) && p.expand(body[i+1].text) == name {
			return p.faultAt(body[i], Import, "snippet %q imports itself", name)
		}
	}
	if p.snippets == nil {
		p.snippets = map[string][]token{}
	}
	p.snippets[name] = body
	p.block.keys = nil
	return nil
}

func (p *parser) contents() error {
	p.block.braces = p.val() == "{"
	opening := p.at(min(p.cursor, len(p.tokens)-1))
	if !p.block.braces {
		p.cursor-- // a file of one server needs no braces
	}
	closed := false
	for p.next() {
		p.block.last = p.at(p.cursor)
		if p.val() == "}" {
			closed = true
			break
		}
		if p.val() == "import" {
			if err := p.doImport(false); err != nil {
				return err
			}
			p.cursor--
			continue
		}
		if err := p.directive(); err != nil {
			return err
		}
		p.block.last = p.at(p.cursor)
	}
	if p.block.braces && !closed {
		fault := p.fault(Syntax, "the block of line %d is not closed: the file ends after %q, want }", p.block.first.line, p.val())
		if p.val() != "}" {
			return fault
		}
		// CoreDNS looks at the last word only, and takes the brace of an option for that of the block.
		p.broken = fault
	}
	first, last := p.block.first, p.block.last
	mixed := p.block.braces && closed && (last.copied != opening.copied || last.file != opening.file || first.copied != opening.copied)
	mixed = mixed || first.copied && !last.copied || first.copied && slices.ContainsFunc(p.block.directives, func(d directive) bool { return !d.tokens[0].copied })
	if mixed {
		p.broken = p.faultAt(opening, Syntax, "an import brings one half of this block, the other half stands here: nobody can tell what belongs to it")
	}
	return nil
}

// directive reads to the end of the line, or of the braces that open on it.
func (p *parser) directive() error {
	d := directive{name: p.expand(p.val()), tokens: []token{p.at(p.cursor)}}
	if d.name == "{" {
		p.broken = p.fault(Syntax, "{ stands where a directive is expected")
	}
	open := 0
	for p.next() {
		switch {
		case p.val() == "{":
			open++
		case p.newLine() && open == 0:
			p.cursor--
			p.block.directives = append(p.block.directives, d)
			return nil
		case p.val() == "}" && open > 0:
			open--
		case p.val() == "}":
			return p.fault(Syntax, "unexpected }: no brace is open on this line")
		case p.val() == "import" && p.newLine():
			if err := p.doImport(false); err != nil {
				return err
			}
			p.cursor--
			continue
		}
		p.tokens[p.cursor].text = p.expand(p.val())
		d.tokens = append(d.tokens, p.tokens[p.cursor])
	}
	if open > 0 {
		return p.fault(Syntax, "the file ends inside the braces of %q on line %d", d.name, d.tokens[0].line)
	}
	p.block.directives = append(p.block.directives, d)
	return nil
}

// doImport replaces "import <pattern>" in the list of tokens. Afterwards the cursor is on the first imported token.
func (p *parser) doImport(topLevel bool) error {
	at := p.cursor
	if !p.nextOnLine() {
		return p.fault(Import, "import needs a file, a pattern or the name of a snippet")
	}
	arg := p.at(p.cursor)
	pattern := p.expand(arg.text)
	if pattern == "" {
		return p.fault(Import, "import of an empty path")
	}
	if p.nextOnLine() {
		return p.fault(Import, "import takes one argument, a path, a pattern or the name of a snippet; %q is too much", p.val())
	}
	p.cursor = at
	imported, isSnippet := p.snippets[pattern]
	if isSnippet && imported != nil {
		imported = slices.Clone(imported)
		for i := range imported {
			imported[i].copied = true
		}
	} else {
		var err error
		if imported, err = p.files(arg, pattern, topLevel); err != nil {
			return err
		}
	}
	if arg.file == "" && !arg.copied {
		p.words[arg.start] = importWord{topLevel}
		if topLevel {
			p.words[p.at(at).start] = importWord{topLevel}
		}
	}
	p.expanded++
	if p.work += len(p.tokens) + len(imported); p.work > maxImportWork || p.expanded > maxImports {
		return p.faultAt(arg, Import, "import %s: the imports grow without end", pattern)
	}
	p.tokens = slices.Concat(p.tokens[:at], imported, p.tokens[at+2:])
	return nil
}

// files are the tokens of the files that match pattern.
func (p *parser) files(arg token, pattern string, topLevel bool) ([]token, error) {
	if !path.IsAbs(pattern) {
		from := arg.file
		if from == "" {
			from = p.process.path()
		}
		pattern = path.Join(path.Dir(from), pattern)
	}
	if strings.Count(pattern, "*") > 1 || strings.Count(pattern, "?") > 1 || strings.Contains(pattern, "[") && strings.Contains(pattern, "]") {
		return nil, p.faultAt(arg, Import, "import %s: CoreDNS takes one wildcard (*) in a pattern, not more", pattern)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, p.faultAt(arg, Import, "import %s: not a pattern", pattern)
	}
	p.imports = append(p.imports, ImportPattern{Pattern: pattern, TopLevel: topLevel, File: arg.file, Line: arg.line})
	if p.process.Imports == nil {
		p.known = false
		return nil, nil
	}
	matches := matching(p.process.Imports, pattern)
	if len(matches) == 0 && !strings.ContainsAny(pattern, "*?[]") {
		return nil, p.faultAt(arg, Import, "import %s: there is no such file; CoreDNS does not start", pattern)
	}
	var all []token
	for _, name := range matches {
		all = append(all, lex(name, p.process.Imports[name])...)
	}
	return all, nil
}

// matching are the names of files that a glob finds, in the order of a glob: directory by directory.
func matching(files map[string][]byte, pattern string) []string {
	var names []string
	wild := strings.ContainsAny(pattern, `*?[\`)
	for name := range files {
		if name == pattern && !wild {
			names = append(names, name)
		} else if ok, err := path.Match(pattern, name); ok && err == nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	return names
}

func (p *parser) at(i int) token { return p.tokens[i] }

func (p *parser) val() string {
	if p.cursor < 0 || p.cursor >= len(p.tokens) {
		return ""
	}
	return p.tokens[p.cursor].text
}

func (p *parser) next() bool {
	if p.cursor >= len(p.tokens)-1 {
		return false
	}
	p.cursor++
	return true
}

func (p *parser) nextOnLine() bool {
	if p.cursor >= len(p.tokens)-1 {
		return false
	}
	here, there := p.tokens[p.cursor], p.tokens[p.cursor+1]
	if here.file != there.file || here.line+here.breaks() != there.line {
		return false
	}
	p.cursor++
	return true
}

func (p *parser) newLine() bool {
	if p.cursor < 1 {
		return true
	}
	return p.cursor < len(p.tokens) && !p.tokens[p.cursor].follows(p.tokens[p.cursor-1])
}

func (p *parser) fault(r Reason, format string, args ...any) *Fault {
	if len(p.tokens) == 0 {
		return &Fault{Reason: r, Text: fmt.Sprintf(format, args...)}
	}
	return p.faultAt(p.tokens[min(max(p.cursor, 0), len(p.tokens)-1)], r, format, args...)
}

func (p *parser) faultAt(t token, r Reason, format string, args ...any) *Fault {
	return &Fault{File: t.file, Line: t.line, Reason: r, Text: fmt.Sprintf(format, args...)}
}
