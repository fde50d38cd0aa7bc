package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

const (
	// roundEvery is the pause between two looks at the replicas. It must be short against the window in which failures
	// are counted.
	roundEvery = 2 * time.Second
	// calmRounds without a failure are seen after the last replica has loaded.
	calmRounds = 3
)

// course is a roll-out under verification. It is pure: rounds go in, and what is to be done comes out.
type course struct {
	Names  watch
	Stands map[string]standing
	Calm   int
	// Rejections are the counts of rejected reloads from before the write, by process.
	Rejections map[string]float64
	Written    time.Time
	// LoadedAt is when every replica first ran the candidate; zero: not yet.
	LoadedAt time.Time
}

// outcome is what is to be done.
type outcome string

const (
	goOn     outcome = "GoOn"
	finished outcome = "Finished"
	takeBack outcome = "TakeBack"
	giveUp   outcome = "GiveUp" // waiting, not the candidate
)

// limits are how long a course may take, and what is known of its candidate.
type limits struct {
	Converge time.Duration
	Tested   bool     // a CoreDNS loaded the candidate before it was written
	Watched  bool     // the replicas notice a changed file
	Pending  []string // zones that somebody else has yet to render
}

// step takes in a round.
func (c course) step(s survey, expect map[string]expectation, l limits) (course, outcome, string) {
	next := course{
		Names: c.Names.see(s.At, s.Probes), Stands: map[string]standing{},
		Rejections: c.Rejections, Written: c.Written, LoadedAt: c.LoadedAt,
	}
	refused := ""
	for name, m := range s.Samples {
		stand, known := c.Stands[name]
		if n, counted := c.Rejections[m.process()]; !known && counted {
			stand.failed, stand.counted = n, true
		}
		next.Stands[name] = stand.see(m, expect[name])
		if next.Stands[name].State == rejected {
			refused = name
		}
	}
	if who, why, yes := next.Names.broken(); yes {
		return next, takeBack, fmt.Sprintf("%s fails to answer the cluster's own names: %s", who, why)
	}
	if refused != "" {
		return next, takeBack, fmt.Sprintf("pod %s does not load it", refused)
	}
	counts := next.counts()
	late := s.At.Sub(c.Written) >= l.Converge && !next.wavering()
	switch {
	case len(s.Samples) > 0 && counts[waiting] == 0 && counts[unseen] == 0 && len(l.Pending) == 0:
		if next.LoadedAt.IsZero() {
			next.LoadedAt = s.At
		}
		if len(next.Names.failed) == 0 {
			next.Calm = c.Calm + 1
		}
		if next.Calm >= calmRounds {
			return next, finished, ""
		}
	case !l.Watched && s.At.Sub(c.Written) >= window:
		return next, giveUp, "the pods do not look for changes: it takes effect when they are restarted"
	case late && counts[waiting] > 0 && counts[loaded] == 0 && !l.Tested && len(l.Pending) == 0:
		return next, takeBack, fmt.Sprintf("no replica loaded it within %s, and no CoreDNS had been seen to load it", l.Converge)
	case late && len(l.Pending) > 0:
		return next, giveUp, "it has yet to be rendered for the pods: " + strings.Join(l.Pending, ", ")
	case late:
		return next, giveUp, fmt.Sprintf("not seen on %s within %s", strings.Join(next.missing(), ", "), l.Converge)
	}
	return next, goOn, ""
}

// wavering: a replica shows the candidate, and has to show it once more. A roll-out that is taken up long after the
// write begins like this.
func (c course) wavering() bool {
	for _, s := range c.Stands {
		if s.State == waiting && s.hits > 0 {
			return true
		}
	}
	return false
}

// dim: nothing speaks against the candidate, and some replicas show nothing that would tell.
func (c course) dim() bool {
	counts := c.counts()
	return counts[unseen] > 0 && counts[waiting] == 0 && len(c.Names.failed) == 0
}

func (c course) counts() map[state]int {
	counts := map[state]int{}
	for _, s := range c.Stands {
		counts[s.State]++
	}
	return counts
}

// missing are the pods that are not known to run the candidate.
func (c course) missing() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.Stands)) {
		if c.Stands[name].State != loaded {
			names = append(names, name)
		}
	}
	return names
}

// following is a roll-out to be followed to its end.
type following struct {
	// old is the cluster as it was before the write.
	old *dialect.Dialect
	// before is the look taken then; nil: there is none, the write was made by an earlier call.
	before  *survey
	written time.Time
	// removal: nothing is remembered and nothing taken back.
	removal bool
}

// follow looks at the replicas until they run what has been written, and takes it back when it does harm.
func (v *visit) follow(ctx context.Context, f following) error {
	c := v.start(f)
	for {
		if undone, err := v.undoneMeanwhile(ctx, f); err != nil || undone {
			return err
		}
		all := servers(v.d, f.old, v.change, sinceWritten(f.written))
		v.report.Hash = all[0].expect.Hash
		s, err := v.survey(ctx, all)
		if ctx.Err() != nil {
			return v.interrupted(ctx)
		}
		if err != nil {
			v.log.Warn("cannot look at the replicas", "err", err)
			s = survey{At: time.Now()}
		}
		var what outcome
		var why string
		c, what, why = c.step(s, s.expectations(), limits{
			Converge: v.e.opts.Converge, Tested: v.memory.Tested, Watched: v.d.Cluster.Reload.Watched, Pending: v.pending(ctx),
		})
		if what == takeBack && f.removal {
			what = giveUp
		}
		v.reportLoaded(c, s, what, why)
		switch what {
		case finished:
			return v.finish(ctx, f, c, s)
		case takeBack:
			return v.rollBack(ctx, c, why)
		case giveUp:
			if c.dim() && !f.removal && len(v.pending(ctx)) == 0 {
				return v.finish(ctx, f, c, s) // no look will ever tell more
			}
			return v.resolve(ctx, s)
		case goOn:
			if c.dim() && !f.removal && len(v.pending(ctx)) == 0 && v.answersAll(ctx, s) {
				c.LoadedAt = s.At
				return v.finish(ctx, f, c, s)
			}
		}
		if pause(ctx, roundEvery) != nil {
			return v.interrupted(ctx)
		}
	}
}

// start is the course before its first round.
func (v *visit) start(f following) course {
	c := course{Written: f.written, Stands: map[string]standing{}}
	if f.before == nil {
		// Nothing is written while the cluster's own names do not resolve, so they did.
		c.Names = watch{good: map[string]bool{everyone: true}}
		c.Rejections = v.memory.Rejections
		return c
	}
	c.Names = c.Names.see(f.before.At, f.before.Probes)
	c.Rejections = rejections(*f.before)
	return c
}

func (v *visit) interrupted(ctx context.Context) error {
	v.report.unknown(Loaded, "Interrupted", "the roll-out was not followed to its end; the next Apply takes it up")
	return ctx.Err()
}

func (v *visit) finish(ctx context.Context, f following, c course, s survey) error {
	if !c.LoadedAt.IsZero() {
		v.report.Converged = c.LoadedAt.Sub(f.written)
		v.notify(EventLoaded, "loaded by %d replicas after %s", len(c.Stands), v.report.Converged.Round(time.Millisecond))
	}
	if f.removal {
		v.report.no(Resolving, "Removed", "nothing is forwarded")
		return nil
	}
	v.memory.Wish = v.wish.Forwards
	v.memory.settle(time.Now())
	if err := v.remember(ctx); err != nil {
		return err
	}
	if err := v.resolve(ctx, s); err != nil {
		return err
	}
	return v.askAsClients(ctx)
}

// pending are the zones that somebody else has yet to render; of interest only where somebody else does.
func (v *visit) pending(ctx context.Context) []string {
	if v.change.Cluster != nil {
		return nil
	}
	if err := v.again(ctx); err != nil {
		v.log.Warn("cannot look at the configuration", "err", err)
		return zonesOf(v.wish.Forwards)
	}
	return v.d.Pending(v.wish.Forwards)
}

func (v *visit) reportLoaded(c course, s survey, what outcome, why string) {
	counts := c.counts()
	v.report.Replicas, v.report.LoadedReplicas = len(s.Samples), counts[loaded]
	switch {
	case what == finished:
		v.report.yes(Loaded, "Loaded", "%d of %d replicas run it", counts[loaded], len(s.Samples))
	case what == giveUp && !v.d.Cluster.Reload.Watched:
		v.report.no(Loaded, "RestartNeeded", "%s", why)
	case counts[waiting] == 0 && counts[unseen] > 0:
		v.report.unknown(Loaded, unobservable, "%d of %d replicas are seen to run it", counts[loaded], len(s.Samples))
	case what == giveUp:
		v.report.no(Loaded, "Timeout", "%s", why)
	case what == takeBack:
		v.report.no(Loaded, "Rejected", "%s", why)
	default:
		v.report.no(Loaded, "Waiting", "%d of %d replicas run it", counts[loaded], len(s.Samples))
	}
	v.report.no(Degraded, "None", "the cluster's own names resolve")
	if who, reason, yes := c.Names.broken(); yes {
		v.report.yes(Degraded, "ClusterDNSBroken", "%s: %s", who, reason)
	}
}
