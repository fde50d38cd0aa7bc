package corefile

import (
	"fmt"
	"slices"
	"strings"
)

// File is a parsed Corefile.
type File struct {
	servers []server
	blocks  []Block // one per server
	imports []ImportPattern
	known   bool
	broken  *Fault
}

// Block is one server block.
type Block struct {
	// Keys are its addresses.
	Keys []Key
	// File is the absolute path of the imported file it is in; empty: the Corefile itself.
	File string
	// Line of its first address, from 1.
	Line int
	// Start and End are its bytes in the Corefile: from its mark or first address to behind its closing brace. Both 0 if
	// it has no braces or comes from an import or a snippet.
	Start, End int
	// Bind holds the arguments of its bind plugins.
	Bind []string
	// Plugins are the names of its directives, in order of appearance, each once.
	Plugins []string
	// Ours is true of a block that we wrote: its mark's checksum fits its content, or, when a migration has dropped the
	// comments, its content is what we write.
	Ours bool
	// Altered is true of a block with our mark that is no longer what we wrote.
	Altered bool
}

// ImportPattern is one import of files.
type ImportPattern struct {
	// Pattern is the absolute path, perhaps with a wildcard.
	Pattern string
	// TopLevel: the imported files hold server blocks; else they hold directives for the block around it.
	TopLevel bool
	// File and Line of the import directive; File is empty in the Corefile itself.
	File string
	Line int
}

// Parse reads a Corefile as CoreDNS would. The error is a *Fault of reason Syntax, Import or Address.
func Parse(src []byte, p Process) (*File, error) {
	ps := newParser(src, p)
	if err := ps.parse(); err != nil {
		return nil, err
	}
	f := &File{servers: ps.servers, imports: ps.imports, known: ps.known, broken: ps.broken}
	where := places{}
	where.add("", src, p)
	for _, s := range f.servers {
		b := Block{File: s.first.file, Line: s.first.line}
		for _, text := range s.keys {
			keys, err := parseKey(text, p)
			if err != nil {
				return nil, ps.faultAt(s.first, Address, "%v", err)
			}
			b.Keys = append(b.Keys, keys...)
		}
		for _, d := range s.directives {
			if !slices.Contains(b.Plugins, d.name) {
				b.Plugins = append(b.Plugins, d.name)
			}
			if d.name == "bind" {
				b.Bind = append(b.Bind, d.args()...)
			}
		}
		where.add(s.first.file, p.Imports[s.first.file], p)
		if pl, ok := where[s.first.file][s.first.start]; ok && !s.first.copied {
			b.Ours, b.Altered = pl.ours, pl.altered()
			if b.File == "" {
				b.Start, b.End = pl.start, pl.end
			}
		}
		f.blocks = append(f.blocks, b)
	}
	return f, nil
}

// places are the outlines of files, by the first byte of a block.
type places map[string]map[int]place

func (ps places) add(file string, src []byte, p Process) {
	if _, there := ps[file]; there {
		return
	}
	ps[file] = map[int]place{}
	o, err := newOutline(src, p.port())
	if err != nil {
		return
	}
	for i, pl := range o.places {
		if pl.here {
			ps[file][o.servers[i].first.start] = pl
		}
	}
}

// Blocks are the server blocks, those of imported files included, in the order in which CoreDNS sees them.
func (f *File) Blocks() []Block { return slices.Clone(f.blocks) }

// Imports are the file patterns that the Corefile imports: "/etc/coredns/custom/*.server" at top level,
// "/etc/coredns/custom/*.override" in a block. Snippets are not among them.
func (f *File) Imports() []ImportPattern { return slices.Clone(f.imports) }

// Site is what this Corefile dictates for our blocks, without the Version, which is not in it. The error is a *Fault of
// reason NoDefault or Bind.
//
// The default block is the one for "." over plain DNS, with the kubernetes plugin if several are; without one, the block
// with the kubernetes plugin.
func (f *File) Site() (Site, error) {
	best, rank := -1, 0
	for i, b := range f.blocks {
		if r := b.defaultRank(); r > rank && !b.Ours && !b.Altered {
			best, rank = i, r
		}
	}
	if best < 0 {
		return Site{}, &Fault{Reason: NoDefault, Text: "no block serves \".\" over plain DNS, and none has the kubernetes plugin: there is nothing to follow"}
	}
	b, s := f.blocks[best], f.servers[best]
	site := Site{Bind: b.Bind}
	for _, k := range b.Keys {
		if k.Transport == "dns" && (site.Port == 0 || k.Zone == "") {
			site.Port = k.Port
		}
	}
	if site.Port == 0 {
		return Site{}, &Fault{File: b.File, Line: b.Line, Reason: NoDefault, Text: "the port of the default block hangs on a variable that is not known"}
	}
	for _, d := range s.directives {
		switch {
		case d.name == "bind" && d.options() != nil:
			return Site{}, &Fault{File: b.File, Line: d.tokens[0].line, Reason: Bind,
				Text: "the bind of the default block leaves addresses out (except): a block of ours cannot follow that yet"}
		case d.name == "prometheus" && d.options() == nil:
			// With options, TLS for example, only one block may say so.
			site.Prometheus = strings.Join(append(d.args(), "localhost:9153")[:1], "")
		}
	}
	return site, nil
}

func (b Block) defaultRank() int {
	rank := 0
	for _, k := range b.Keys {
		if k.Transport != "dns" {
			continue
		}
		rank = max(rank, 1)
		if k.Zone == "" {
			rank = 2
			break
		}
	}
	kubernetes := slices.Contains(b.Plugins, "kubernetes")
	switch {
	case rank == 0, rank == 1 && !kubernetes, slices.Contains(b.Plugins, "view"):
		return 0
	case kubernetes:
		return rank*2 + 1
	}
	return rank * 2
}

// ClusterDomains are the forward zones of the kubernetes plugins in the file: "cluster.local" as a rule.
func (f *File) ClusterDomains() []string {
	var all []string
	for i, s := range f.servers {
		for _, domain := range clusterDomains(s, f.blocks[i].Keys) {
			if !slices.Contains(all, domain) {
				all = append(all, domain)
			}
		}
	}
	return all
}

func clusterDomains(s server, keys []Key) []string {
	var all []string
	for _, d := range s.directives {
		if d.name != "kubernetes" {
			continue
		}
		zones := d.args()
		if len(zones) == 0 {
			for _, k := range keys {
				zones = append(zones, k.Zone)
			}
		}
		for _, zone := range zones {
			zone = canonical(zone)
			if zone != "" && zone != "arpa" && !strings.HasSuffix(zone, ".arpa") {
				all = append(all, zone)
			}
		}
	}
	return all
}

// directiveFault is a finding about d.
func directiveFault(d directive, ours bool, r Reason, format string, args ...any) *Fault {
	return &Fault{File: d.tokens[0].file, Line: d.tokens[0].line, Reason: r, Ours: ours, Text: d.name + ": " + fmt.Sprintf(format, args...)}
}
