package corefile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Edit puts blocks for want into src, changes those that are there, and takes out those no longer wanted; want nil
// takes out all. Nothing else moves: with no block of ours in src,
//
//	Edit(Edit(src, want, site), nil, site) == src
//	Edit(Edit(src, want, site), want, site) == Edit(src, want, site)
//
// A src in which our blocks already say what is wanted comes back as it is. Every edit is proved with CoreDNS's own
// lexer and parser before it is handed out. An error joins one or more *Fault, and then src must be left alone.
//
// src may be empty: then the result is a file of our blocks alone, as a key of a custom ConfigMap holds it.
func Edit(src []byte, want []Forward, site Site) ([]byte, error) {
	want, err := settle(want)
	if err != nil {
		return nil, err
	}
	if err := checkSite(want, site); err != nil {
		return nil, err
	}
	before, err := newOutline(src, site.Port)
	if err != nil {
		return nil, err
	}
	if err := before.refuse(want, site); err != nil {
		return nil, err
	}
	var blocks []rendered
	for _, f := range want {
		blocks = append(blocks, render(f, site))
	}
	if before.says(blocks) {
		return bytes.Clone(src), nil
	}
	var failed error
	for _, next := range before.candidates(blocks) {
		if failed = prove(before, next, blocks); failed == nil {
			return next, nil
		}
	}
	return nil, &Fault{Reason: Unproven, Text: fmt.Sprintf("the edit could not be proved to leave everything else as it is, so it is not made: %v", failed)}
}

func checkSite(want []Forward, site Site) error {
	if len(want) > 0 && (site.Port < 1 || site.Port > 65535) {
		return &Fault{Reason: Port, Ours: true, Text: fmt.Sprintf("port %d of the default block: want 1 to 65535", site.Port)}
	}
	for _, word := range append(slices.Clone(site.Bind), site.Prometheus) {
		if strings.ContainsAny(word, "\"\\#{}\r\n \t") && !isReference(word) {
			return &Fault{Reason: Bind, Ours: true, Text: fmt.Sprintf("%q is not an address that a block of ours can repeat", word)}
		}
	}
	return nil
}

// isReference accepts addresses made of variables, such as {$POD_IP}:9153.
func isReference(word string) bool {
	return (strings.Contains(word, "{$") || strings.Contains(word, "{%")) && !strings.ContainsAny(word, "\"\\#\r\n \t")
}

// refuse names what stands in the way of the wishes: zones that somebody else serves, names of the cluster itself, and
// blocks of ours that somebody has changed and nobody wants.
func (o *outline) refuse(want []Forward, site Site) error {
	var faults []error
	for i, pl := range o.places {
		first := o.servers[i].first
		add := func(r Reason, format string, args ...any) {
			faults = append(faults, &Fault{File: first.file, Line: first.line, Reason: r, Ours: true, Text: fmt.Sprintf(format, args...)})
		}
		for _, domain := range clusterDomains(o.servers[i], pl.keys) {
			for _, zone := range zonesOf(want) {
				if how := overlap(zone, domain); how != "" {
					add(ClusterDomain, "zone %q %s, which is served here", zone, how)
				}
			}
		}
		served := slices.IndexFunc(pl.keys, func(k Key) bool {
			return k.Transport == "dns" && k.Port == site.Port && slices.Contains(zonesOf(want), k.Zone)
		})
		switch {
		case pl.ours:
		case served >= 0 && !pl.marked:
			add(UserZone, "zone %q is already served by a block that is not ours: take the block or the zone away", pl.keys[served].Zone)
		case served < 0 && pl.marked:
			add(Altered, "this block carries our mark but was changed, and its zone is not asked for: take the mark or the block away")
		}
	}
	return errors.Join(faults...)
}

func zonesOf(want []Forward) []string {
	var all []string
	for _, f := range want {
		all = append(all, f.Zones...)
	}
	return all
}

// says reports whether our blocks in the file are these, in any order.
func (o *outline) says(blocks []rendered) bool {
	var there, wanted []string
	for _, pl := range o.places {
		if pl.altered() {
			return false
		}
		if pl.ours {
			there = append(there, pl.content)
		}
	}
	for _, b := range blocks {
		wanted = append(wanted, b.content)
	}
	slices.Sort(there)
	slices.Sort(wanted)
	return slices.Equal(there, wanted)
}

// candidates are the files in which our blocks are these; the first that can be proved is the answer.
func (o *outline) candidates(blocks []rendered) [][]byte {
	if old := o.mine(); len(old) > 0 {
		return [][]byte{o.replace(old, blocks)}
	}
	// Behind everything, so that no line of the user's gets another number; before everything if the file ends in a block
	// without braces, which would swallow what follows it.
	eol := lineEnd(o.src)
	body := bytes.TrimPrefix(o.src, []byte(byteOrderMark))
	mark := o.src[:len(o.src)-len(body)]
	ours := lines(blocks, eol)
	behind := slices.Concat(o.src, []byte(eol+ours))
	if len(body) == 0 || body[len(body)-1] == '\n' {
		behind = slices.Concat(o.src, []byte(ours+eol))
	}
	return [][]byte{behind, slices.Concat(mark, []byte(ours+eol), body)}
}

// replace puts blocks where the first of old is and takes out the others. A block goes with the end of its line, or, at the
// end of a file without one, with the line end before it, as candidates puts it there.
func (o *outline) replace(old []place, blocks []rendered) []byte {
	var out []byte
	from := 0
	for i, pl := range old {
		eol := lineEnd(o.src[pl.start:])
		out = append(out, o.src[from:pl.start]...)
		from = pl.end
		switch rest := o.src[pl.end:]; {
		case i == 0 && len(blocks) > 0:
			out = append(out, lines(blocks, eol)...)
		case bytes.HasPrefix(rest, []byte(eol)):
			from += len(eol)
		case len(rest) == 0:
			out = bytes.TrimSuffix(out, []byte(eol))
		}
	}
	return append(out, o.src[from:]...)
}

// lineEnd is that of the first line of src.
func lineEnd(src []byte) string {
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// lines is without a line end at its end.
func lines(blocks []rendered, eol string) string {
	var all []string
	for _, b := range blocks {
		all = append(all, b.lines...)
	}
	return strings.Join(all, eol)
}
