package controller

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/install"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// Installer looks after external-dns in one cluster. It is install.Engine, whose contract it is.
type Installer interface {
	Step(ctx context.Context, c install.Cluster, w install.Wish) (install.Report, error)
	Plan(ctx context.Context, c install.Cluster, w install.Wish) (string, error)
	Digest(w install.Wish) string
	Rights(ctx context.Context, w install.Wish) ([]install.Right, error)
}

// drainTimeout is what the definition of DNSForwarding has as default.
const drainTimeout = 10 * time.Minute

// Reasons of the condition ExternalDNS, besides those of package install and of errors.
const (
	otherInstalls = "Conflict" // an older DNSForwarding installs it
	waitsForTurn  = "Pending"
	planned       = "Planned"
)

// Events about external-dns are these with what was done, and the two that somebody should look at.
const (
	installEvent  rollout.EventReason = "ExternalDNS"
	installFailed                     = installEvent + "Failed"
	recordsLeft                       = installEvent + "RecordsLeft"
)

// installing is external-dns at the desk: how its installations are brought to clusters. They travel in the same steps as
// forwards, and beside them: neither waits for the other.
type installing struct {
	installer Installer
	namespace string // of this program
}

// hopes is what a DNSForwarding wishes for external-dns in a cluster.
type hopes struct {
	wish   install.Wish
	digest string
	wished bool
	err    error // in what was said
}

// hopes are those of a DNSForwarding for a cluster.
func (i installing) hopes(b *book, c fleet.Cluster) hopes {
	spec := b.object.Spec.ExternalDNS
	if spec == nil || !b.selects(c) {
		return hopes{}
	}
	at, err := install.Choose(spec.Installs, c.Source, c.Labels)
	if at < 0 {
		return hopes{err: err, wished: err != nil}
	}
	w, err := install.WishOf(spec.Installs[at], install.Place{
		ClusterName: c.Name, ClusterNamespace: c.Namespace, Environment: spec.Environment, ProviderName: b.name(), ProviderNamespace: i.namespace,
	}, patienceOf(b))
	if err != nil {
		return hopes{wish: w, wished: true, err: err}
	}
	return hopes{wish: w, digest: i.installer.Digest(w), wished: true}
}

func patienceOf(b *book) time.Duration {
	if spec := b.object.Spec.ExternalDNS; spec != nil && spec.DrainTimeout != nil {
		return spec.DrainTimeout.Duration
	}
	return drainTimeout
}

// install goes through all clusters once and says what is to be done about external-dns now.
func (d *desk) install(books []*book, now time.Time) []*job {
	if d.installs.installer == nil {
		return nil
	}
	all := map[*book]map[string]hopes{}
	for _, b := range books {
		all[b] = map[string]hopes{}
		for id, rec := range b.clusters {
			if s := d.sites[id]; s != nil && rec.LeavingSince == nil {
				all[b][id] = d.installs.hopes(b, s.Cluster)
			}
		}
	}
	holders := d.holders(books, all)
	for _, b := range books {
		d.hand(b, all[b], holders)
	}
	var jobs []*job
	for _, id := range slices.Sorted(maps.Keys(holders)) {
		if j := d.installJob(holders[id], d.sites[id], all[holders[id]][id], now); j != nil {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// holders are the DNSForwardings that may install, by cluster: who has something there keeps it, else the oldest that
// wishes.
func (d *desk) holders(books []*book, all map[*book]map[string]hopes) map[string]*book {
	out := map[string]*book{}
	for _, b := range books {
		for id, rec := range b.clusters {
			if rec.ExternalDNS != nil && out[id] == nil && d.sites[id] != nil {
				out[id] = b
			}
		}
	}
	for _, b := range books {
		for id, h := range all[b] {
			if h.wished && out[id] == nil {
				out[id] = b
			}
		}
	}
	return out
}

// hand lets clusters in that are next, and notes what is to go.
func (d *desk) hand(b *book, hoped map[string]hopes, holders map[string]*book) {
	members := slices.DeleteFunc(b.members(d.sites), func(id string) bool { return !hoped[id].wished })
	var outcomes []Outcome
	for _, id := range members {
		outcomes = append(outcomes, d.installOutcome(b, id, hoped[id], holders[id]))
	}
	for id, rec := range b.clusters {
		if h := hoped[id]; !h.wished || rec.ExternalDNS != nil && h.err == nil && !at(rec.ExternalDNS, h.wish) {
			d.letGo(b, rec)
		}
	}
	if b.planning() || b.problem != "" || b.deleting() {
		return
	}
	r := b.object.Spec.Rollout
	_, next := Next(outcomes, Steps{Canary: int(r.Canary), Percent: int(r.Percent)})
	for _, i := range next {
		id, h := members[i], hoped[members[i]]
		rec := b.clusters[id]
		ready := rec.ExternalDNS != nil && rec.ExternalDNS.NamespaceReady
		rec.ExternalDNS = &v1alpha1.InstallStatus{Namespace: h.wish.Namespace, Release: h.wish.Release, Digest: h.digest, NamespaceReady: ready}
		rec.InstallDiff = ""
		b.set(rec, v1alpha1.ExternalDNSInstalled, metav1.ConditionFalse, string(install.Installing), "it is its turn")
	}
}

// letGo has what is in a cluster go; nothing is touched in mode Plan, nor while nobody knows what is wished.
func (d *desk) letGo(b *book, rec *v1alpha1.ClusterStatus) {
	switch s := d.sites[rec.Name]; {
	case rec.ExternalDNS == nil && rec.LeavingSince == nil:
		meta.RemoveStatusCondition(&rec.Conditions, v1alpha1.ExternalDNSInstalled)
		rec.InstallDiff = ""
	case rec.ExternalDNS == nil, b.planning() && !b.deleting(), b.problem != "" && !b.deleting(), s != nil && s.uncertain:
	default:
		rec.ExternalDNS.Digest = ""
	}
}

// at says whether a wish is for the place where something is.
func at(have *v1alpha1.InstallStatus, w install.Wish) bool {
	return have.Namespace == w.Namespace && have.Release == w.Release
}

// installOutcome is a cluster in the eyes of the steps in which installations travel.
func (d *desk) installOutcome(b *book, id string, h hopes, holder *book) Outcome {
	rec, s := b.clusters[id], d.sites[id]
	switch {
	case holder != b:
		b.set(rec, v1alpha1.ExternalDNSInstalled, metav1.ConditionFalse, otherInstalls,
			"DNSForwarding "+holder.name()+" installs external-dns in this cluster: want that in one of them only")
		return Blocked
	case h.err != nil:
		b.set(rec, v1alpha1.ExternalDNSInstalled, metav1.ConditionFalse, string(install.BadValues), h.err.Error())
		return Blocked
	case rec.ExternalDNS != nil && rec.ExternalDNS.Digest == h.digest:
		c := meta.FindStatusCondition(rec.Conditions, v1alpha1.ExternalDNSInstalled)
		switch {
		case c == nil || c.Reason == string(install.Installing):
			return UnderWay
		case c.Status == metav1.ConditionTrue:
			return Good
		}
		return Unproven
	case rec.ExternalDNS != nil && !at(rec.ExternalDNS, h.wish), s == nil || !s.present || s.Config == nil:
		return Blocked
	}
	if !b.planning() {
		b.set(rec, v1alpha1.ExternalDNSInstalled, metav1.ConditionFalse, waitsForTurn, "it waits for its turn; what is there stays until then")
	}
	return Waiting
}

// installJob is what has to be done about external-dns in a cluster now, or nil.
func (d *desk) installJob(b *book, s *site, h hopes, now time.Time) *job {
	rec := b.clusters[s.ID]
	if s.installing || !s.present || s.Config == nil || h.err != nil {
		return nil
	}
	j := &job{cluster: s.Cluster, kind: installs, installFor: b.name(), install: h.wish, installDigest: h.digest}
	switch have := rec.ExternalDNS; {
	case b.problem != "" && !b.deleting():
		return nil
	case b.planning() && !b.deleting():
		if !h.wished {
			return nil
		}
		j.kind = installPlan
	case have == nil:
		return nil // it is not its turn
	case have.Digest == "":
		j.install = install.Wish{Namespace: have.Namespace, Release: have.Release, DrainTimeout: patienceOf(b)}
		j.installDigest = ""
	case have.Digest != h.digest:
		return nil // it keeps what it has until it is its turn
	}
	tried := digest([]any{j.kind, j.installFor, j.install.Namespace, j.install.Release, j.installDigest})
	if tried == s.installTried && now.Before(s.installDue) {
		return nil
	}
	if tried != s.installTried {
		s.installFailures = 0
	}
	s.installing, s.installTried = true, tried
	return j
}

// installed takes in what became of a job about external-dns.
func (d *desk) installed(r result, now time.Time) {
	s := d.sites[r.cluster.ID]
	if s == nil {
		return
	}
	s.installing = false
	s.installDue = now.Add(d.resync)
	b, rec := d.record(r.installFor, s.ID)
	if rec == nil {
		return
	}
	set := func(status metav1.ConditionStatus, reason, message string) {
		b.set(rec, v1alpha1.ExternalDNSInstalled, status, reason, message)
	}
	fail := func() {
		s.installFailures++
		s.installDue = now.Add(backoff(firstRetry, s.installFailures))
	}
	switch {
	case r.err != nil:
		set(metav1.ConditionFalse, reasonOf(r.err), r.err.Error())
		fail()
		return
	case r.kind == installPlan:
		s.installFailures = 0
		rec.InstallDiff = clip(r.installPlan, maxDiff)
		set(metav1.ConditionFalse, planned, "mode is Plan: nothing is touched; see installDiff")
		return
	case rec.ExternalDNS == nil || rec.ExternalDNS.Digest != r.installDigest:
		s.installTried = "" // something else is wished by now
		return
	}
	report := r.installReport
	rec.ExternalDNS.NamespaceReady = report.NamespaceReady
	d.tellOf(b, rec, report)
	switch report.State {
	case install.Installed:
		s.installFailures = 0
		set(metav1.ConditionTrue, string(install.Installed), report.Message)
	case install.Gone:
		s.installFailures, s.installTried = 0, ""
		rec.ExternalDNS = nil
		meta.RemoveStatusCondition(&rec.Conditions, v1alpha1.ExternalDNSInstalled)
		if rec.LeavingSince != nil && rec.Revision == "" {
			delete(b.clusters, s.ID)
		}
	case install.Failed:
		set(metav1.ConditionFalse, string(report.Reason), report.Message)
		fail()
	default:
		set(metav1.ConditionFalse, string(report.State), report.Message)
		s.installDue = now.Add(report.Again)
	}
}

// tellOf tells of what was done.
func (d *desk) tellOf(b *book, rec *v1alpha1.ClusterStatus, r install.Report) {
	if r.Did != install.DoNothing {
		d.tell(b.object, rollout.Event{Reason: installEvent + rollout.EventReason(r.Did), Message: r.Message}, rec.Name)
	}
	if r.State == install.Failed {
		d.tell(b.object, rollout.Event{Reason: installFailed, Message: r.Message}, rec.Name)
	}
	if r.Left {
		d.tell(b.object, rollout.Event{Reason: recordsLeft, Message: "records may be left in the DNS: " + r.Message}, rec.Name)
	}
}

// concludeInstalls says of the whole whether external-dns is where it is wished.
func (b *book) concludeInstalls(out *v1alpha1.DNSForwardingStatus, set func(condition string, is bool, yes, no, message string)) {
	if b.object.Spec.ExternalDNS == nil || b.deleting() {
		meta.RemoveStatusCondition(&out.Conditions, v1alpha1.ExternalDNSInstalled)
		return
	}
	there, wished, first := 0, 0, ""
	for _, id := range slices.Sorted(maps.Keys(b.clusters)) {
		c := meta.FindStatusCondition(b.clusters[id].Conditions, v1alpha1.ExternalDNSInstalled)
		if c == nil {
			continue
		}
		wished++
		if c.Status == metav1.ConditionTrue {
			there++
		} else if first == "" {
			first = "; " + id + " is not: " + c.Reason + ": " + c.Message
		}
	}
	reason := "NotEverywhere"
	if b.planning() {
		reason = planned
	}
	set(v1alpha1.ExternalDNSInstalled, there == wished && !b.planning(), string(install.Installed), reason,
		countOf(there, wished)+" clusters have external-dns as is wished"+first)
}
