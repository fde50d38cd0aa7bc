package view

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteZones lists for people which zones the views have as of the last Records, where each comes from, and why
// nothing is published into those that wait.
func (p *Provider) WriteZones(w io.Writer) error {
	z := p.zoning.Load()
	places := slices.SortedFunc(maps.Keys(z.of), func(a, b place) int {
		return cmp.Or(cmp.Compare(slices.Index(p.all, a.view), slices.Index(p.all, b.view)), strings.Compare(a.zone, b.zone))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VIEW\tZONE\tSTATE\tFROM\tREASON")
	for _, at := range places {
		m := z.of[at]
		from := "configuration"
		if m.found != nil {
			from = "DNSZone " + m.found.Object
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", at.view.Name, at.zone, m.state(), from, m.waits)
	}
	if err := p.Ready(); err != nil {
		fmt.Fprintf(table, "\nwhich zones there are is not known now: %v\n", err)
	}
	return table.Flush()
}
