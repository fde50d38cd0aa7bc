package detect_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

// world is what the fake operators of a test see, in the time of a synctest bubble.
type world struct {
	mu       sync.Mutex
	addr     netip.Addr // what honest ones say
	failing  float64    // share of lookups that fail, half at once and half by silence
	everyNth int        // of the lookups fails, when set
	refusing bool       // failing is never by silence
	away     bool       // nobody answers
	queries  []query
	reports  []detect.Report
}

type query struct {
	at       time.Time
	operator string
	lost     bool // the site was cut off: it got nowhere
}

// fake is one operator's source.
type fake struct {
	*world
	id   detect.Identity
	says func() (netip.Addr, error) // instead of the truth
	rtt  time.Duration
}

func (f *fake) Identity() detect.Identity { return f.id }

func (f *fake) Lookup(ctx context.Context, _ detect.Family) (netip.Addr, error) {
	f.mu.Lock()
	f.queries = append(f.queries, query{time.Now(), f.id.Operator, f.away})
	addr, says, away, luck, refusing := f.addr, f.says, f.away, rand.Float64() >= f.failing, f.refusing
	if f.everyNth > 0 && len(f.queries)%f.everyNth == 0 {
		luck = false
	}
	f.mu.Unlock()
	wait := f.rtt
	if away || !luck && !refusing && rand.N(2) == 0 {
		wait = time.Hour
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return netip.Addr{}, &detect.Error{Kind: detect.NoAnswer, Err: context.Cause(ctx)}
	}
	if says != nil {
		return says()
	}
	if !luck {
		return netip.Addr{}, &detect.Error{Kind: detect.Refused}
	}
	return addr, nil
}

// set changes the site's address.
func (w *world) set(a string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addr = addr(a)
}

func (w *world) cutOff(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (w *world) tell(r detect.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, r)
}

// last is the latest report.
func (w *world) last() detect.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.reports) == 0 {
		return detect.Report{}
	}
	return w.reports[len(w.reports)-1]
}

// since gives the reports after a moment.
func (w *world) since(at time.Time) []detect.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, _ := slices.BinarySearchFunc(w.reports, at, func(r detect.Report, at time.Time) int { return r.At.Compare(at) })
	return slices.Clone(w.reports[i:])
}

// asked counts the queries to an operator ("" is all) from a moment on.
func (w *world) asked(operator string, from time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, q := range w.queries {
		if (operator == "" || q.operator == operator) && !q.at.Before(from) {
			n++
		}
	}
	return n
}

// busiest is the largest number of queries that an operator ("" is all) got in any hour.
func (w *world) busiest(operator string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var times []time.Time
	for _, q := range w.queries {
		if (operator == "" || q.operator == operator) && !q.lost {
			times = append(times, q.at)
		}
	}
	most, from := 0, 0
	for i := range times {
		for times[i].Sub(times[from]) >= time.Hour {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// newWorld makes operators op0, op1, … that say here4 after 40 ms, the first three over HTTPS.
func newWorld(operators int) (*world, []*fake) {
	w := &world{addr: addr(here4)}
	var all []*fake
	for i := range operators {
		via := detect.ViaHTTPS
		if i >= 3 {
			via = detect.ViaDNS
		}
		name := fmt.Sprintf("op%d", i)
		all = append(all, &fake{world: w, id: detect.Identity{Name: name, Operator: name, Via: via}, rtt: 40 * time.Millisecond})
	}
	return w, all
}

// router makes a router that says a.
func (w *world) router(says func() (netip.Addr, error)) *fake {
	return &fake{world: w, id: detect.Identity{Name: "router", Operator: "router", Via: detect.ViaRouter}, says: says, rtt: time.Millisecond}
}

func plan(fakes []*fake) detect.Plan {
	p := detect.Plan{Family: detect.IPv4}
	for _, f := range fakes {
		p.Sources = append(p.Sources, f)
	}
	return p
}

// always says one thing.
func always(a string) func() (netip.Addr, error) {
	return func() (netip.Addr, error) { return addr(a), nil }
}

// run runs a Detector in a bubble for as long as script takes.
func run(t *testing.T, w *world, p detect.Plan, from detect.Start, script func(d *detect.Detector)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := detect.New(p, nil)
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.Run(ctx, from, w.tell)
		}()
		script(d)
		cancel()
		<-done
	})
	// Whatever happened: an address once known stays, and only an address that two rounds agreed on comes.
	known := netip.Addr{}
	if from.Addr.IsValid() {
		known = from.Addr
	}
	for _, r := range w.reports {
		if known.IsValid() && !r.Addr.IsValid() {
			t.Errorf("%s: the address was blanked", r.At)
		}
		if r.Changed != (r.Addr != known) || r.Changed && r.Previous != known {
			t.Errorf("%s: from %v to %v, and the report says %v from %v", r.At, known, r.Addr, r.Changed, r.Previous)
		}
		known = r.Addr
	}
}
