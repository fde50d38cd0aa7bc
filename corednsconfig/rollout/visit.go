package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// visit is one call on one cluster: what was found there, and what is being reported.
type visit struct {
	e      *Engine
	a      *access
	name   string
	wish   Wish
	log    *slog.Logger
	report Report

	facts  dialect.Facts
	d      *dialect.Dialect
	change dialect.Change
	memory *memory
	secret *corev1.Secret // as it was read; nil: not there
}

func (e *Engine) visit(ctx context.Context, c Cluster, w Wish) (*visit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a, err := e.open(c)
	if err != nil {
		return nil, err
	}
	return &visit{
		e: e, a: a, name: c.Name, wish: w, log: e.opts.Log.With("cluster", c.Name),
		report: newReport(), memory: &memory{},
	}, nil
}

func (v *visit) notify(reason EventReason, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	level := slog.LevelInfo
	if reason.Warning() {
		level = slog.LevelWarn
	}
	v.log.Log(context.Background(), level, message, "event", string(reason))
	v.e.opts.Notify(v.name, Event{Reason: reason, Message: clip(message)})
}

// look reads the cluster's DNS and finds its dialect. False: the report says why nothing more can be done.
func (v *visit) look(ctx context.Context) (bool, error) {
	if err := v.read(ctx); err != nil {
		var forbidden *dialect.Forbidden
		if errors.As(err, &forbidden) {
			v.report.no(Detected, "Forbidden", "a right is missing: %v", err)
		} else {
			v.report.unknown(Detected, "Unreachable", "%v", err)
		}
		return false, err
	}
	if err := v.detect(); err != nil {
		var u *dialect.Unsupported
		if !errors.As(err, &u) {
			return false, err
		}
		switch u.Reason {
		case dialect.Ambiguous:
			v.report.unknown(Detected, string(u.Reason), "%s", u.Text)
		case dialect.NoClusterDNS, dialect.UnknownServer:
			v.report.no(Detected, string(u.Reason), "%s", u.Text)
			v.report.no(Supported, string(u.Reason), "%s", u.Text)
		default:
			v.report.yes(Detected, "Found", "%s", u.Text)
			v.report.no(Supported, string(u.Reason), "%s", u.Text)
		}
		return false, nil
	}
	v.report.Dialect = string(v.d.Kind)
	v.report.yes(Detected, "Found", "%s in namespace %s, %s", v.d.Kind, v.d.Cluster.Namespace, versionText(v.d.Cluster.Site.Version))
	v.report.yes(Supported, string(v.d.Kind), "forwards have a place in this cluster")
	v.report.Replicas = len(v.d.Cluster.Pods)
	if v.d.NodeLocal != nil {
		v.report.Replicas += len(v.d.NodeLocal.Pods)
	}
	if err := v.recall(ctx); err != nil {
		return false, err
	}
	return true, nil
}

func versionText(v corefile.Version) string {
	if !v.Known() {
		return "version unknown"
	}
	return "CoreDNS " + v.String()
}

func (v *visit) read(ctx context.Context) error {
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	facts, err := dialect.Read(ctx, v.a)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", v.name, err)
	}
	v.facts = facts
	return nil
}

func (v *visit) detect() error {
	d, err := dialect.Detect(v.facts)
	if err != nil {
		return err
	}
	v.d = d
	return nil
}

// again reads and detects once more, in the middle of something.
func (v *visit) again(ctx context.Context) error {
	if err := v.read(ctx); err != nil {
		return err
	}
	if err := v.detect(); err != nil {
		return fmt.Errorf("cluster %s: %w", v.name, err)
	}
	return nil
}

// plan makes the change and puts it through the static gate. False: the report says what was refused.
func (v *visit) plan(want []corefile.Forward) (bool, error) {
	change, err := v.e.opts.Planner(v.d, want)
	if err == nil {
		v.change = change
		return true, nil
	}
	faults := corefile.Faults(err)
	if len(faults) == 0 {
		return false, fmt.Errorf("cluster %s: %w", v.name, err)
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.Error()
	}
	v.report.no(Validated, string(faults[0].Reason), "%s", strings.Join(lines, "\n"))
	v.report.no(Applied, "Refused", "the static gate refused what was to be written")
	return false, nil
}

// judgeApplied says whether what is wanted is written, from the change and the memory.
func (v *visit) judgeApplied() {
	v.report.Drifted = len(v.change.Edits) > 0
	if r := v.memory.Rejected; r.holds(v.wish) {
		v.report.RolledBack = r.Why
	}
	switch {
	case v.memory.GivenWay.holds(v.wish):
		v.report.yes(Conflict, "GivenWay", "%s", v.memory.GivenWay.Why)
	default:
		v.report.no(Conflict, "None", "nobody keeps undoing our write")
	}
	switch {
	case !v.report.Drifted:
		v.report.yes(Applied, "Written", "what is wanted is written")
	case !v.change.Writable():
		v.report.no(Applied, "OwnerOnly", "only the owner can change it: %s", ownersOf(v.change))
	case v.report.RolledBack != "":
		v.report.no(Applied, "RolledBack", "taken back at %s: %s; another wish or another attempt is tried again",
			v.memory.Rejected.At.UTC().Format(time.RFC3339), v.report.RolledBack)
	case v.report.Is(Conflict):
		v.report.no(Applied, "GivenWay", "%s", v.memory.GivenWay.Why)
	default:
		v.report.no(Applied, "Differs", "%d edits are to be written", len(v.change.Edits))
	}
	v.report.yes(Validated, "StaticGate", "nothing is known to be wrong with it")
}

func ownersOf(c dialect.Change) string {
	for _, o := range c.Foreign {
		if o.Reverts {
			return fmt.Sprintf("%s, as %s says", o.Name, o.Evidence)
		}
	}
	for _, o := range c.Foreign {
		return o.Name
	}
	return "unknown"
}

// recall reads the memory.
func (v *visit) recall(ctx context.Context) error {
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	var s corev1.Secret
	err := v.a.Get(ctx, client.ObjectKey{Namespace: v.d.Cluster.Namespace, Name: SecretName}, &s)
	if apierrors.IsNotFound(err) {
		v.memory, v.secret = &memory{}, nil
		return nil
	}
	if err == nil {
		v.memory, err = decodeMemory(s.Data)
	}
	if err != nil {
		return fmt.Errorf("cluster %s: Secret %s/%s: %w", v.name, v.d.Cluster.Namespace, SecretName, err)
	}
	v.secret = &s
	return nil
}

// remember writes the memory.
func (v *visit) remember(ctx context.Context) error {
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	data, err := v.memory.encode()
	if err != nil {
		return err
	}
	s := v.secret
	if s == nil {
		s = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: v.d.Cluster.Namespace, Name: SecretName, Labels: map[string]string{managedBy: dialect.FieldOwner},
		}}
	}
	s = s.DeepCopy()
	s.Data = data
	if v.secret == nil {
		err = v.a.Create(ctx, s, client.FieldOwner(dialect.FieldOwner))
	} else {
		err = v.a.Update(ctx, s, client.FieldOwner(dialect.FieldOwner))
	}
	if err != nil {
		return fmt.Errorf("cluster %s: Secret %s/%s: %w", v.name, s.Namespace, s.Name, err)
	}
	v.secret = s
	return nil
}

// forget takes the memory away.
func (v *visit) forget(ctx context.Context) error {
	if v.secret == nil {
		return nil
	}
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	if err := v.a.Delete(ctx, v.secret); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("cluster %s: Secret %s/%s: %w", v.name, v.secret.Namespace, v.secret.Name, err)
	}
	v.secret, v.memory = nil, &memory{}
	return nil
}

// managedBy is the label on what we make.
const managedBy = "app.kubernetes.io/managed-by"
