package main

import (
	"fmt"
	"strings"
	"time"
)

// row is one piece of work: who did it how fast, and what we promised.
type row struct {
	work    string
	peers   []cell
	limits  []cell // what the machine and the server can do at best
	ours    []cell
	targets []target
	facts   []string // ratios without a promise
	note    string
}

// cell is one measured number.
type cell struct {
	label   string
	samples samples
	text    string // instead of samples, for what is no duration, or was not measured
}

// target is a promise and whether it was kept in this run.
type target struct {
	text string
	got  string
	met  bool
}

// took is a cell with a time.
func took(label string, s samples) cell { return cell{label: label, samples: s} }

// said is a cell with words.
func said(label, format string, args ...any) cell {
	return cell{label: label, text: fmt.Sprintf(format, args...)}
}

// faster promises that ours is at least factor times as fast as the peer.
func (r *row) faster(factor float64, peer, ours cell) {
	got := peer.samples.median().Seconds() / ours.samples.median().Seconds()
	r.targets = append(r.targets, target{fmt.Sprintf("≥ %g × %s", factor, peer.label), fmt.Sprintf("%.3g ×", got), got >= factor})
}

// within promises that ours takes at most the given time.
func (r *row) within(most time.Duration, ours cell) {
	got := ours.samples.median()
	r.targets = append(r.targets, target{strings.TrimSpace(ours.label + " ≤ " + most.String()), short(got), got <= most})
}

// near promises that ours takes at most factor times as long as the other.
func (r *row) near(factor float64, other, ours cell) {
	got := ours.samples.median().Seconds() / other.samples.median().Seconds()
	r.targets = append(r.targets, target{fmt.Sprintf("≤ %g × %s", factor, other.label), fmt.Sprintf("%.2f ×", got), got <= factor})
}

// beside says how far ours is from the limit, as a fact without a promise.
func (r *row) beside(limit, ours cell) {
	got := ours.samples.median().Seconds() / limit.samples.median().Seconds()
	r.facts = append(r.facts, fmt.Sprintf("%.2f × the limit", got))
}

// promise is any other target.
func (r *row) promise(met bool, got, format string, args ...any) {
	r.targets = append(r.targets, target{fmt.Sprintf(format, args...), got, met})
}

// String is the median, and the range where there is one: "147 ms (144–167 ms)".
func (c cell) String() string {
	var b strings.Builder
	if c.label != "" {
		b.WriteString(c.label + ": ")
	}
	switch lowest, highest := c.span(); {
	case c.text != "":
		b.WriteString(c.text)
	case len(c.samples) < 2:
		b.WriteString(short(c.samples.median()) + " (once)")
	default:
		fmt.Fprintf(&b, "%s (%s–%s)", short(c.samples.median()), short(lowest), short(highest))
	}
	return b.String()
}

func (c cell) span() (lowest, highest time.Duration) {
	for i, d := range c.samples {
		if i == 0 || d < lowest {
			lowest = d
		}
		highest = max(highest, d)
	}
	return lowest, highest
}

func (t target) String() string {
	if t.met {
		return t.text + ": " + t.got
	}
	return t.text + ": " + t.got + " MISSED"
}

// report is the result of a run.
type report struct {
	date     time.Time
	command  string
	machine  []string
	n, large int
	rows     []row
}

// text is the report for a terminal.
func (r report) text() string {
	var b strings.Builder
	for _, row := range r.rows {
		fmt.Fprintf(&b, "\n%s\n", row.work)
		for _, part := range []struct {
			title string
			cells []cell
		}{{"peer", row.peers}, {"limit", row.limits}, {"ours", row.ours}} {
			for _, c := range part.cells {
				fmt.Fprintf(&b, "  %-6s %s\n", part.title, c)
			}
		}
		for _, t := range row.targets {
			fmt.Fprintf(&b, "  %-6s %s\n", "target", t)
		}
		for _, f := range row.facts {
			fmt.Fprintf(&b, "  %-6s %s\n", "", f)
		}
		if row.note != "" {
			fmt.Fprintf(&b, "  %-6s %s\n", "note", row.note)
		}
	}
	return b.String()
}

// markdown is the report as a page of the documentation.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Performance

Written by `+"`make bench`"+`; not edited by hand. The numbers are medians (lowest–highest) of one run in which
peers and ours took turns. A name has one address and one ownership text of about 100 bytes, so N names are 2N
records. Peers are external-dns's own providers, driven as libraries; limits are the same work done by the
shortest program that speaks the protocol, without any of the safety. The clouds are stand-ins that refuse what
the services refuse, the same one for peers and ours: what counts there is the number of calls, and the time over a
simulated distance.

- date: %s
- command: `+"`%s`"+`
`, r.date.UTC().Format("2006-01-02 15:04 UTC"), strings.TrimSpace(r.command))
	for _, line := range r.machine {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n| work | peer | limit | ours | target: reached |\n|---|---|---|---|---|\n")
	for _, row := range r.rows {
		var targets []string
		for _, t := range row.targets {
			if t.met {
				targets = append(targets, t.String())
			} else {
				targets = append(targets, "**"+t.String()+"**")
			}
		}
		targets = append(targets, row.facts...)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.work, lines(row.peers), lines(row.limits), lines(row.ours), strings.Join(targets, "<br>"))
	}
	b.WriteString("\n## Notes\n\n")
	for _, row := range r.rows {
		if row.note != "" {
			fmt.Fprintf(&b, "- **%s**: %s\n", row.work, row.note)
		}
	}
	return b.String()
}

func lines(cells []cell) string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = c.String()
	}
	return strings.Join(out, "<br>")
}
