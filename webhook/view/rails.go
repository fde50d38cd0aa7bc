package view

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/ownership"
)

// adopt sets the Old of ownership TXTs to what stands, when that belongs to the same owner. external-dns
// writes those texts anew from labels, which may have moved on since (a half-made Apply, another name
// format); for all other records its belief is what it was told, and a difference is a conflict.
func (j *job) adopt(now *snapshot) {
	wanted := map[backend.Key]*entry{}
	for _, x := range j.entries {
		if x.registry && x.key.Type == endpoint.RecordTypeTXT {
			wanted[x.key] = x
		}
	}
	if len(wanted) == 0 {
		return
	}
	standing := make(map[backend.Key]*backend.RRset, len(wanted))
	rrsets := now.of(j.view, j.zone)
	for i := range rrsets {
		if r := &rrsets[i]; r.Type == endpoint.RecordTypeTXT && wanted[r.Key] != nil {
			standing[r.Key] = r
		}
	}
	for key, x := range wanted {
		r := standing[key]
		switch {
		case r == nil && x.new != nil:
			x.old = nil
		case r != nil && ownerOf(r) != "" && (ownerOf(r) == ownerOf(x.old) || ownerOf(r) == ownerOf(x.new)):
			x.old = r
		}
	}
}

// of returns what the zone of the view held.
func (s *snapshot) of(v *View, zone string) []backend.RRset {
	for i := range s.listings {
		if l := &s.listings[i]; l.view == v && l.zone == zone {
			return l.rrsets
		}
	}
	return nil
}

// ownerOf reads the owner out of an ownership TXT; "" when it is none, or encrypted.
func ownerOf(r *backend.RRset) string {
	if r == nil || r.Type != endpoint.RecordTypeTXT || len(r.Values) == 0 {
		return ""
	}
	return ownership.Of(r.Values[0])
}

// stopMassDeletion takes the deletions out of a job that would remove too much of what their owner has in
// the zone: a source that lost its rights or its cluster looks the same as a wish to remove everything.
func (p *Provider) stopMassDeletion(ctx context.Context, j *job, now *snapshot, out *outcome) {
	if p.config.MaxDeleteShare >= 1 {
		return
	}
	staying := map[string]bool{} // units with something new: a swap of types deletes no name
	for _, x := range j.entries {
		if x.new != nil {
			staying[x.unit] = true
		}
	}
	deletes, owner := 0, ""
	for _, x := range j.entries {
		if x.new == nil && !x.registry && !staying[x.unit] {
			deletes++
			owner = x.owner
		}
	}
	if deletes <= p.config.MinDeletes {
		return
	}
	total := owned(now.of(j.view, j.zone), owner)
	if float64(deletes) <= p.config.MaxDeleteShare*float64(total) {
		return
	}
	why := fmt.Sprintf("%d deletions in view %s, zone %s are refused: they are more than %.0f%% of the %d records that owner %q has there. "+
		"If this is meant, raise the allowed share (rails.maxDeleteShare) until it is done", deletes, j.view.Name, j.zone, p.config.MaxDeleteShare*100, total, owner)
	p.log.ErrorContext(ctx, "mass deletion refused", "view", j.view.Name, "zone", j.zone, "deletions", deletes, "records", total, "owner", owner)
	p.config.Metrics.deletesStopped.WithLabelValues(j.view.Name, j.zone).Add(float64(deletes))
	out.tooMany = append(out.tooMany, why)
	var rest []*entry
	for _, x := range j.entries {
		if x.new == nil && !staying[x.unit] {
			out.mark(x, resultRefused)
			continue
		}
		rest = append(rest, x)
	}
	j.entries = rest
}

// owned counts the records of an owner: external-dns keeps one TXT for each, or two where those of versions
// before v0.18 still stand, so there are never more than records. Without a TXT of that owner (another
// registry, encryption) all records count.
func owned(rrsets []backend.RRset, owner string) int {
	texts, others := 0, 0
	for i := range rrsets {
		switch r := &rrsets[i]; {
		case r.Type != endpoint.RecordTypeTXT:
			others++
		case owner != "" && ownerOf(r) == owner:
			texts++
		}
	}
	if texts > 0 {
		return min(texts, others)
	}
	return others
}

// repeats finds changes that are made and asked for again: something undoes them, or the backend does
// not return what it was given.
type repeats struct {
	seed maphash.Seed

	mu   sync.Mutex
	made map[uint64]uint8 // change → how often in a row
}

// tooOften is how many times in a row the same change is still believed.
const tooOften = 3

// note counts the changes that were made. What is not asked for again is forgotten.
func (r *repeats) note(ctx context.Context, log *slog.Logger, m *Metrics, entries []*entry, out *outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made := make(map[uint64]uint8, len(entries))
	named := 0
	for _, x := range entries {
		if out.failed(x) {
			continue
		}
		key := x.hash(r.seed)
		n := min(r.made[key]+1, 250)
		made[key] = n
		if n < tooOften {
			continue
		}
		m.repeated.WithLabelValues(x.view.Name, x.zone).Inc()
		if named++; named <= linesPerCall {
			log.WarnContext(ctx, "the same change is asked for again and again: something undoes it, or two writers disagree",
				"view", x.view.Name, "zone", x.zone, "op", x.op(), "record", x.key.String(), "values", x.values(), "times", n)
		}
	}
	r.made = made
}

// hash tells changes apart.
func (x *entry) hash(seed maphash.Seed) uint64 {
	h := newHash(seed).add(x.view.Name, x.op(), x.key.Name, x.key.Type, x.key.SetID)
	if x.new != nil {
		maphash.WriteComparable(&h.Hash, x.new.TTL)
		h.add(x.new.Values...)
	}
	return h.Sum64()
}
