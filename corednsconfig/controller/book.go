package controller

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// CanaryLabel with the value "true" on a cluster has it go before others.
const CanaryLabel = v1alpha1.Group + "/canary"

// book is one DNSForwarding with what is known of it in each cluster. It is read from the object's status once; from
// then on the book is what is true, and the status is written from it.
type book struct {
	object    *v1alpha1.DNSForwarding
	newest    v1alpha1.Revision
	revisions map[string]v1alpha1.Revision
	clusters  map[string]*v1alpha1.ClusterStatus
	selector  labels.Selector
	problem   string // why the spec cannot be used; then everything stays as it is
	stage     v1alpha1.Stage
}

// site is one cluster with what this process did to it.
type site struct {
	fleet.Cluster
	present   bool              // in the last listing
	uncertain bool              // its source could not be listed
	busy      bool              // a job is queued or at work
	digest    string            // of the wish that the last good job was about
	attempted string            // of the last job, whatever became of it
	plans     map[string]string // digest of the wish last planned, by DNSForwarding
	due       time.Time         // when it is looked at again without a reason
	glance    time.Time         // when it is seen whether anybody has changed what was written
	failures  int               // in a row

	installing      bool      // a job about external-dns is queued or at work
	installTried    string    // of the last one, whatever became of it
	installDue      time.Time // when it is looked at again without a reason
	installFailures int       // in a row
}

func newBook(f *v1alpha1.DNSForwarding) *book {
	b := &book{revisions: map[string]v1alpha1.Revision{}, clusters: map[string]*v1alpha1.ClusterStatus{}}
	for _, r := range f.Status.Revisions {
		b.revisions[r.Name] = r
	}
	for i := range f.Status.Clusters {
		c := f.Status.Clusters[i].DeepCopy()
		if _, known := b.revisions[c.Revision]; !known {
			c.Revision = "" // nobody knows what it was: it is looked at as if new
		}
		b.clusters[c.Name] = c
	}
	b.stage = f.Status.Stage
	return b
}

// read takes the object as it is now.
func (b *book) read(f *v1alpha1.DNSForwarding) {
	b.object, b.problem, b.selector = f, "", labels.Everything()
	if s := f.Spec.ClusterSelector; s != nil {
		selector, err := metav1.LabelSelectorAsSelector(&s.LabelSelector)
		if err != nil {
			b.problem = "spec.clusterSelector: " + err.Error()
		} else {
			b.selector = selector
		}
	}
	newest := revisionOf(f)
	if newest.Name == b.newest.Name {
		return
	}
	first := b.newest.Name == ""
	b.newest = newest
	b.revisions[newest.Name] = newest
	for _, rec := range b.clusters {
		if rec.LeavingSince == nil && rec.Revision != newest.Name && (!first || rec.Revision != "") {
			rec.State, rec.RolledBack = v1alpha1.StatePending, ""
		}
	}
}

func (b *book) name() string   { return b.object.Name }
func (b *book) uid() types.UID { return b.object.UID }
func (b *book) deleting() bool { return b.object.DeletionTimestamp != nil }
func (b *book) planning() bool { return b.object.Spec.Mode != v1alpha1.Apply }
func (b *book) part(r v1alpha1.Revision) part {
	return part{revision: r, probes: b.object.Spec.Probes, gate: b.object.Spec.Rollout.LoadGate}
}

// selects says whether a cluster is selected.
func (b *book) selects(c fleet.Cluster) bool {
	if b.deleting() || b.problem != "" {
		return false
	}
	if s := b.object.Spec.ClusterSelector; s != nil && len(s.Sources) > 0 && !slices.Contains(s.Sources, c.Source) {
		return false
	}
	return b.selector.Matches(labels.Set(c.Labels))
}

// enroll brings the records in line with the clusters there are.
func (b *book) enroll(sites map[string]*site, now time.Time) {
	for id, s := range sites {
		rec := b.clusters[id]
		here := s.present && b.selects(s.Cluster)
		if rec == nil && here {
			b.clusters[id] = &v1alpha1.ClusterStatus{Name: id, State: v1alpha1.StatePending}
			delete(s.plans, b.name())
			s.attempted = "" // what was known of it went with the record
		} else if rec != nil && here && rec.LeavingSince != nil {
			rec.LeavingSince, rec.State = nil, v1alpha1.StateUnderWay
			if rec.Revision == "" { // only external-dns was left to go
				rec.State = v1alpha1.StatePending
				delete(s.plans, b.name())
				s.attempted = ""
			}
			meta.RemoveStatusCondition(&rec.Conditions, v1alpha1.Orphaned)
			s.digest = "" // what was taken out has to be put in again
		}
	}
	for id, rec := range b.clusters {
		s := sites[id]
		frozen := !b.deleting() && (b.problem != "" || s != nil && s.uncertain)
		if rec.LeavingSince != nil || frozen || s != nil && s.present && b.selects(s.Cluster) {
			continue
		}
		if rec.Revision == "" && rec.ExternalDNS == nil {
			delete(b.clusters, id)
			continue
		}
		rec.LeavingSince, rec.State, rec.Diff = &metav1.Time{Time: now}, v1alpha1.StateLeaving, ""
	}
}

// yield gives way to older DNSForwardings that have one of our zones in the same cluster.
func (b *book) yield(elders []*book) {
	for id, rec := range b.clusters {
		if rec.LeavingSince != nil {
			continue
		}
		var here []*book
		for _, e := range elders {
			if theirs := e.clusters[id]; theirs != nil && theirs.LeavingSince == nil && !e.deleting() {
				here = append(here, e)
			}
		}
		zone, by := taken(b.newest, here)
		if zone == "" {
			if b.yielded(rec) {
				meta.RemoveStatusCondition(&rec.Conditions, rollout.Conflict)
				rec.State = v1alpha1.StatePending
			}
			continue
		}
		rec.State, rec.Diff = v1alpha1.StateRefused, ""
		b.set(rec, rollout.Conflict, metav1.ConditionTrue, zoneTaken,
			"zone "+zone+" is forwarded by DNSForwarding "+by+", which is older: want a zone in one of them only")
		for _, e := range here {
			if e.name() == by && e.clusters[id].Revision == e.newest.Name {
				rec.Revision = "" // theirs is in the cluster, so ours can go
			}
		}
	}
}

const zoneTaken = "ZoneTaken"

// yielded says whether the record stands back for an older DNSForwarding.
func (b *book) yielded(rec *v1alpha1.ClusterStatus) bool {
	c := meta.FindStatusCondition(rec.Conditions, rollout.Conflict)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == zoneTaken
}

func (b *book) set(rec *v1alpha1.ClusterStatus, condition string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&rec.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: clip(message, maxMessage), ObservedGeneration: b.object.Generation,
	})
}

// advance lets clusters in that are next. It returns those.
func (b *book) advance(sites map[string]*site) []string {
	switch {
	case b.deleting():
		b.stage = v1alpha1.StageRemoving
		return nil
	case b.problem != "":
		b.stage = v1alpha1.StageRefused
		return nil
	case b.planning():
		b.stage = v1alpha1.StagePlan
		return nil
	}
	for _, rec := range b.clusters {
		if rec.State == v1alpha1.StatePlanned { // the mode was Plan
			rec.State, rec.Diff = v1alpha1.StatePending, ""
		}
	}
	members := b.members(sites)
	outcomes := make([]Outcome, len(members))
	for i, id := range members {
		outcomes[i] = b.outcome(b.clusters[id], sites[id])
	}
	// Those that rather go first are waited for, as long as it takes to look at them.
	unknown := slices.IndexFunc(members, func(id string) bool { return sites[id].unseen() })
	for i, id := range members {
		if unknown >= 0 && outcomes[i] == Waiting && b.rank(id, sites) > b.rank(members[unknown], sites) {
			outcomes[i] = Blocked
		}
	}
	r := b.object.Spec.Rollout
	stage, next := Next(outcomes, Steps{Canary: int(r.Canary), Percent: int(r.Percent)})
	b.stage = stage
	var admitted []string
	for _, i := range next {
		rec := b.clusters[members[i]]
		rec.Revision, rec.State, rec.Diff, rec.RolledBack = b.newest.Name, v1alpha1.StateUnderWay, "", ""
		admitted = append(admitted, members[i])
	}
	return admitted
}

// members are the selected clusters in the order in which they go: those labelled so first, the platform itself last.
func (b *book) members(sites map[string]*site) []string {
	var ids []string
	for id, rec := range b.clusters {
		if rec.LeavingSince == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, c string) int { return cmp.Or(b.rank(a, sites)-b.rank(c, sites), strings.Compare(a, c)) })
	return ids
}

// rank is lower for clusters that rather go first.
func (b *book) rank(id string, sites map[string]*site) int {
	switch {
	case sites[id] != nil && sites[id].Labels[CanaryLabel] == "true":
		return 0
	case fleet.SourceOf(id) == v1alpha1.Local:
		return 2
	}
	return 1
}

// unseen says whether a first look at the cluster is still to come.
func (s *site) unseen() bool {
	return s != nil && s.present && s.Config != nil && s.digest == "" && len(s.plans) == 0 && s.failures == 0
}

// outcome is a record in the eyes of the roll-out. What was handed to a cluster is under way until the cluster is heard of.
func (b *book) outcome(rec *v1alpha1.ClusterStatus, s *site) Outcome {
	if rec.Revision == b.newest.Name {
		switch rec.State {
		case v1alpha1.StateUnderWay, v1alpha1.StatePending:
			return UnderWay
		case v1alpha1.StateReady:
			return Good
		case v1alpha1.StateUnresolved:
			return Unproven
		case v1alpha1.StateRolledBack:
			return RolledBack
		}
		return Skipped
	}
	looked := s != nil && s.present && s.Config != nil && s.plans[b.name()] != ""
	if looked && rec.State == v1alpha1.StatePending && meta.IsStatusConditionTrue(rec.Conditions, rollout.Supported) && !b.yielded(rec) {
		return Waiting
	}
	return Blocked
}
