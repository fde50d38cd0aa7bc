package main

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/page"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const (
	cells    = 96 // of a day
	cellTime = page.Day / cells
)

// journal remembers, for the page, how each source did in the last day, and what was found of the site's way
// out. It is lost with the process.
type journal struct {
	mu       sync.Mutex
	marks    map[sourceName]map[int64]page.Mark // by number of the cell since 1970
	findings map[wanip.Family][]detect.Finding
}

type sourceName struct {
	family wanip.Family
	name   string
}

func newJournal() *journal {
	return &journal{marks: map[sourceName]map[int64]page.Mark{}, findings: map[wanip.Family][]detect.Finding{}}
}

// markOf judges an answer by the address that is published.
func markOf(said, published netip.Addr) page.Mark {
	switch {
	case !said.IsValid():
		return page.Bad
	case published.IsValid() && said != published:
		return page.Other
	}
	return page.Good
}

// note remembers an answer. The worst of a quarter of an hour is shown.
func (j *journal) note(family wanip.Family, name string, at time.Time, mark page.Mark) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key, cell := sourceName{family, name}, at.Unix()/int64(cellTime/time.Second)
	if j.marks[key] == nil {
		j.marks[key] = map[int64]page.Mark{}
	}
	old := j.marks[key][cell]
	if old == "" || mark == page.Bad || mark == page.Other && old == page.Good {
		j.marks[key][cell] = mark
	}
	for c := range j.marks[key] {
		if c <= cell-cells {
			delete(j.marks[key], c)
		}
	}
}

// day is what is remembered of a source, oldest first.
func (j *journal) day(family wanip.Family, name string, now time.Time) []page.Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]page.Mark, cells)
	last := now.Unix() / int64(cellTime/time.Second)
	for i := range out {
		out[i] = j.marks[sourceName{family, name}][last-cells+1+int64(i)]
	}
	return out
}

// found remembers the findings of a report.
func (j *journal) found(r detect.Report) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings[r.Family] = r.Findings
}

func (j *journal) notes() (out []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, family := range wanip.Families() {
		for _, f := range j.findings[family] {
			out = append(out, f.Detail)
		}
	}
	return out
}

// followEvery is how often a follower looks at what the leader has written of its sources.
const followEvery = 5 * time.Second

// follow remembers what the leader's rounds came to, so that this replica's page has a past too.
func (p *controller) follow(ctx context.Context) {
	for ctx.Err() == nil {
		state := p.reader.Snapshot(time.Now()).State
		for _, family := range wanip.Families() {
			f := state.Of(family)
			if p.leading() || f.VerifiedAt.IsZero() {
				continue
			}
			for _, s := range f.Votes.Sources {
				p.journal.note(family, s.Name, f.VerifiedAt, markOf(s.Addr, f.Addr))
			}
		}
		pause(ctx, followEvery)
	}
}
