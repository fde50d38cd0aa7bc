package controller

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// desk is where all DNSForwardings and all clusters come together and it is decided what is done next. It does no I/O,
// and time is an argument.
type desk struct {
	books  map[string]*book
	sites  map[string]*site
	resync time.Duration
	drift  time.Duration
	// installs is external-dns; without an installer nothing is done about it.
	installs installing
	tell     func(f *v1alpha1.DNSForwarding, e rollout.Event, cluster string)
}

func newDesk(resync, drift time.Duration, tell func(*v1alpha1.DNSForwarding, rollout.Event, string)) *desk {
	return &desk{books: map[string]*book{}, sites: map[string]*site{}, resync: resync, drift: drift, tell: tell}
}

// aged are the books, the oldest first.
func (d *desk) aged() []*book {
	return slices.SortedFunc(maps.Values(d.books), func(a, b *book) int { return older(a.object, b.object) })
}

// read takes in the DNSForwardings there are.
func (d *desk) read(forwardings []v1alpha1.DNSForwarding) {
	there := map[string]bool{}
	for i := range forwardings {
		f := &forwardings[i]
		there[f.Name] = true
		if b := d.books[f.Name]; b == nil || b.uid() != f.UID {
			d.books[f.Name] = newBook(f)
		}
		d.books[f.Name].read(f)
	}
	for name := range d.books {
		if !there[name] {
			delete(d.books, name)
		}
	}
}

// wanted says whether somebody has to do with a cluster.
func (d *desk) wanted(c fleet.Cluster) bool {
	for _, b := range d.books {
		if b.selects(c) || b.clusters[c.ID] != nil {
			return true
		}
	}
	return false
}

// meet takes in the clusters there are.
func (d *desk) meet(l fleet.Listing) {
	for id, c := range l.Clusters {
		s := d.sites[id]
		if s == nil {
			s = &site{plans: map[string]string{}}
			d.sites[id] = s
		}
		if (s.Config == nil) != (c.Config == nil) {
			s.due, s.failures = time.Time{}, 0 // it can be reached now, or no longer
		}
		s.Cluster, s.present, s.uncertain = c, true, false
	}
	for id, s := range d.sites {
		if _, there := l.Clusters[id]; there {
			continue
		}
		_, s.uncertain = l.Failed[fleet.SourceOf(id)]
		s.present = s.present && s.uncertain
		if !s.uncertain && !s.busy && !d.recorded(id) {
			delete(d.sites, id)
		}
	}
	for _, b := range d.books { // of clusters that this process has not met
		for id := range b.clusters {
			if d.sites[id] == nil {
				_, failed := l.Failed[fleet.SourceOf(id)]
				d.sites[id] = &site{Cluster: fleet.Cluster{ID: id, Source: fleet.SourceOf(id)}, uncertain: failed, plans: map[string]string{}}
			}
		}
	}
}

func (d *desk) recorded(id string) bool {
	for _, b := range d.books {
		if b.clusters[id] != nil {
			return true
		}
	}
	return false
}

// decide goes through everything once and says what is to be done now.
func (d *desk) decide(now time.Time) []*job {
	books := d.aged()
	for i, b := range books {
		b.enroll(d.sites, now)
		b.yield(books[:i])
		before := b.stage
		b.advance(d.sites)
		if b.stage == v1alpha1.StageHalted && before != v1alpha1.StageHalted {
			d.tell(b.object, rollout.Event{Reason: halted, Message: "the roll-out of revision " + b.newest.Name + " is halted: " + b.rolledBack()}, "")
		}
	}
	d.orphans(now)
	var jobs []*job
	for _, id := range slices.Sorted(maps.Keys(d.sites)) {
		if j := d.job(d.sites[id], books, now); j != nil {
			jobs = append(jobs, j)
		}
	}
	return append(jobs, d.install(books, now)...)
}

// rolledBack says where and why.
func (b *book) rolledBack() string {
	for _, id := range slices.Sorted(maps.Keys(b.clusters)) {
		if rec := b.clusters[id]; rec.State == v1alpha1.StateRolledBack {
			return "cluster " + id + " was rolled back: " + rec.RolledBack
		}
	}
	return ""
}

// orphans gives up what could not be taken out in time.
func (d *desk) orphans(now time.Time) {
	for _, b := range d.books {
		patience := time.Hour
		if after := b.object.Spec.OrphanAfter; after != nil {
			patience = after.Duration
		}
		for id, rec := range b.clusters {
			s := d.sites[id]
			stuck := s == nil || !s.present || s.Config == nil || s.failures > 0 || s.installFailures > 0
			if rec.LeavingSince == nil || !stuck || s != nil && s.busy || now.Sub(rec.LeavingSince.Time) < patience {
				continue
			}
			if rec.State != v1alpha1.StateOrphaned {
				rec.State = v1alpha1.StateOrphaned
				text := "what was written may be left in the cluster: it could not be taken out within " + patience.String() + "; " + why(rec)
				b.set(rec, v1alpha1.Orphaned, metav1.ConditionTrue, "NotRemoved", text)
				d.tell(b.object, rollout.Event{Reason: orphaned, Message: text}, id)
			}
			if !b.deleting() && (s == nil || !s.present && !s.uncertain) {
				delete(b.clusters, id) // nobody will ever come to it again
			}
		}
	}
}

// finished says whether nothing of a deleted DNSForwarding is left that could be taken out.
func (b *book) finished() bool {
	for _, rec := range b.clusters {
		if rec.State != v1alpha1.StateOrphaned {
			return false
		}
	}
	return b.deleting()
}

// job is what has to be done in a cluster now, or nil.
func (d *desk) job(s *site, books []*book, now time.Time) *job {
	if s.busy {
		return nil
	}
	j := &job{cluster: s.Cluster, handed: map[string]string{}, looks: map[string]rollout.Wish{}, digests: map[string]string{}}
	var parts []part
	var holders []*book
	fresh, calm := false, true
	for _, b := range books {
		rec := b.clusters[s.ID]
		switch {
		case rec == nil || rec.Revision == "":
		case rec.LeavingSince != nil:
			j.leaving = append(j.leaving, b.name())
		default:
			parts, holders = append(parts, b.part(b.revisions[rec.Revision])), append(holders, b)
			j.handed[b.name()] = rec.Revision
			calm = calm && (rec.State == v1alpha1.StateReady || rec.State == v1alpha1.StateUnresolved)
			fresh = fresh || rec.State == v1alpha1.StateUnderWay || rec.State == v1alpha1.StatePending && rec.Revision == b.newest.Name
			if j.domain == "" {
				j.domain = baseDomain(b.object, b.revisions[rec.Revision], s.Cluster)
			}
		}
	}
	if !s.present || s.Config == nil {
		d.unusable(s, books)
		return nil
	}
	j.wish = wish(parts)
	j.digest = digest(j.wish)
	d.look(j, s, books, parts, holders)
	return d.timely(j, s, fresh, calm, now)
}

// look adds what is to be planned: every DNSForwarding whose newest rules are not in the cluster.
func (d *desk) look(j *job, s *site, books []*book, parts []part, holders []*book) {
	for _, b := range books {
		rec := b.clusters[s.ID]
		if rec == nil || rec.LeavingSince != nil || b.problem != "" || b.deleting() || b.yielded(rec) || rec.Revision == b.newest.Name && !b.planning() {
			continue
		}
		mine, ours := b.part(b.newest), slices.Clone(parts)
		if at := slices.Index(holders, b); at >= 0 {
			ours[at] = mine
		} else {
			ours = append(ours, mine)
		}
		w := wish(ours)
		j.looks[b.name()], j.digests[b.name()] = w, digest(w)
	}
}

// timely leaves of a job what is due, and says what kind of a job it is. Fresh: a DNSForwarding has just been let in;
// calm: all that were let in are there.
func (d *desk) timely(j *job, s *site, fresh, calm bool, now time.Time) *job {
	due := !now.Before(s.due)
	whole := digest([]any{j.digest, j.leaving, j.digests})
	changed := whole != s.attempted
	switch {
	case !changed && !due:
	case len(j.handed) == 0 && len(j.leaving) > 0:
		j.kind = remove
	case len(j.leaving) > 0 || len(j.handed) > 0 && (fresh && j.digest != s.digest):
		j.kind = apply
	case len(j.handed) > 0 && (due || fresh || j.digest != s.digest):
		j.kind = repair
	}
	if j.kind == nothing && calm && len(j.handed) > 0 && j.digest == s.digest && !now.Before(s.glance) {
		j.kind = glance
	}
	for name, digest := range j.digests {
		if !changed && !due || s.plans[name] == digest && !due {
			delete(j.looks, name)
		}
	}
	if j.kind == nothing && len(j.looks) == 0 {
		if due {
			s.due = now.Add(d.resync)
		}
		return nil
	}
	s.busy, s.attempted = true, whole
	return j
}

// put takes a job back that was not handed out.
func (s *site) put(j *job) {
	if j.kind == installs || j.kind == installPlan {
		s.installing, s.installTried = false, ""
		return
	}
	s.busy, s.attempted = false, ""
}

// unusable says in all records why nothing is done in the cluster.
func (d *desk) unusable(s *site, books []*book) {
	reason, text := "Gone", "the cluster is no longer listed by its source"
	switch {
	case s.uncertain:
		reason, text = "SourceFailed", "the clusters of source "+string(s.Source)+" cannot be listed at the moment"
	case s.Err != nil:
		reason, text = string(s.Err.Reason), s.Err.Text
	}
	for _, b := range books {
		rec := b.clusters[s.ID]
		if rec == nil {
			continue
		}
		b.set(rec, v1alpha1.Reachable, metav1.ConditionFalse, reason, text)
		if rec.LeavingSince == nil && !b.yielded(rec) {
			rec.State = v1alpha1.StateUnreachable
		}
	}
}

// reachable notes that the API server answered.
func (b *book) reachable(rec *v1alpha1.ClusterStatus) {
	if !meta.IsStatusConditionTrue(rec.Conditions, v1alpha1.Reachable) {
		b.set(rec, v1alpha1.Reachable, metav1.ConditionTrue, "Answers", "its API server answers")
	}
}

// next is how long nothing is due.
func (d *desk) next(now time.Time) time.Duration {
	least := d.resync
	for _, s := range d.sites {
		if !s.busy && s.present && s.Config != nil {
			least = min(least, s.due.Sub(now))
			if s.digest != "" {
				least = min(least, s.glance.Sub(now))
			}
		}
		if !s.installing && s.installTried != "" && s.present && s.Config != nil {
			least = min(least, s.installDue.Sub(now))
		}
	}
	return least
}

// noticed hands on what the engine tells of a cluster, to all who have to do with it.
func (d *desk) noticed(n note) {
	for _, b := range d.books {
		if b.clusters[n.cluster] != nil {
			d.tell(b.object, n.event, n.cluster)
		}
	}
}
