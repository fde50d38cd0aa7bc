package policy

import (
	"strconv"
	"strings"

	"github.com/spokedns/spokedns/webhook/claim"
)

// Decision is what was decided for one host in one view, and why. It is made for every host of every
// call, so it holds facts; String turns them into text.
type Decision struct {
	View   string
	Host   string
	Action Action         // Rewrite, Keep, Drop or Hold
	Rule   int            // index of the view's rule that decided; NoRule or Override when none did
	Name   string         // name of that rule, when it has one
	Target string         // what was rewritten to: a target's name, or the values an override gave
	Claims []*claim.Claim // all claims of the host that were looked at, sorted; not to be modified
	Detail *Detail        // nil in the plain case
	// Site is the target of kind wanIP whose addresses the host has, or waits for; "" when it has none.
	Site string
}

// What Decision.Rule holds when no rule decided.
const (
	NoRule   = -1 // no rule matched: the host is kept
	Override = -2 // an annotation on one of the claims decided
)

// Detail is the part of a Decision that only few hosts have.
type Detail struct {
	Reason   string   // why the host, or a part of its records, is held
	Conflict string   // how its claims disagree, and what was done
	Ignored  []string // what was asked for and not done, and why
}

// String reads "public www.example.org: rewrite to hub by rule 2 (everything) for ingress/shop/front".
func (d Decision) String() string {
	var b strings.Builder
	if d.View != "" {
		b.WriteString(d.View + " ")
	}
	b.WriteString(d.Host + ": " + string(d.Action))
	if d.Action == Rewrite {
		b.WriteString(" to " + d.Target)
	}
	switch {
	case d.Action == Hold:
	case d.Rule == Override:
		b.WriteString(" by annotation")
	case d.Rule == NoRule:
		b.WriteString(", no rule matches,")
	default:
		b.WriteString(" by rule " + strconv.Itoa(d.Rule))
		if d.Name != "" {
			b.WriteString(" (" + d.Name + ")")
		}
	}
	for i, c := range d.Claims {
		if i == 0 {
			b.WriteString(" for ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(refText(c))
	}
	if d.Detail != nil {
		d.Detail.write(&b)
	}
	return b.String()
}

func (d *Detail) write(b *strings.Builder) {
	if d.Reason != "" {
		b.WriteString("; held: " + d.Reason)
	}
	if d.Conflict != "" {
		b.WriteString("; conflict: " + d.Conflict)
	}
	for _, s := range d.Ignored {
		b.WriteString("; ignored: " + s)
	}
}

// refText names a claim in messages.
func refText(c *claim.Claim) string {
	if c.Ref == (claim.Ref{}) {
		return "an unnamed object"
	}
	return c.Ref.String()
}
