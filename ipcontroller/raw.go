package main

import (
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// rawState is what /raw answers: the shape ESDDNS had, and what was added to it. ESDDNS also looked at the
// record; here external-dns and the webhook do, so that is null.
type rawState struct {
	WAN    rawFamily `json:"wan_ip_state"`
	Record struct {
		InSync *bool `json:"in_sync"`
		Data   any   `json:"record_data"`
	} `json:"record_state"`
	PollDate *time.Time `json:"poll_date"` // when anything was last confirmed
	IPv6     rawFamily  `json:"ipv6_state"`
	Leader   string     `json:"leader,omitempty"`
	Problem  string     `json:"problem,omitempty"`
}

// rawFamily is what is known of one family.
type rawFamily struct {
	Usable  bool       `json:"usable"`
	IP      *string    `json:"IP"`
	Status  string     `json:"status"` // of the contract; empty: not looked after
	Age     *float64   `json:"age_seconds"`
	At      *time.Time `json:"confirmed_at"`
	Problem string     `json:"problem,omitempty"`
}

// raw serves the state as JSON.
func (p *controller) raw(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	snapshot := p.reader.Snapshot(now)
	out := rawState{WAN: rawOf(snapshot, wanip.IPv4, now), IPv6: rawOf(snapshot, wanip.IPv6, now),
		Leader: snapshot.State.Holder, Problem: snapshot.Problem}
	for _, f := range []rawFamily{out.WAN, out.IPv6} {
		if f.At != nil && (out.PollDate == nil || f.At.After(*out.PollDate)) {
			out.PollDate = f.At
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // a reader that went away
}

func rawOf(s wanip.Snapshot, family wanip.Family, now time.Time) rawFamily {
	reading := s.Of(family)
	out := rawFamily{Usable: reading.Kind == wanip.Known, Status: string(s.State.Of(family).Status), Problem: reading.Why}
	if out.Usable {
		ip, at, age := reading.Addr.String(), reading.At.UTC(), math.Round(now.Sub(reading.At).Seconds()*10)/10
		out.IP, out.At, out.Age = &ip, &at, &age
	}
	return out
}
