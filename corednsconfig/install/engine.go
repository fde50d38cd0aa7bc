package install

import (
	"context"
	"errors"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// Options are what an Engine needs.
type Options struct {
	Chart *Chart
	// Platform reads the Secrets that are copied, in Namespace.
	Platform  client.Reader
	Namespace string
	// Call bounds each request to a cluster. 0: 10 s.
	Call time.Duration
	// Now is the time that ages are measured by. Nil: time.Now.
	Now func() time.Time
}

// Engine installs. It keeps nothing between calls and is safe for use by many goroutines, one to a cluster at a time.
type Engine struct{ opts Options }

// New returns an Engine. It names this program to Helm as the one who owns fields, for the whole process.
func New(opts Options) *Engine {
	if opts.Call == 0 {
		opts.Call = 10 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if kube.ManagedFieldsManager != manager {
		kube.ManagedFieldsManager = manager
	}
	return &Engine{opts}
}

// releases is one release in a cluster.
type releases interface {
	// Find looks at it, but for Drifted and Drained.
	Find(ctx context.Context) (Found, error)
	// Drifted says what was changed of what it made; empty: nothing.
	Drifted(ctx context.Context) (string, error)
	// Drained says whether external-dns has nothing left to withdraw; if not, why.
	Drained(ctx context.Context) (bool, string, error)
	// Up says whether what it made runs; if not, why.
	Up(ctx context.Context) (bool, string, error)

	Install(ctx context.Context, w Wish, digest string) error
	Upgrade(ctx context.Context, w Wish, digest string) error
	Drain(ctx context.Context) error
	Rollback(ctx context.Context, revision int) error
	Release(ctx context.Context) error
	Uninstall(ctx context.Context) error
}

// surroundings are the namespace of a release with what is ours in it.
type surroundings interface {
	// Namespace says whether it is there; not yet, or no longer: why.
	Namespace(ctx context.Context) (there bool, why string, err error)
	// MakeNamespace makes it if it is not there.
	MakeNamespace(ctx context.Context) error
	// RemoveNamespace has it go if it was made by us and holds nothing of others. It returns why it stays; empty: it goes.
	RemoveNamespace(ctx context.Context) (string, error)
	// Copy brings copies of Secrets up to date. A failure of people's making is a report's.
	Copy(ctx context.Context, secrets []v1alpha1.SecretCopy) (Reason, string, error)
	// Forget deletes the copies but for those wished.
	Forget(ctx context.Context, secrets []v1alpha1.SecretCopy) error
}

// Times from one step to the next.
const (
	soon  = 3 * time.Second
	later = 30 * time.Second
	// comesUp is how long what was written may take to be up before it counts as failed.
	comesUp = 5 * time.Minute
)

// Step does the next thing that brings a cluster to a wish. An error is what may be tried again as it is: the cluster was
// not reached, or a right is missing. A failure of people's making, or of Helm's, is a [Report].
func (e *Engine) Step(ctx context.Context, c Cluster, w Wish) (Report, error) {
	if w.Values != nil {
		var wrong *ValuesError
		if _, err := e.opts.Chart.Render(ctx, w); errors.As(err, &wrong) {
			return failed(BadValues, wrong.Error()), nil
		} else if err != nil {
			return Report{}, err
		}
	}
	at, err := e.reach(c, w)
	if err != nil {
		return Report{}, err
	}
	return e.step(ctx, at, at, w)
}

// step is Step once the cluster is reached.
func (e *Engine) step(ctx context.Context, helm releases, around surroundings, w Wish) (Report, error) {
	there, why, err := around.Namespace(ctx)
	switch {
	case err != nil:
		return Report{}, err
	case !there && why != "": // on its way out
		r := Report{State: Removing, Message: why, Again: soon}
		if w.Values != nil {
			r.State = Installing
		}
		return r, nil
	case !there && w.Values == nil:
		return Report{State: Gone, Message: "there is no namespace " + w.Namespace}, nil
	case !there:
		if err := around.MakeNamespace(ctx); err != nil {
			return Report{}, err
		}
		// Rights in it may have to be asked for first, so what comes next comes as a step of its own.
		return Report{State: Installing, Message: "namespace " + w.Namespace + " was made", NamespaceReady: true, Again: time.Millisecond}, nil
	}
	report, err := e.inNamespace(ctx, helm, around, w)
	report.NamespaceReady = report.State != Gone
	return report, err
}

func (e *Engine) inNamespace(ctx context.Context, helm releases, around surroundings, w Wish) (Report, error) {
	wanted := ""
	if w.Values != nil {
		wanted = e.opts.Chart.Digest(w)
		if reason, why, err := around.Copy(ctx, w.Secrets); err != nil || reason != "" {
			return failed(reason, why), err
		}
	}
	found, err := helm.Find(ctx)
	if err != nil {
		return Report{}, err
	}
	if found.Status == Stands && found.Ours && found.Digest == wanted && !found.Drains {
		what, err := helm.Drifted(ctx)
		if err != nil {
			return Report{}, err
		}
		found.Drifted = what != ""
	}
	undrained := ""
	if found.Status == Stands && found.Drains {
		drained, why, err := helm.Drained(ctx)
		if err != nil { // then the deadline decides
			why = "external-dns cannot be asked: " + err.Error()
		}
		found.Drained, undrained = drained && err == nil, why
	}
	step, why := Decide(wanted, found, w.DrainTimeout)
	if err := carry(ctx, helm, step, w, wanted, found); err != nil {
		return helmFailed(err)
	}
	if found.Drains && !found.Drained && undrained != "" && wanted == "" {
		why += ": " + undrained
	}
	return e.after(ctx, helm, around, w, Report{Message: why, Did: did(step), Left: step == Uninstall && (found.Keeps || !found.Drained)}, step, found)
}

// carry does a step.
func carry(ctx context.Context, helm releases, step Step, w Wish, digest string, found Found) error {
	switch step {
	case Install:
		return helm.Install(ctx, w, digest)
	case Upgrade, Repair, Retry:
		return helm.Upgrade(ctx, w, digest)
	case Rollback:
		return helm.Rollback(ctx, found.Good)
	case Release:
		return helm.Release(ctx)
	case Drain:
		return helm.Drain(ctx)
	case Uninstall:
		return helm.Uninstall(ctx)
	}
	return nil
}

// after says how far the cluster is behind a step.
func (e *Engine) after(ctx context.Context, helm releases, around surroundings, w Wish, r Report, step Step, found Found) (Report, error) {
	switch {
	case step == Refuse:
		return failed(ForeignRelease, r.Message), nil
	case step == Wait && found.Status == Pending:
		r = failed(Busy, r.Message)
		r.Again = later
		return r, nil
	case step == Rollback || step == Release:
		r.State, r.Again = Installing, soon
		return r, nil
	case w.Values == nil && (step == Drain || step == Wait):
		r.State, r.Again = Draining, soon
		return r, nil
	case w.Values == nil:
		return e.cleaned(ctx, around, r)
	case step != DoNothing:
		r.State, r.Again = Installing, soon
		return r, nil
	}
	up, why, err := helm.Up(ctx)
	switch {
	case err != nil:
		return Report{}, err
	case up:
		r.State = Installed
		return r, around.Forget(ctx, w.Secrets)
	case found.Age >= comesUp:
		r = failed(Unhealthy, why)
		r.Again = later
		return r, nil
	}
	r.State, r.Message, r.Again = Installing, why, soon
	return r, nil
}

// cleaned takes out what is around a release that is no longer there.
func (e *Engine) cleaned(ctx context.Context, around surroundings, r Report) (Report, error) {
	if err := around.Forget(ctx, nil); err != nil {
		return Report{}, err
	}
	stays, err := around.RemoveNamespace(ctx)
	if err != nil {
		return Report{}, err
	}
	if stays != "" {
		r.State = Gone
		r.Message += "; the namespace stays: " + stays
		return r, nil
	}
	r.State, r.Again = Removing, soon
	return r, nil
}

// did is a step in the eyes of people: waiting is none.
func did(s Step) Step {
	if s == Wait || s == Refuse {
		return DoNothing
	}
	return s
}

func failed(reason Reason, message string) Report {
	return Report{State: Failed, Reason: reason, Message: message}
}

// helmFailed tells what Helm could not do from a cluster that is not there.
func helmFailed(err error) (Report, error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Report{}, err
	}
	return failed(HelmFailed, err.Error()), nil
}
