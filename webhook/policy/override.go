package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Names of the overrides, as properties of endpoints. As annotations they are "<prefix>webhook-target".
const (
	propTarget = "webhook/target"
	propView   = "webhook/view"
	propTTL    = "webhook/ttl"
)

// External-dns reads annotations by one of these prefixes; where an object has both, the newer wins.
const (
	newerPrefix = "external-dns.kubernetes.io/"
	olderPrefix = "external-dns.alpha.kubernetes.io/"
)

// Annotations of the hub-and-spoke operator, so that its users can move over as they are.
const (
	seedTarget = "hub-dns-operator.io/target-hostname"
	seedType   = "hub-dns-operator.io/record-type"
)

// texts are a claim's overrides as they were written.
type texts struct{ target, view, ttl, seedTarget, seedType string }

// wish is a claim's overrides as they are understood.
type wish struct {
	keep   bool
	answer *answer  // rewrite to this
	views  []string // only these; nil: all
	ttl    endpoint.TTL
}

// fromProperties adds the overrides among the properties. Where endpoints of one object disagree, the
// smaller text wins: any choice will do that does not depend on their order.
func (t *texts) fromProperties(props endpoint.ProviderSpecific) {
	for _, p := range props {
		switch p.Name {
		case propTarget:
			t.target = lesser(t.target, p.Value)
		case propView:
			t.view = lesser(t.view, p.Value)
		case propTTL:
			t.ttl = lesser(t.ttl, p.Value)
		}
	}
}

// lesser is the smaller of two texts of which the empty one is none.
func lesser(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

// fromAnnotations takes the overrides among the annotations, for what is not there yet.
func (t *texts) fromAnnotations(annotations map[string]string) {
	var newer, older texts
	for key, value := range annotations {
		if name, ok := strings.CutPrefix(key, newerPrefix); ok {
			newer.set(name, value)
		} else if name, ok := strings.CutPrefix(key, olderPrefix); ok {
			older.set(name, value)
		} else if key == seedTarget {
			t.seedTarget = value
		} else if key == seedType {
			t.seedType = value
		}
	}
	t.target = cmp.Or(t.target, newer.target, older.target)
	t.view = cmp.Or(t.view, newer.view, older.view)
	t.ttl = cmp.Or(t.ttl, newer.ttl, older.ttl)
}

func (t *texts) set(name, value string) {
	switch name {
	case "webhook-target":
		t.target = value
	case "webhook-view":
		t.view = value
	case "webhook-ttl":
		t.ttl = value
	}
}

const switchedOff = "this override is switched off"

// settle reads the overrides of a claim. What cannot be understood is ignored with the reason.
func (r *run) settle(a *ask) {
	a.texts.fromAnnotations(a.claim.Annotations)
	if a.texts == (texts{}) {
		return
	}
	on := r.policy.overrides
	switch {
	case on.target:
		r.settleSeed(a)
	case a.texts.seedTarget != "":
		r.ignore(a, seedTarget, a.texts.seedTarget, switchedOff)
	case a.texts.seedType != "":
		r.ignore(a, seedType, a.texts.seedType, switchedOff)
	}
	r.override(a, "webhook-target", a.texts.target, on.target, r.policy.wishTarget)
	r.override(a, "webhook-view", a.texts.view, on.view, r.policy.wishView)
	r.override(a, "webhook-ttl", a.texts.ttl, on.ttl, wishTTL)
}

// override applies one of them.
func (r *run) override(a *ask, name, text string, on bool, apply func(*wish, string) string) {
	switch {
	case text == "":
	case !on:
		r.ignore(a, name, text, switchedOff)
	default:
		if why := apply(&a.wish, text); why != "" {
			r.ignore(a, name, text, why)
		}
	}
}

func (r *run) ignore(a *ask, name, text, why string) {
	r.ignored = append(r.ignored, refText(a.claim)+": "+name+" "+strconv.Quote(text)+": "+why)
}

// words cuts a list at commas and white space.
func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' || c == '\n' })
}

// wishTarget reads "keep", the name of a target, addresses, or one host name.
func (p *Policy) wishTarget(w *wish, text string) (why string) {
	list := words(text)
	if len(list) == 1 {
		if list[0] == string(Keep) {
			w.keep, w.answer = true, nil
			return ""
		}
		if a := p.targets[list[0]]; a != nil {
			w.keep, w.answer = false, a
			return ""
		}
	}
	a, bad, err := parseAnswer(list)
	switch {
	case len(list) == 0:
		return "names nothing"
	case err != nil:
		return strconv.Quote(list[bad]) + ` is neither "keep", nor a configured target, nor an address or host name that can stand here`
	}
	w.keep, w.answer = false, a
	return ""
}

// wishView reads a list of views, which restricts where the claim is published. Names that are not
// configured are reported; when none is, nothing is restricted, so that a typing mistake unpublishes
// nothing.
func (p *Policy) wishView(w *wish, text string) (why string) {
	var unknown []string
	for _, name := range words(text) {
		if slices.Contains(p.names, name) {
			w.views = append(w.views, name)
		} else {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return "no such view: " + strings.Join(unknown, ", ") + " (there are " + strings.Join(p.names, ", ") + ")"
	}
	return ""
}

// wishTTL reads seconds or a Go duration.
func wishTTL(w *wish, text string) (why string) {
	text = strings.TrimSpace(text)
	ttl, err := time.ParseDuration(text)
	if n, numErr := strconv.ParseInt(text, 10, 32); numErr == nil {
		ttl, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || ttl < time.Second || ttl > backend.MaxTTL {
		return "want seconds or a duration like 5m, from 1s to 2147483647s"
	}
	w.ttl = seconds(ttl)
	return ""
}

// settleSeed honours the hub-and-spoke operator's annotations: a host name is published as CNAME and not
// rewritten, and so is a load balancer's own name where the record type says CNAME; an address counts as
// the object's own.
func (r *run) settleSeed(a *ask) {
	text, typ := a.texts.seedTarget, a.texts.seedType
	cname := strings.EqualFold(strings.TrimSpace(typ), endpoint.RecordTypeCNAME)
	if text == "" {
		if cname {
			if len(a.own) == 0 || slices.ContainsFunc(a.own, isAddress) {
				r.ignore(a, seedType, typ, "a CNAME points to a host name, and the object has none")
			} else {
				a.wish.keep = true
			}
		}
		return
	}
	switch kind, value, err := parseValue(text); {
	case err != nil:
		r.ignore(a, seedTarget, text, err.Error())
	case kind == endpoint.RecordTypeCNAME:
		a.wish.answer = &answer{name: value, host: []string{value}}
	case cname:
		r.ignore(a, seedType, typ, "the target is an address, and a CNAME points to a host name")
		fallthrough
	default:
		a.seed, a.old, a.own = true, a.own, []string{value}
	}
}
