package webhook

import (
	"testing"
	"time"
)

// A DNSZone makes names publishable, and stops doing so, while the webhook and external-dns run on. What stands in a
// zone that has left stays, and no other zone changes.
func TestZonesComeAndGo(t *testing.T) {
	t.Parallel()
	p := newParts(t, []string{"fixed.test", "one.test", "two.test", "deep.two.test"}, zoneDefinition())
	p.start(p.view("public", "zones: [fixed.test]\nzonesFrom: {selector: {matchLabels: {publish: public}}}"), false, mayReadZones())
	p.apply(
		wish("a.fixed.test", "A", "192.0.2.1"), wish("a.one.test", "A", "192.0.2.2"),
		wish("a.two.test", "A", "192.0.2.3"), wish("a.deep.two.test", "A", "192.0.2.4"), wish("a.absent.test", "A", "192.0.2.5"),
	)
	p.answers("a.fixed.test", "A", "192.0.2.1")
	p.settles()
	p.holds("a.one.test", "A")

	start := time.Now()
	p.apply(zone("one.test", "publish: public"))
	p.answers("a.one.test", "A", "192.0.2.2")
	t.Logf("a new DNSZone was published into after %v", time.Since(start).Round(time.Millisecond))

	// One that nobody serves waits, and one that is not selected stays out; neither holds up the others.
	p.apply(zone("absent.test", "publish: public"), zone("two.test", "publish: internal"))
	p.counts("public", "waiting", 1)
	p.apply(wish("b.one.test", "A", "192.0.2.6"))
	p.answers("b.one.test", "A", "192.0.2.6")
	p.settles()
	p.holds("a.two.test", "A")

	// Selected now, with a zone inside it.
	p.apply(zone("deep.two.test", "publish: public"), zone("two.test", "publish: public"))
	p.answers("a.two.test", "A", "192.0.2.3")
	p.answers("a.deep.two.test", "A", "192.0.2.4")
	p.settles()

	// Deselected, and what asked for its names is gone as well.
	others := []string{"fixed.test", "one.test", "two.test", "deep.two.test"}
	p.unchanged(others, func() {
		p.apply(zone("one.test", "publish: internal"))
		p.counts("public", "published", 3)
		p.remove(wish("b.one.test", "A", "192.0.2.6"))
		p.apply(wish("a.one.test", "A", "192.0.2.9"))
		p.pass(5)
		p.settles()
	})
	p.holds("a.one.test", "A", "192.0.2.2")
	p.holds("b.one.test", "A", "192.0.2.6")

	// Removed altogether.
	p.unchanged(others, func() {
		p.remove(zone("one.test", "publish: internal"))
		p.remove(zone("two.test", "publish: public"))
		p.counts("public", "published", 2)
		p.remove(wish("a.two.test", "A", "192.0.2.3"))
		p.pass(5)
		p.settles()
	})
	p.holds("a.two.test", "A", "192.0.2.3")
	p.holds("a.deep.two.test", "A", "192.0.2.4")

	// Back again: what is owned there is looked after as before.
	p.apply(zone("one.test", "publish: public"))
	p.answers("b.one.test", "A")
	p.answers("a.one.test", "A", "192.0.2.9")
	p.holds("a.fixed.test", "A", "192.0.2.1")
	p.settles()
}

// Two views that write to the same server never have overlapping zones: the older object's view has it.
func TestTwoViewsDoNotShareAZone(t *testing.T) {
	t.Parallel()
	p := newParts(t, []string{"fixed.test", "one.test", "deep.fixed.test"}, zoneDefinition())
	p.start(p.view("public", "zones: [fixed.test]")+
		p.view("internal", "zonesFrom: {selector: {matchExpressions: [{key: publish, operator: Exists}]}, namespaces: [default]}")+
		p.view("other", "zonesFrom: {selector: {matchLabels: {publish: both}}}"), false, mayReadZones())
	p.apply(wish("a.one.test", "A", "192.0.2.1"), wish("a.fixed.test", "A", "192.0.2.2"))
	p.apply(zone("deep.fixed.test", "publish: internal"), zone("one.test", "publish: both"))
	p.answers("a.one.test", "A", "192.0.2.1")
	p.answers("a.fixed.test", "A", "192.0.2.2")
	p.counts("internal", "refused", 1)
	p.counts("internal", "published", 1)
	p.counts("other", "refused", 1)
	p.counts("other", "published", 0)
	p.settles()
	p.holds("a.one.test", "A", "192.0.2.1")
}
