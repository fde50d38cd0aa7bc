package install

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// history is how many revisions of a release Helm keeps.
const history = 5

// acts is how long one of Helm's actions may take. It is not cut short by our end: that would leave the release hanging.
const acts = time.Minute

// reached is a release in a cluster that is reached, with its namespace.
type reached struct {
	*Engine
	wish    Wish
	getter  *getter
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	last    *release.Release // of Find
}

// reach makes the clients for one step. What they keep of the cluster ends with it: of 200 clusters it would be much.
func (e *Engine) reach(c Cluster, w Wish) (*reached, error) {
	config := rest.CopyConfig(c.Config)
	config.Timeout = e.opts.Call
	config.WarningHandler = rest.NoWarnings{}
	// Some of Helm's actions take no context: theirs is that of the requests they make.
	end := time.Now().Add(acts)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if time.Now().After(end) {
				return nil, context.DeadlineExceeded
			}
			return next.RoundTrip(r)
		})
	})
	g := newGetter(config, w.Namespace)
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &reached{Engine: e, wish: w, getter: g, kube: typed, dynamic: untyped}, nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// config is what Helm's actions share.
func (r *reached) config() *action.Configuration {
	c := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	k := kube.New(r.getter)
	k.Namespace = r.wish.Namespace
	k.SetLogger(slog.DiscardHandler)
	d := driver.NewSecrets(r.kube.CoreV1().Secrets(r.wish.Namespace))
	d.SetLogger(slog.DiscardHandler)
	c.RESTClientGetter, c.KubeClient, c.Releases = r.getter, k, storage.Init(d)
	c.Releases.SetLogger(slog.DiscardHandler)
	return c
}

// Find implements releases.
func (r *reached) Find(context.Context) (Found, error) {
	stored, err := r.config().Releases.History(r.wish.Release)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return Found{}, nil
	}
	if err != nil {
		return Found{}, fmt.Errorf("read release %s/%s: %w", r.wish.Namespace, r.wish.Release, err)
	}
	var all []*release.Release
	for _, s := range stored {
		if one, ok := s.(*release.Release); ok {
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return Found{}, nil
	}
	slices.SortFunc(all, func(a, b *release.Release) int { return a.Version - b.Version })
	r.last = all[len(all)-1]
	return found(all, r.opts.Now()), nil
}

// found puts the revisions of a release, the oldest first, in words.
func found(all []*release.Release, now time.Time) Found {
	last := all[len(all)-1]
	f := Found{
		Ours: last.Labels[managedBy] == manager, Digest: last.Labels[digestLabel], Age: now.Sub(last.Info.LastDeployed), Keeps: keeps(last.Config),
	}
	switch last.Info.Status {
	case common.StatusDeployed:
		f.Status = Stands
	case common.StatusPendingInstall, common.StatusPendingUpgrade, common.StatusPendingRollback:
		f.Status = Pending
	case common.StatusUninstalling, common.StatusUninstalled:
		f.Status = Leaving
	default:
		f.Status = Broken
	}
	for _, one := range all[:len(all)-1] {
		if one.Info.Status == common.StatusDeployed || one.Info.Status == common.StatusSuperseded {
			f.Good = one.Version
		}
	}
	if since, err := strconv.ParseInt(last.Labels[drainLabel], 10, 64); err == nil {
		f.Drains, f.DrainingFor = true, now.Sub(time.Unix(since, 0))
	}
	return f
}

// Install implements releases.
func (r *reached) Install(ctx context.Context, w Wish, digest string) error {
	chart, err := r.opts.Chart.load()
	if err != nil {
		return err
	}
	i := action.NewInstall(r.config())
	i.ReleaseName, i.Namespace, i.Labels = w.Release, w.Namespace, map[string]string{managedBy: manager, digestLabel: digest}
	i.WaitStrategy, i.Timeout, i.DisableHooks, i.SkipCRDs, i.DisableOpenAPIValidation = kube.HookOnlyStrategy, acts, true, true, true
	_, err = i.RunWithContext(context.WithoutCancel(ctx), chart, clone(w.Values))
	return err
}

// Upgrade implements releases.
func (r *reached) Upgrade(ctx context.Context, w Wish, digest string) error {
	chart, err := r.opts.Chart.load()
	if err != nil {
		return err
	}
	u := r.upgrade()
	u.Labels = map[string]string{managedBy: manager, digestLabel: digest, drainLabel: dropLabel}
	_, err = u.RunWithContext(context.WithoutCancel(ctx), w.Release, chart, clone(w.Values))
	return err
}

// dropLabel as the value of a label has Helm drop it.
const dropLabel = "null"

// Drain implements releases. It takes the chart the release was made of, whose schema its values suit.
func (r *reached) Drain(ctx context.Context) error {
	since := r.last.Labels[drainLabel]
	if since == "" {
		since = strconv.FormatInt(r.opts.Now().Unix(), 10)
	}
	u := r.upgrade()
	u.Labels = map[string]string{managedBy: manager, drainLabel: since}
	_, err := u.RunWithContext(context.WithoutCancel(ctx), r.last.Name, r.last.Chart, draining(r.last.Config))
	return err
}

// upgrade is one that takes back what others changed of ours.
func (r *reached) upgrade() *action.Upgrade {
	u := action.NewUpgrade(r.config())
	u.Namespace, u.ResetValues, u.MaxHistory, u.ServerSideApply, u.ForceConflicts = r.wish.Namespace, true, history, "true", true
	u.WaitStrategy, u.Timeout, u.DisableHooks, u.SkipCRDs, u.DisableOpenAPIValidation = kube.HookOnlyStrategy, acts, true, true, true
	return u
}

// Rollback implements releases.
func (r *reached) Rollback(_ context.Context, revision int) error {
	b := action.NewRollback(r.config())
	b.Version, b.MaxHistory, b.ServerSideApply, b.ForceConflicts = revision, history, "true", true
	b.WaitStrategy, b.Timeout, b.DisableHooks = kube.HookOnlyStrategy, acts, true
	return b.Run(r.wish.Release)
}

// Release implements releases.
func (r *reached) Release(context.Context) error {
	r.last.SetStatus(common.StatusFailed, "It was begun and never ended; "+manager+" goes on from here")
	return r.config().Releases.Update(r.last)
}

// Uninstall implements releases.
func (r *reached) Uninstall(context.Context) error {
	u := action.NewUninstall(r.config())
	u.WaitStrategy, u.Timeout, u.DisableHooks, u.DeletionPropagation = kube.HookOnlyStrategy, acts, true, "background"
	_, err := u.Run(r.wish.Release)
	return err
}
