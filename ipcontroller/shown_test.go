package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// told counts the Events of a reason.
func (s *site) told(reason string) (n int) {
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	for _, e := range s.api.events {
		if e["reason"] == reason && dig(e, "regarding", "name") == "spokedns-wan-ip" && dig(e, "regarding", "uid") == "uid-of-"+cm {
			n++
		}
	}
	return n
}

func TestEventsSayWhatHappensOnce(t *testing.T) {
	s := newSite(t)
	s.operators[4].Say(netip.MustParseAddr(there))
	a := s.start("a")
	s.until("published", s.published(here))
	s.until("an Event of the change", func() bool { return s.told("WANIPChanged") == 1 })
	s.until("an Event of the one who says otherwise", func() bool { return s.told("SourceDisagrees") == 1 })
	for _, o := range s.operators[1:] {
		o.AnswerHTTP(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusInternalServerError) })
	}
	s.until("an Event of the quorum", func() bool { return s.told("QuorumLost") == 1 })
	s.until("more rounds without one", func() bool {
		return strings.Contains(a.body("/metrics"), `spokedns_wan_ip_events_total{reason="QuorumLost",result="success"} 1`)
	})
	if n := s.told("QuorumLost") + s.told("SourceDisagrees"); n != 2 {
		t.Errorf("%d Events, want each once", n)
	}
}

func TestThePageShowsWhatIsKnownOnEveryReplica(t *testing.T) {
	s := newSite(t)
	a, b := s.start("a"), s.start("b")
	s.until("published", s.published(here))
	s.operators[2].AnswerHTTP(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<script>alert(1)</script>`) })
	s.say(there, 4, 5)
	for _, r := range []*replica{a, b} {
		s.until("the address", func() bool { return strings.Contains(r.body("/"), `<p class="addr">`+here) })
		code, body := r.get("/")
		if code != http.StatusOK || strings.Contains(body, "<script") {
			t.Errorf("%d:\n%s", code, body)
		}
		for i := range s.operators {
			if !strings.Contains(body, fmt.Sprintf(`class="name">op%d</th>`, i)) {
				t.Errorf("op%d is not shown", i)
			}
		}
	}
	leader := a
	if b.leading() {
		leader = b
	}
	s.until("who says otherwise", func() bool { return strings.Contains(leader.body("/"), `<code class="c-other">`+there) })
	s.until("who says nothing", func() bool { return strings.Contains(leader.body("/"), `<code class="c-bad">not-address`) })
}
