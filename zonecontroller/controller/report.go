package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// longestMessage is where texts of statuses are cut.
const longestMessage = 1000

func clip(text string) string {
	if len(text) <= longestMessage {
		return text
	}
	return strings.ToValidUTF8(text[:longestMessage-len("…")], "") + "…"
}

// outcome is what became of a record.
type outcome struct {
	ready           bool
	reason, message string
}

// told is an outcome as a record was told it.
type told struct {
	outcome
	generation int64
	since      time.Time
	fqdn, zone string
}

// readyNow says whether a record's status is Ready for what it asks for now.
func readyNow(r *v1alpha1.DNSRecord) bool {
	return r.Status.ObservedGeneration == r.Generation && meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.Ready)
}

// heard is what a record's status says.
func heard(r *v1alpha1.DNSRecord) told {
	h := told{generation: r.Status.ObservedGeneration, fqdn: r.Status.FQDN, zone: r.Status.Zone}
	if c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.Ready); c != nil {
		h.outcome = outcome{ready: c.Status == metav1.ConditionTrue, reason: c.Reason, message: c.Message}
		h.since = c.LastTransitionTime.Time
	}
	return h
}

// tell has a record's status say what became of it, if it says something else.
func (c *Controller) tell(r *v1alpha1.DNSRecord, before told, o outcome, fqdn, zone string, now time.Time) told {
	if before == (told{}) {
		before = heard(r)
	}
	o.message = clip(o.message)
	next := told{outcome: o, generation: r.Generation, since: before.since, fqdn: fqdn, zone: zone}
	if next == before {
		return next
	}
	if before.reason == "" || before.ready != o.ready {
		next.since = now
	}
	condition := metav1.Condition{
		Type: v1alpha1.Ready, Status: metav1.ConditionFalse, ObservedGeneration: r.Generation,
		LastTransitionTime: metav1.NewTime(next.since), Reason: o.reason, Message: o.message,
	}
	if o.ready {
		condition.Status = metav1.ConditionTrue
	}
	c.statuses.set(recordKind, keyOf(r), r.UID, v1alpha1.DNSRecordStatus{
		ObservedGeneration: r.Generation, Conditions: []metav1.Condition{condition}, FQDN: fqdn, Zone: zone,
	})
	if !o.ready && o.reason != before.reason && lasting(o.reason) {
		c.opts.Events.record(r, o.message)
	}
	return next
}

// lasting says whether a person has to do something about a record, and not about its zone or a server.
func lasting(reason string) bool {
	switch reason {
	case ReasonZoneNotFound, ReasonZoneNotReady, ReasonServerUnreachable, ReasonNotAnswered:
		return false
	}
	return true
}

// tellRecords tells every record what became of it.
func (t *tour) tellRecords() {
	keys := make(map[types.NamespacedName]backend.Key, len(t.records))
	outcomes := make(map[backend.Key]outcome, len(t.w.of))
	for key, ids := range t.w.of {
		outcomes[key] = t.outcome(key)
		for _, id := range ids {
			keys[id] = key
		}
	}
	next := make(map[types.UID]told, len(t.records))
	for i := range t.records {
		r := &t.records[i]
		if r.DeletionTimestamp != nil {
			continue
		}
		o, fqdn := outcome{reason: ReasonZoneNotReady, message: "it has yet to be looked at"}, ""
		if f, wrong := t.w.faults[keyOf(r)]; wrong {
			o = outcome{reason: f.Reason, message: f.Error()}
		} else if key, ok := keys[keyOf(r)]; ok {
			o, fqdn = outcomes[key], key.Name
		}
		t.counted.all++
		if o.ready {
			t.counted.ready++
		}
		next[r.UID] = t.c.tell(r, t.k.told[r.UID], o, fqdn, t.k.name, t.now)
	}
	t.k.told = next
}

// outcome is what became of an RRset.
func (t *tour) outcome(key backend.Key) outcome {
	if err := t.withheld[key]; err != nil {
		reason := v1alpha1.ReasonConflict
		if owned := (*content.Owned)(nil); errors.As(err, &owned) {
			reason = v1alpha1.ReasonExternalDNS
		}
		return outcome{reason: reason, message: err.Error()}
	}
	if len(t.primaries) == 0 {
		return outcome{reason: ReasonZoneNotReady, message: fmt.Sprintf("DNSZone %s has no primary server: want its serverSelector to match a DNSServer with role Primary that allows its namespace", t.k.key)}
	}
	for _, s := range t.primaries {
		if err := s.failed[key]; err != nil {
			switch backend.KindOf(err) {
			case backend.Conflict:
				return outcome{reason: v1alpha1.ReasonConflict, message: fmt.Sprintf("%s: %v", s.server, err)}
			case backend.Temporary:
				return outcome{reason: ReasonServerUnreachable, message: fmt.Sprintf("%s: %v", s.server, err)}
			default:
				return outcome{reason: ReasonRefused, message: fmt.Sprintf("%s: %v", s.server, err)}
			}
		}
		_, pending := s.pending[key]
		without := s.err != nil && (s.serial == 0 || s.lost) // it does not have the zone, or not any more
		if !pending && !without {
			continue
		}
		if s.err != nil {
			return outcome{reason: ReasonServerUnreachable, message: fmt.Sprintf("%s: %v", s.server, s.err)}
		}
		return outcome{reason: ReasonNotAnswered, message: fmt.Sprintf("%s took it and does not answer it: %v", s.server, s.silent)}
	}
	return outcome{ready: true, reason: ReasonAnswered, message: "every primary answers it with authority"}
}

// tellAll tells all records one thing, except those that are answered as they are written now.
func (t *tour) tellAll(o outcome) {
	next := make(map[types.UID]told, len(t.records))
	for i := range t.records {
		r := &t.records[i]
		if r.DeletionTimestamp != nil {
			continue
		}
		before := t.k.told[r.UID]
		if before == (told{}) {
			before = heard(r)
		}
		t.counted.all++
		if before.ready && before.generation == r.Generation && t.z.DeletionTimestamp == nil {
			next[r.UID] = before
			t.counted.ready++
			continue
		}
		next[r.UID] = t.c.tell(r, before, o, before.fqdn, t.k.name, t.now)
	}
	t.k.told = next
}

// refuse leaves everything as it is, and says why.
func (t *tour) refuse(reason, message string) {
	t.tellAll(outcome{reason: ReasonZoneNotReady, message: fmt.Sprintf("DNSZone %s is not accepted: %s", t.k.key, message)})
	status := t.k.status.DeepCopy()
	t.condition(status, v1alpha1.Accepted, false, reason, message)
	t.condition(status, v1alpha1.Ready, false, ReasonNotAccepted, message)
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.Degraded)
	if c := meta.FindStatusCondition(t.k.status.Conditions, v1alpha1.Accepted); c == nil || c.Reason != reason {
		t.c.opts.Events.zone(t.z, EventNotAccepted, "%s", message)
	}
	t.refused = true
	t.store(status)
}

// report says how the zone is.
func (t *tour) report() {
	status := t.k.status.DeepCopy()
	t.condition(status, v1alpha1.Accepted, true, ReasonAccepted, "nothing is wrong with it")
	serving, selected, failing := 0, 0, []string{}
	for _, p := range t.k.sorted() {
		if p.state == v1alpha1.Leaving {
			if p.message != "" {
				failing = append(failing, fmt.Sprintf("%s has still to let go: %s", p.server, p.message))
			}
			continue
		}
		selected++
		if p.state == v1alpha1.Serving {
			serving++
		} else {
			failing = append(failing, fmt.Sprintf("%s is %s: %s", p.server, p.state, p.message))
		}
	}
	problems := slices.Concat(failing, t.trouble)
	switch {
	case selected == 0:
		t.condition(status, v1alpha1.Ready, false, v1alpha1.ReasonNoServers, t.noServers())
	case serving < selected:
		t.condition(status, v1alpha1.Ready, false, ReasonNotServing, fmt.Sprintf("%d of %d servers serve it; %s", serving, selected, strings.Join(failing, "; ")))
	case t.reason == ReasonZoneRefused || t.reason == ReasonLedger:
		t.condition(status, v1alpha1.Ready, false, t.reason, strings.Join(t.trouble, "; "))
	default:
		t.condition(status, v1alpha1.Ready, true, ReasonServing, fmt.Sprintf("all %d servers serve it", selected))
	}
	reason := t.reason
	if reason == "" {
		reason = ReasonServersFailing
	}
	if len(problems) > 0 && serving > 0 {
		t.condition(status, v1alpha1.Degraded, true, reason, strings.Join(problems, "; "))
	} else {
		t.condition(status, v1alpha1.Degraded, false, ReasonAsWished, "nothing is wrong with what is served")
	}
	status.Ready = fmt.Sprintf("%d/%d", serving, selected)
	t.store(status)
}

// noServers says why there are none.
func (t *tour) noServers() string {
	if len(t.forbidden) > 0 {
		return fmt.Sprintf("serverSelector matches %s, which do not allow namespace %s: want it in their spec.allowedNamespaces", strings.Join(t.forbidden, ", "), t.z.Namespace)
	}
	return "serverSelector matches no DNSServer: want its labels on one"
}

// reportLeaving says what keeps a zone that is being deleted.
func (t *tour) reportLeaving() {
	status := t.k.status.DeepCopy()
	var waits []string
	for _, p := range t.k.sorted() {
		waits = append(waits, fmt.Sprintf("%s: %s", p.server, p.message))
	}
	t.condition(status, v1alpha1.Ready, false, ReasonDeleting, "it has still to leave "+strings.Join(waits, "; "))
	t.store(status)
}

// store has the status written, if it says something new.
func (t *tour) store(status *v1alpha1.DNSZoneStatus) {
	status.ObservedGeneration = t.z.Generation
	status.Servers = t.k.servers()
	status.Serial = int64(t.k.seen)
	status.Records = int32(t.counted.all) //nolint:gosec // a cluster holds fewer
	status.DSRecords = t.k.ds
	if equality.Semantic.DeepEqual(*status, t.k.status) {
		return
	}
	t.k.status = *status
	t.c.statuses.set(zoneKind, t.k.key, t.k.uid, status.DeepCopy())
}

// condition sets a condition as of this reconciliation.
func (t *tour) condition(status *v1alpha1.DNSZoneStatus, kind string, good bool, reason, message string) {
	setCondition(&status.Conditions, t.z.Generation, t.now, kind, good, reason, message)
}

func setCondition(conditions *[]metav1.Condition, generation int64, now time.Time, kind string, good bool, reason, message string) {
	c := metav1.Condition{
		Type: kind, Status: metav1.ConditionFalse, ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now), Reason: reason, Message: clip(message),
	}
	if good {
		c.Status = metav1.ConditionTrue
	}
	if old := meta.FindStatusCondition(*conditions, kind); old != nil && old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	meta.SetStatusCondition(conditions, c)
}

// wrong says whether not all is as it should be, and another try may help.
func (t *tour) wrong() bool {
	if t.refused {
		return false // an event will tell when that changes
	}
	if t.reason == ReasonZoneRefused || t.reason == ReasonLedger || t.unlisted {
		return true
	}
	for _, p := range t.k.places {
		if p.state != v1alpha1.Serving {
			return true
		}
	}
	for _, s := range slices.Concat(t.primaries, t.secondaries) {
		if s.warning != nil || s.silent != nil || len(s.failed) > 0 {
			return true
		}
	}
	return false
}

// count is what metrics know of the zone.
func (t *tour) count(v *view) {
	v.idle = t.refused
	v.ready, v.all = t.counted.ready, t.counted.all
	v.ledger = len(t.k.wished) - len(t.withheld)
}
