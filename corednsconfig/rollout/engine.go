package rollout

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// Engine applies wishes to clusters. It holds no state of any cluster and is safe for use by many goroutines, but not for
// two calls on one cluster at once.
type Engine struct {
	opts   Options
	gates  []gate
	room   *room
	client func(*rest.Config) (client.Client, error)
}

const (
	defaultCall     = 10 * time.Second
	defaultConverge = 150 * time.Second
	defaultTrial    = 45 * time.Second
)

// New returns an Engine.
func New(opts Options) (*Engine, error) {
	if opts.Call < 0 || opts.Converge < 0 || opts.Trial < 0 {
		return nil, fmt.Errorf("roll-out: Call %s, Converge %s, Trial %s: want no negative durations", opts.Call, opts.Converge, opts.Trial)
	}
	opts.Call = cmp.Or(opts.Call, defaultCall)
	opts.Converge = cmp.Or(opts.Converge, defaultConverge)
	opts.Trial = cmp.Or(opts.Trial, defaultTrial)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Notify == nil {
		opts.Notify = func(string, Event) {}
	}
	if opts.Planner == nil {
		opts.Planner = func(d *dialect.Dialect, want []corefile.Forward) (dialect.Change, error) { return d.Plan(want) }
	}
	e := &Engine{opts: opts, client: newClient, room: newRoom(mostTunnels)}
	e.gates = append(e.gates, podGate{})
	if len(opts.Command) > 0 {
		e.gates = append(e.gates, processGate{command: opts.Command, bound: opts.Trial})
	}
	return e, nil
}

// Plan says what Apply would write, after the static gate. It makes no mutating call.
func (e *Engine) Plan(ctx context.Context, c Cluster, w Wish) (Plan, error) {
	v, err := e.visit(ctx, c, w)
	if err != nil {
		return Plan{}, err
	}
	defer v.a.close()
	ok, err := v.look(ctx)
	if err != nil || !ok {
		return Plan{Report: v.report}, err
	}
	if ok, err := v.plan(w.Forwards); err != nil || !ok {
		return Plan{Report: v.report}, err
	}
	v.judgeApplied()
	return Plan{Report: v.report, Diff: diff(v.change.Edits), Warnings: v.change.Warnings}, nil
}
