package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/page"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
	"github.com/spokedns/spokedns/program"
)

// page serves what is known to people.
func (p *controller) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := page.Render(&b, p.view(time.Now())); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", page.Policy())
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(b.Bytes()) // a reader that went away
}

// view puts together what the page shows.
func (p *controller) view(now time.Time) page.View {
	s := p.reader.Snapshot(now)
	v := page.View{
		Now: now, ConfigMap: p.settings.Namespace + "/" + p.settings.ConfigMap, Problem: s.Problem, Version: program.Version(version),
		Leading: p.leading(), Holder: s.State.Holder, Node: s.State.Node, Epoch: s.State.Epoch,
	}
	if v.Leading {
		v.Notes = p.journal.notes()
	} else if s.State.BehindCGNAT {
		v.Notes = []string{"The router's address is not the one the Internet sees: the site is behind another NAT."}
	}
	for _, family := range wanip.Families() {
		if f := s.State.Of(family); f.Managed() || s.Of(family).Kind == wanip.Known || v.Leading && p.detects(family) {
			v.Families = append(v.Families, p.family(family, s, now))
		}
	}
	return v
}

// detects says whether this replica looks after a family when it leads.
func (p *controller) detects(family wanip.Family) bool {
	return slices.ContainsFunc(p.detectors, func(d *detect.Detector) bool { return d.Family() == family })
}

func (p *controller) family(family wanip.Family, s wanip.Snapshot, now time.Time) page.Family {
	reading, f := s.Of(family), s.State.Of(family)
	out := page.Family{
		Name: fmt.Sprintf("IPv%d", family), Believed: reading.Kind == wanip.Known, Why: reading.Why,
		Status: string(f.Status), Confirmed: f.DetectedAt, Changed: f.ChangedAt, Agree: f.Votes.Agree, Asked: f.Votes.Asked,
		Spans: spans(s.State, family, now), Sources: p.sources(family, f, now),
	}
	switch {
	case out.Believed:
		out.Addr, out.Confirmed, out.Until = reading.Addr.String(), reading.At, reading.At.Add(wanip.StaleAfter)
	case f.Addr.IsValid():
		out.Addr = f.Addr.String()
	}
	return out
}

// spans are the addresses of the last day.
func spans(s wanip.State, family wanip.Family, now time.Time) (out []page.Span) {
	for _, c := range s.History {
		if c.Family != family {
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].To = c.At
		}
		out = append(out, page.Span{Addr: c.Addr.String(), From: c.At, To: now})
	}
	for len(out) > 0 && now.Sub(out[0].To) > page.Day {
		out = out[1:]
	}
	return out
}

// sources is what they say: just now where this replica asks them itself, else in the leader's last round.
func (p *controller) sources(family wanip.Family, f wanip.Finding, now time.Time) (out []page.Source) {
	if !p.leading() {
		for _, s := range f.Votes.Sources {
			said := page.Source{Name: s.Name, Operator: s.Operator, Says: s.Error, Mark: markOf(s.Addr, f.Addr), RTT: s.RTT, At: f.VerifiedAt, Cells: p.journal.day(family, s.Name, now)}
			if s.Addr.IsValid() {
				said.Says = s.Addr.String()
			}
			out = append(out, said)
		}
		return out
	}
	for _, d := range p.detectors {
		if d.Family() != family {
			continue
		}
		for _, s := range d.States() {
			said := page.Source{Name: s.Source.Name, Operator: s.Source.Operator, At: s.Last.At, Resting: s.Suspended, Cells: p.journal.day(family, s.Source.Name, now)}
			switch {
			case s.Last.At.IsZero():
				said.Says = "not asked yet"
			case s.Last.Err != nil:
				said.Says, said.Mark = s.Last.Err.Error(), page.Bad
			default:
				said.Says, said.Mark, said.RTT = s.Last.Addr.String(), markOf(s.Last.Addr, f.Addr), s.Last.RTT
			}
			out = append(out, said)
		}
	}
	return out
}
