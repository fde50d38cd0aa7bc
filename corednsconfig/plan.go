package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/controller"
	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
	"github.com/spokedns/spokedns/program"
)

// planCommand shows what would be written to one cluster.
type planCommand struct {
	program.Kubernetes `embed:""`

	Zones     []string `name:"zone" required:"" placeholder:"ZONE" help:"Zone that is to be forwarded; repeat it for several."`
	Upstreams []string `name:"upstream" required:"" placeholder:"ADDRESS" help:"Address of a central DNS server, with or without a port; repeat it for several."`
}

func (p planCommand) run(ctx context.Context, s streams) error {
	want := corefile.Forward{Zones: p.Zones}
	var wrong []error
	for _, text := range p.Upstreams {
		upstream, err := controller.ParseUpstream(text)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("--upstream: %q: want an IP address, with or without a port: 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:5353", text))
		}
		want.Upstreams = append(want.Upstreams, upstream)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	cfg, err := p.Config(userAgent())
	if err != nil {
		return err
	}
	engine, err := rollout.New(rollout.Options{Log: s.log})
	if err != nil {
		return err
	}
	plan, err := engine.Plan(ctx, rollout.Cluster{Name: cfg.Host, Config: cfg}, rollout.Wish{Forwards: []corefile.Forward{want}})
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return show(s.stdout, plan)
}

// show prints a plan as text that patch and people read: lines before the diff start with #. A plan that was refused is
// an error with all that is wrong.
func show(w io.Writer, plan rollout.Plan) error {
	for _, condition := range []string{rollout.Detected, rollout.Supported, rollout.Validated} {
		if c := plan.Condition(condition); c.Status == metav1.ConditionFalse {
			return fmt.Errorf("nothing would be written: %s: %s", c.Reason, c.Message)
		}
	}
	fmt.Fprintf(w, "# dialect: %s\n", plan.Dialect)
	for _, condition := range []string{rollout.Validated, rollout.Applied} {
		c := plan.Condition(condition)
		fmt.Fprintf(w, "# %s %s: %s\n", strings.ToLower(c.Type), c.Status, strings.ReplaceAll(c.Message, "\n", "\n#   "))
	}
	for _, warning := range plan.Warnings {
		fmt.Fprintf(w, "# warning: %s\n", strings.ReplaceAll(warning, "\n", "\n#   "))
	}
	if plan.Diff == "" {
		fmt.Fprintln(w, "# nothing would change")
		return nil
	}
	_, err := io.WriteString(w, plan.Diff)
	return err
}
