package site_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// So many of five operators say the same wrong address, while the site has moved. Up to three of them move
// nothing that should not be; four are believed, which is the limit of asking.
func TestLyingOperators(t *testing.T) {
	t.Parallel()
	for k := range 6 {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			h := newHome(t, stack.SiteConfig{})
			a := h.replica("a")
			h.publishes(first)
			var liars []int
			for i := range k {
				liars = append(liars, i)
			}
			if k > 0 {
				h.site.Lie(lie, liars...)
			}
			switch {
			case k <= 1:
				if k == 1 {
					note := h.told("Warning", "SourceDisagrees")
					if !strings.Contains(note, h.site.Operator(0)+" says "+lie.String()) {
						t.Errorf("the Event says %q", note)
					}
					h.counts(a, is(0), "spokedns_wan_ip_source_healthy", "source="+h.site.Operator(0))
				}
				h.site.Set(second)
				h.publishes(second)
				h.onlyEver(wanip.IPv4, first, second)
			case k <= 3:
				h.holds(first, "Ambiguous")
				note := h.told("Warning", "QuorumLost")
				if !strings.Contains(note, "the address stays "+first.String()) {
					t.Errorf("the Event says %q", note)
				}
				h.counts(a, some, "spokedns_wan_ip_rounds_total", "status=Ambiguous")
				h.counts(a, is(1), "spokedns_wan_ip_status", "status=Ambiguous")
				raw, err := a.Raw(h.ctx)
				if err != nil || !raw.IPv4.Usable || raw.IPv4.IP != first.String() || raw.IPv4.Status != "Ambiguous" {
					t.Errorf("%+v, %v", raw, err)
				}
				h.site.Set(second)
				h.site.Heal()
				h.publishes(second)
				h.onlyEver(wanip.IPv4, first, second)
			default:
				h.publishes(lie)
				h.site.Heal()
				h.publishes(first)
			}
		})
	}
}

// Two say wrong addresses that are not the same: that is no second opinion.
func TestLiarsWhoDoNotConspire(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	h.replica("a")
	h.publishes(first)
	h.site.Lie(lie, 0)
	h.site.Lie(addr("1.2.3.5"), 3)
	h.site.Set(second)
	h.publishes(second)
	h.onlyEver(wanip.IPv4, first, second)
}

// say answers every request alike.
func say(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// What is no answer, from two of five and then from all: the rest decides, or it holds, says so, and recovers by
// itself.
func TestBrokenSources(t *testing.T) {
	t.Parallel()
	web := []string{"text", "text", "text", "text", "text"}
	page := "<html><head><title>Hotel Wifi</title></head><body>Welcome! Your address is " + lie.String() + "</body></html>"
	liar := func(h *home) string { // an honest server of a wrong address, for redirects to it
		o, err := stack.NewSite(h.TempDir(), stack.SiteConfig{Kinds: web[:1]}, lie)
		h.must(err)
		h.Cleanup(o.Close)
		return strings.SplitN(o.Args()[1], "=", 3)[2]
	}
	packets := []string{"dot", "stun", "dns", "dot", "stun"}
	for name, c := range map[string]struct {
		kinds []string
		spoil func(h *home, which ...int)
		kind  string // of the error, in metrics
	}{
		"down":                     {nil, func(h *home, which ...int) { h.site.Down(which...) }, "no-answer"},
		"slow":                     {nil, func(h *home, which ...int) { h.site.Slow(time.Minute, which...) }, "no-answer"},
		"redirects":                {web, func(h *home, which ...int) { h.site.Answer(say(302, "", "Location", liar(h)), which...) }, "refused"},
		"moved for ever":           {web, func(h *home, which ...int) { h.site.Answer(say(301, lie.String(), "Location", liar(h)), which...) }, "refused"},
		"captive portal":           {web, func(h *home, which ...int) { h.site.Answer(say(200, page), which...) }, "not-address"},
		"portal's login":           {web, func(h *home, which ...int) { h.site.Answer(say(511, page), which...) }, "refused"},
		"private":                  {nil, func(h *home, which ...int) { h.site.Lie(addr("192.168.1.1"), which...) }, "not-public"},
		"shared space":             {nil, func(h *home, which ...int) { h.site.Lie(addr("100.64.3.4"), which...) }, "not-public"},
		"documentation":            {nil, func(h *home, which ...int) { h.site.Lie(addr("203.0.113.9"), which...) }, "not-public"},
		"multicast":                {nil, func(h *home, which ...int) { h.site.Lie(addr("224.0.0.9"), which...) }, "not-public"},
		"two addresses":            {web, func(h *home, which ...int) { h.site.Answer(say(200, lie.String()+"\n"+first.String()+"\n"), which...) }, "not-address"},
		"an error with an address": {web, func(h *home, which ...int) { h.site.Answer(say(500, lie.String()+"\n"), which...) }, "refused"},
		"a huge body": {web, func(h *home, which ...int) {
			h.site.Answer(say(200, lie.String()+strings.Repeat(" ", 8<<20)), which...)
		}, "not-address"},
		"the wrong family": {web, func(h *home, which ...int) { h.site.Lie(addr("2620:fe::9"), which...) }, "wrong-family"},
		"mapped":           {web, func(h *home, which ...int) { h.site.Answer(say(200, "::ffff:"+lie.String()), which...) }, "wrong-family"},
		"nothing":          {web, func(h *home, which ...int) { h.site.Answer(say(200, ""), which...) }, "not-address"},
		"no content":       {web, func(h *home, which ...int) { h.site.Answer(say(204, ""), which...) }, "refused"},
		"packets of garbage": {packets, func(h *home, which ...int) {
			h.site.AnswerPackets(func(reply []byte) [][]byte { return [][]byte{reply[:len(reply)/2], []byte("garbage")} }, which...)
		}, ""},
		"replies to others": {packets, func(h *home, which ...int) {
			h.site.AnswerPackets(func(reply []byte) [][]byte {
				for i := range 20 { // the id of DNS, and the transaction id of STUN
					if i < 2 || i >= 8 && string(reply[4:8]) == "\x21\x12\xa4\x42" {
						reply[i] ^= 0x5a
					}
				}
				return [][]byte{reply}
			}, which...)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, stack.SiteConfig{Kinds: c.kinds})
			a := h.replica("a")
			h.publishes(first)
			c.spoil(h, 0, 1)
			h.site.Set(second)
			h.publishes(second)

			c.spoil(h)
			h.holds(second, "Holding")
			note := h.told("Warning", "QuorumLost")
			if !strings.Contains(note, "the address stays "+second.String()) {
				t.Errorf("the Event says %q", note)
			}
			labels := []string{"family=ipv4"}
			if c.kind != "" {
				labels = append(labels, "kind="+c.kind)
			}
			h.counts(a, some, "spokedns_wan_ip_discovery_failures_total", labels...)
			h.counts(a, some, "spokedns_wan_ip_rounds_total", "status=Holding")
			h.counts(a, is(1), "spokedns_wan_ip_status", "status=Holding")
			raw, err := a.Raw(h.ctx)
			if err != nil || !raw.IPv4.Usable || raw.IPv4.IP != second.String() || raw.IPv4.Status != "Holding" {
				t.Errorf("%+v, %v", raw, err)
			}

			h.site.Set(third)
			h.site.Heal()
			h.publishes(third)
			h.onlyEver(wanip.IPv4, first, second, third)
		})
	}
}

// Who says that he is asked too often is left alone for as long as he says, and asked again then.
func TestAThrottlingSource(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{Kinds: []string{"text", "text", "text", "text", "text"}})
	a := h.replica("a")
	h.publishes(first)
	h.site.Answer(say(429, "", "Retry-After", "8"), 2)
	h.counts(a, some, "spokedns_wan_ip_discovery_failures_total", "kind=throttled", "source="+h.site.Operator(2))
	began, asked := time.Now(), h.site.Asked()[2]
	h.site.Heal(2)
	h.site.Set(second)
	h.publishes(second)
	if n := h.site.Asked()[2] - asked; n > 0 && time.Since(began) < 6*time.Second {
		t.Errorf("asked %d times within the time it had asked for", n)
	}
	h.counts(a, is(1), "spokedns_wan_ip_source_healthy", "source="+h.site.Operator(2))
	if h.site.Asked()[2] == asked {
		t.Error("healthy without having been asked")
	}
}

// The router has another address outside than the one the Internet sees.
func TestBehindCarrierGradeNAT(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{Router: true})
	h.site.Router.Say(addr("100.64.7.8"))
	a := h.replica("a")
	h.publishes(first)
	note := h.told("Warning", "BehindCGNAT")
	if !strings.Contains(note, "100.64.7.8") || !strings.Contains(note, first.String()) {
		t.Errorf("the Event says %q", note)
	}
	h.counts(a, is(1), "spokedns_wan_ip_behind_cgnat")
	if !h.state().BehindCGNAT {
		t.Errorf("annotations %v", h.configMap().Annotations)
	}
	h.site.Set(second) // a line of its own now: the router has it too
	h.publishes(second)
	h.counts(a, is(0), "spokedns_wan_ip_behind_cgnat")
	h.onlyEver(wanip.IPv4, first, second)
}

// IPv6 is looked after beside IPv4, each with a status of its own.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	six, err := stack.NewSite(h.TempDir(), stack.SiteConfig{Family: wanip.IPv6}, addr("2620:fe::10"))
	h.must(err)
	t.Cleanup(six.Close)
	// One file of authorities for both.
	args := append(six.Args()[1:], "--ipv6-mode=echo", "--ca-file="+h.join(h.site.CAFile, six.CAFile))
	a := h.replica("a", args...)
	h.publishes(first)
	h.publishes(addr("2620:fe::10"))
	h.site.Down()
	h.holds(first, "Holding")
	six.Set(addr("2620:fe::20"))
	h.publishes(addr("2620:fe::20"))
	raw, err := a.Raw(h.ctx)
	if err != nil || raw.IPv4.Status != "Holding" || !raw.IPv4.Usable || raw.IPv6.Status != "Verified" || raw.IPv6.IP != "2620:fe::20" {
		t.Errorf("%+v, %v", raw, err)
	}
	h.onlyEver(wanip.IPv4, first)
	h.onlyEver(wanip.IPv6, addr("2620:fe::10"), addr("2620:fe::20"))
}
