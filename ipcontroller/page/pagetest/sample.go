// Package pagetest owns what tests and the documentation draw: sites in every state people meet.
package pagetest

import (
	"time"

	"github.com/spokedns/spokedns/ipcontroller/page"
)

// Addresses of the samples.
const (
	IPv4  = "5.9.10.12"
	IPv6  = "2a01:4f8:c2c:7a10:9c2b:5eff:fe31:77d2"
	Liar  = "81.2.69.160"
	first = "5.9.10.11"
)

// Samples gives a view of every state, by name, as of now.
func Samples(now time.Time) map[string]page.View {
	holding := Site(now)
	holding.Notes = nil
	holding.Families = holding.Families[:1]
	f := &holding.Families[0]
	f.Status, f.Agree, f.Confirmed, f.Until = "Holding", 1, now.Add(-7*time.Minute), now.Add(3*time.Minute)
	for i := range f.Sources[1:] {
		s := &f.Sources[i+1]
		s.Says, s.Mark, s.RTT, s.Resting = "no-answer: no answer within 3s", page.Bad, 0, time.Time{}
		s.At, s.Cells = now.Add(-4*time.Second), cells(map[int]page.Mark{95: page.Bad})
	}

	ambiguous := Site(now)
	ambiguous.Leading, ambiguous.Notes = false, nil
	f = &ambiguous.Families[0]
	f.Status, f.Agree = "Ambiguous", 2
	f.Sources[1].Says, f.Sources[1].Mark = Liar, page.Other

	stale := Site(now)
	stale.Problem = "ConfigMap dns/spokedns-wan-ip cannot be followed: connection refused"
	f = &stale.Families[0]
	f.Believed, f.Status, f.Confirmed, f.Until = false, "Holding", now.Add(-14*time.Minute), now.Add(-4*time.Minute)
	f.Why = IPv4 + " is stale: last confirmed 14m0s ago (Holding)"
	f.Sources = nil // the leader that asks is another one, and not to be heard
	stale.Families[1] = page.Family{Name: "IPv6", Status: "Holding", Why: "no IPv6 address has been agreed on yet (Holding)"}

	return map[string]page.View{
		"site": Site(now), "holding": holding, "ambiguous": ambiguous, "stale": stale,
		"first": {Now: now, ConfigMap: "dns/spokedns-wan-ip", Version: "v1.4.0", Problem: "there is no ConfigMap dns/spokedns-wan-ip"},
	}
}

// Site is one on an ordinary day: five sources of which one says another address and one is left alone, a few
// changes, and a carrier's NAT before its router.
func Site(now time.Time) page.View {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const ms, hour = time.Millisecond, time.Hour
	return page.View{
		Now: now, ConfigMap: "dns/spokedns-wan-ip", Leading: true, Holder: "ipcontroller-7d9f8-x2x4p", Node: "edge-1", Epoch: 7, Version: "v1.4.0",
		Notes: []string{"the router has 100.64.3.4 on the outside, the Internet sees " + IPv4 + ": the carrier shares that one among its customers (RFC 6598)."},
		Families: []page.Family{
			{
				Name: "IPv4", Addr: IPv4, Believed: true, Status: "Verified", Confirmed: ago(21 * time.Second), Until: ago(21 * time.Second).Add(10 * time.Minute),
				Changed: ago(4*hour + 11*time.Minute), Agree: 3, Asked: 5,
				Spans: []page.Span{
					{Addr: first, From: ago(3 * page.Day), To: ago(15 * hour)},
					{Addr: "84.20.7.201", From: ago(15 * hour), To: ago(13*hour + 10*time.Minute)},
					{Addr: first, From: ago(13*hour + 10*time.Minute), To: ago(4*hour + 11*time.Minute)},
					{Addr: IPv4, From: ago(4*hour + 11*time.Minute), To: now},
				},
				Sources: []page.Source{
					{Name: "cloudflare-trace", Operator: "cloudflare", Says: IPv4, Mark: page.Good, RTT: 18 * ms, At: ago(21 * time.Second), Cells: cells(nil)},
					{Name: "amazon", Operator: "amazon", Says: IPv4, Mark: page.Good, RTT: 94 * ms, At: ago(51 * time.Second), Cells: cells(map[int]page.Mark{53: page.Bad, 54: page.Bad})},
					{Name: "google-dns", Operator: "google", Says: IPv4, Mark: page.Good, RTT: 23 * ms, At: ago(81 * time.Second), Cells: cells(map[int]page.Mark{79: page.Other})},
					{Name: "opendns", Operator: "cisco", Says: Liar, Mark: page.Other, RTT: 41 * ms, At: ago(9 * time.Minute), Cells: cells(map[int]page.Mark{90: page.Other, 91: page.Other, 92: page.Other, 93: page.Other, 94: page.Other, 95: page.Other})},
					{Name: "ipify", Operator: "ipify", Says: "throttled: status 429 Too Many Requests, again in 30m0s", Mark: page.Bad, At: ago(18 * time.Minute), Resting: now.Add(12 * time.Minute), Cells: cells(map[int]page.Mark{30: page.Bad, 93: page.Bad, 94: page.Bad, 95: page.Bad})},
				},
			},
			{
				Name: "IPv6", Addr: IPv6, Believed: true, Status: "Verified", Confirmed: ago(6 * time.Second), Until: ago(6 * time.Second).Add(10 * time.Minute),
				Changed: ago(9 * page.Day), Agree: 3, Asked: 3,
				Spans: []page.Span{{Addr: IPv6, From: ago(9 * page.Day), To: now}},
				Sources: []page.Source{
					{Name: "cloudflare-trace", Operator: "cloudflare", Says: IPv6, Mark: page.Good, RTT: 17 * ms, At: ago(6 * time.Second), Cells: cells(nil)},
					{Name: "google-dns", Operator: "google", Says: IPv6, Mark: page.Good, RTT: 22 * ms, At: ago(36 * time.Second), Cells: cells(map[int]page.Mark{61: page.Bad})},
					{Name: "opendns", Operator: "cisco", Says: IPv6, Mark: page.Good, RTT: 39 * ms, At: ago(66 * time.Second), Cells: cells(nil)},
				},
			},
		},
	}
}

// cells is a day of a source that was good but for what is given, and of which the first hour is not known.
func cells(but map[int]page.Mark) []page.Mark {
	out := make([]page.Mark, 96)
	for i := range out {
		if i >= 4 {
			out[i] = page.Good
		}
		if m, ok := but[i]; ok {
			out[i] = m
		}
	}
	return out
}
