package view

import (
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/policy"
)

// linesPerCall is how many lines one call writes about single records; the rest is counted.
const linesPerCall = 100

// journal remembers what was decided and refused in the last Adjust and what failed in the last Apply,
// as hashes, so that the log tells what changed and not a hundred thousand times what is as it was.
type journal struct {
	seed maphash.Seed

	mu        sync.Mutex
	decisions map[uint64]uint64 // view and host → decision
	others    map[uint64]uint64 // those of the call before that the last did not have: a second external-dns's
	refusals  map[uint64]struct{}
	failures  map[uint64]struct{}
	stranger  string // the owner that was warned about
}

// hash is of texts; their borders count.
type hash struct{ maphash.Hash }

func newHash(seed maphash.Seed) *hash {
	h := &hash{}
	h.SetSeed(seed)
	return h
}

func (h *hash) add(texts ...string) *hash {
	for _, s := range texts {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0)
	}
	return h
}

func (h *hash) decision(d *policy.Decision) *hash {
	h.add(string(d.Action), d.Target)
	maphash.WriteComparable(&h.Hash, d.Rule)
	for _, c := range d.Claims {
		h.add(c.Kind, c.Namespace, c.Name)
	}
	if d.Detail != nil {
		h.add(d.Detail.Reason, d.Detail.Conflict).add(d.Detail.Ignored...)
	}
	return h
}

// decided logs new and changed decisions, and counts all of them.
func (j *journal) decided(ctx context.Context, log *slog.Logger, m *Metrics, decisions []policy.Decision) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := j.decisions == nil
	now := make(map[uint64]uint64, len(decisions))
	counts := map[[2]string]int{}
	changed := 0
	debug := log.Enabled(ctx, slog.LevelDebug)
	for i := range decisions {
		d := &decisions[i]
		counts[[2]string{d.View, string(d.Action)}]++
		key, value := newHash(j.seed).add(d.View, d.Host).Sum64(), newHash(j.seed).decision(d).Sum64()
		now[key] = value
		old, known := j.decisions[key]
		if !known {
			old, known = j.others[key]
		}
		fresh := !known || old != value
		switch {
		case fresh && (changed < linesPerCall || debug):
			log.Log(ctx, levelOf(d), "decision", "decision", d.String())
			changed++
		case fresh:
			changed++
		case debug:
			log.DebugContext(ctx, "decision, as before", "decision", d.String())
		}
	}
	if changed > linesPerCall {
		log.InfoContext(ctx, "more decisions changed than are shown", "changed", changed, "shown", linesPerCall, "first", first)
	}
	j.others = map[uint64]uint64{}
	for key, value := range j.decisions {
		if _, again := now[key]; !again {
			j.others[key] = value
		}
	}
	j.decisions = now
	m.decided(counts)
}

// levelOf makes what somebody should look at a warning.
func levelOf(d *policy.Decision) slog.Level {
	if d.Action == policy.Hold || d.Detail != nil && (d.Detail.Reason != "" || d.Detail.Conflict != "") {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// refused logs endpoints that were not refused for this reason in the last call, and counts all.
func (j *journal) refused(ctx context.Context, log *slog.Logger, m *Metrics, refusals []refusal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := make(map[uint64]struct{}, len(refusals))
	counts := map[[2]string]int{}
	changed := 0
	for _, r := range refusals {
		counts[[2]string{r.view.Name, r.reason}]++
		key := newHash(j.seed).add(r.view.Name, r.key.Name, r.key.Type, r.key.SetID, r.err.Error()).Sum64()
		now[key] = struct{}{}
		if _, known := j.refusals[key]; known {
			continue
		}
		if changed++; changed <= linesPerCall {
			log.WarnContext(ctx, "endpoint refused", "view", r.view.Name, "record", r.key.String(), "reason", r.err, "keepsPublished", len(r.held) > 0)
		}
	}
	if changed > linesPerCall {
		log.WarnContext(ctx, "more endpoints were refused than are shown", "refused", changed, "shown", linesPerCall)
	}
	j.refusals = now
	m.refused(counts)
}

// failed logs changes that did not fail like this in the last call; those that did are details.
func (j *journal) failed(ctx context.Context, log *slog.Logger, failures []*failure) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := make(map[uint64]struct{}, len(failures))
	changed := 0
	for _, f := range failures {
		record := f.entry.key.String()
		key := newHash(j.seed).add(f.viewName(), f.entry.op(), record, f.kind.String()).Sum64()
		now[key] = struct{}{}
		level := slog.LevelWarn
		if _, known := j.failures[key]; known {
			level = slog.LevelDebug
		} else if changed++; changed > linesPerCall {
			continue
		}
		log.Log(ctx, level, "change failed", "view", f.viewName(), "zone", f.entry.zone, "op", f.entry.op(),
			"record", record, "kind", f.kind.String(), "error", f.err)
	}
	if changed > linesPerCall {
		log.WarnContext(ctx, "more changes failed than are shown", "failed", changed, "shown", linesPerCall)
	}
	j.failures = now
}

// owners warns when external-dns has another owner id than it is believed to have and makes names at a site:
// they would not be known to be its own.
func (j *journal) owners(ctx context.Context, log *slog.Logger, r ownership.Registry, entries []*entry, names sited) {
	i := slices.IndexFunc(entries, func(x *entry) bool {
		return x.owner != "" && x.view != nil && r.Doubts(x.owner) && names[published{x.view.Name, x.unit}] != ""
	})
	if i < 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stranger == entries[i].owner {
		return
	}
	j.stranger = strings.Clone(entries[i].owner) // it shares the memory of a request
	log.WarnContext(ctx, "external-dns has another owner id than externalDNS.txtOwnerID; names will wait for its loop when the site's address changes", "owner", j.stranger)
}
