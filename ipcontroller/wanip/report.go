package wanip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Report is what a round of detection says of one family.
type Report struct {
	Family Family
	At     time.Time
	Status Status
	// Addr is the address that was confirmed (Verified, Static). Holding and Ambiguous have none: the
	// address stays what it was.
	Addr netip.Addr
	// Quorum: a quorum has confirmed it, not only a canary. A new address needs one.
	Quorum bool
	Votes  Votes        // zero: keep those of the last round
	Prefix netip.Prefix // of IPv6; zero: that of the same address before
	Mode   Mode         // of IPv6; empty: as before
}

// maxError is how much of a source's error is kept, in bytes.
const maxError = 200

// After returns what is known of a family after a report, and refuses a report that must not be believed.
// An address is only ever replaced by another one: no report blanks it.
func (f Finding) After(r Report) (Finding, error) {
	at := r.At.UTC().Truncate(time.Millisecond)
	f.Status, f.Problem = r.Status, ""
	if r.Family == IPv6 && r.Mode != "" {
		f.Mode = r.Mode
	}
	if !r.Votes.none() {
		f.Votes = tidy(r.Votes)
	}
	switch r.Status {
	case Verified, Static:
		proven := r.Quorum || r.Status == Static
		switch {
		case !r.Addr.IsValid():
			return f, fmt.Errorf("%s: a report that it is %s has no address", r.Family, r.Status)
		case r.Addr != f.Addr && !proven:
			return f, fmt.Errorf("%s: %s is new and has no quorum", r.Family, r.Addr)
		case r.Addr != f.Addr:
			f.Addr, f.ChangedAt, f.Prefix = r.Addr, at, netip.Prefix{}
		}
		if r.Family == IPv6 && r.Prefix.IsValid() {
			f.Prefix = r.Prefix
		}
		f.DetectedAt = at
		if proven {
			f.VerifiedAt = at
		}
	case Holding, Ambiguous:
		if r.Addr.IsValid() {
			return f, fmt.Errorf("%s: a report that it is %s has the address %s", r.Family, r.Status, r.Addr)
		}
	}
	return f, f.validate(r.Family)
}

// tidy makes what servers answered fit to be stored.
func tidy(v Votes) Votes {
	v.Sources = slices.Clone(v.Sources)
	for i := range v.Sources {
		s := &v.Sources[i]
		s.Name, s.Operator = strings.ToValidUTF8(s.Name, "?"), strings.ToValidUTF8(s.Operator, "?")
		s.Error = strings.ToValidUTF8(s.Error[:min(len(s.Error), maxError)], "?")
	}
	return v
}

// Next is the State to write over base: what is known of the managed families now, by this leader. A family
// that is in found is managed. Nothing in base is lost but what found replaces: an address of which found
// has none stays, and so does the history.
func Next(base State, found map[Family]Finding, cgnat bool, by Leader, now time.Time) State {
	next := base
	next.Leader, next.BehindCGNAT = by, cgnat
	next.WrittenAt = now.UTC().Truncate(time.Millisecond)
	next.Sequence = base.Sequence + 1
	next.History = slices.Clone(base.History)
	for _, f := range Families() {
		mine, managed := found[f]
		if !managed {
			next.set(f, Finding{})
			continue
		}
		stored := base.Of(f)
		if !mine.Addr.IsValid() && stored.Addr.IsValid() {
			status := mine.Status
			mine = stored
			mine.Status = status
		}
		if mine.Addr.IsValid() && mine.Addr != stored.Addr {
			next.History = append(next.History, Change{Sequence: next.Sequence, At: mine.ChangedAt, Family: f, Addr: mine.Addr})
		}
		next.set(f, mine)
	}
	next.History = next.History[max(0, len(next.History)-HistoryLength):]
	return next
}

// alike reports whether the same sources said the same. How long they took, and how an error reads, is of no
// account.
func (v Votes) alike(o Votes) bool {
	return v.Agree == o.Agree && v.Asked == o.Asked && slices.EqualFunc(v.Sources, o.Sources, func(a, b Source) bool {
		return a.Name == b.Name && a.Addr == b.Addr
	})
}

// Due says why next has to be written over what is stored, or "" when it can wait. Whatever a reader acts
// on is due at once, and so is what says why there is no quorum; the mere confirmation every Heartbeat: 24
// writes an hour.
func Due(stored, next State) string {
	if stored.Leader != next.Leader {
		return "claim"
	}
	for _, f := range Families() {
		old, now := stored.Of(f), next.Of(f)
		age := now.DetectedAt.Sub(old.DetectedAt)
		switch {
		case old.Problem != "":
			return "repair"
		case old.Addr != now.Addr:
			return "address"
		case old.Status != now.Status:
			return "status"
		case old.Prefix != now.Prefix, old.Mode != now.Mode:
			return "mode"
		case age >= Heartbeat, age < -Skew: // or the clock it was written by was wrong
			return "heartbeat"
		case now.Status != Verified && !old.Votes.alike(now.Votes): // who does not agree is what people look for then
			return "votes"
		}
	}
	if stored.BehindCGNAT != next.BehindCGNAT {
		return "cgnat"
	}
	return ""
}
