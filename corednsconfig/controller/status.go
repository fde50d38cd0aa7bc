package controller

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// An object of the API server is below 1.5 MiB. These bounds keep a status of 500 clusters below it; of more, texts are
// cut further.
const (
	maxMessage = 512       // bytes of a condition's message
	maxDiff    = 8 << 10   // bytes of the diff of one cluster
	maxDiffs   = 256 << 10 // bytes of all diffs
	maxStatus  = 1 << 20   // bytes of all
)

// clip cuts a text, and says so.
func clip(text string, most int) string {
	const cut = "… (cut)"
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(cut)], "") + cut
}

// status is the book as the object's status.
func (b *book) status(old v1alpha1.DNSForwardingStatus) v1alpha1.DNSForwardingStatus {
	out := v1alpha1.DNSForwardingStatus{
		ObservedGeneration: b.object.Generation,
		Conditions:         slices.Clone(old.Conditions),
		Zones:              strings.Join(zonesOf(b.newest), ", "),
		Stage:              b.stage, Revision: b.newest.Name,
	}
	used := map[string]bool{b.newest.Name: true}
	for _, id := range slices.Sorted(maps.Keys(b.clusters)) {
		rec := b.clusters[id].DeepCopy()
		slices.SortFunc(rec.Conditions, func(a, c metav1.Condition) int { return cmp.Compare(place(a.Type), place(c.Type)) })
		out.Clusters = append(out.Clusters, *rec)
		used[rec.Revision] = true
		count(&out.Summary, rec)
	}
	for _, name := range slices.Sorted(maps.Keys(b.revisions)) {
		if used[name] {
			out.Revisions = append(out.Revisions, b.revisions[name])
		}
	}
	out.Ready = fmt.Sprintf("%d/%d", out.Summary.Ready, out.Summary.Selected)
	b.conclude(&out)
	fit(&out)
	return out
}

// place is where a condition stands in the list: in the order in which things happen.
func place(condition string) int {
	order := []string{
		v1alpha1.Reachable, "Detected", "Supported", "Validated", "Applied", "Loaded", "Resolving", "Conflict", "Degraded", v1alpha1.ExternalDNSInstalled, v1alpha1.Orphaned,
	}
	return slices.Index(order, condition)
}

func count(s *v1alpha1.Summary, rec *v1alpha1.ClusterStatus) {
	if rec.LeavingSince != nil {
		return
	}
	s.Selected++
	switch rec.State {
	case v1alpha1.StateReady:
		s.Ready++
	case v1alpha1.StatePending, v1alpha1.StateUnderWay, v1alpha1.StatePlanned:
		s.Progressing++
	default:
		s.Failed++
	}
}

// conclude sets the conditions of the whole.
func (b *book) conclude(out *v1alpha1.DNSForwardingStatus) {
	set := func(condition string, is bool, yes, no, message string) {
		c := metav1.Condition{Type: condition, Status: metav1.ConditionFalse, Reason: no, Message: clip(message, maxMessage), ObservedGeneration: b.object.Generation}
		if is {
			c.Status, c.Reason = metav1.ConditionTrue, yes
		}
		meta.SetStatusCondition(&out.Conditions, c)
	}
	yields := b.yields()
	switch {
	case b.problem != "":
		set(v1alpha1.Accepted, false, "", "BadSpec", b.problem)
	case yields != "":
		set(v1alpha1.Accepted, false, "", zoneTaken, yields)
	default:
		set(v1alpha1.Accepted, true, "Accepted", "", "the spec can be used")
	}
	s := out.Summary
	message := countOf(int(s.Ready), int(s.Selected)) + " clusters resolve the zones"
	if text := b.failures(); text != "" {
		message += "; " + text
	}
	switch {
	case b.deleting():
		set(v1alpha1.Ready, false, "", "Removing", fmt.Sprintf("%d clusters are being cleaned", len(b.clusters)))
	case b.planning():
		set(v1alpha1.Ready, false, "", "Planning", "mode is Plan: nothing is written; "+message)
	default:
		reason := "Progressing"
		if b.stage == v1alpha1.StageHalted {
			reason = "Halted"
		} else if s.Failed > 0 {
			reason = "Failures"
		} else if s.Selected == 0 {
			reason = "NoClusters"
		}
		set(v1alpha1.Ready, s.Selected > 0 && s.Ready == s.Selected, "AllReady", reason, message)
	}
	b.concludeInstalls(out, set)
	set(v1alpha1.Halted, b.stage == v1alpha1.StageHalted, "RolledBack", "Running", b.rolledBack())
}

func countOf(n, all int) string { return fmt.Sprintf("%d of %d", n, all) }

// yields says for which zone the DNSForwarding stands back somewhere.
func (b *book) yields() string {
	for _, id := range slices.Sorted(maps.Keys(b.clusters)) {
		if rec := b.clusters[id]; b.yielded(rec) {
			return "cluster " + id + ": " + meta.FindStatusCondition(rec.Conditions, "Conflict").Message
		}
	}
	return ""
}

// failures names the first cluster in which something is to be looked at.
func (b *book) failures() string {
	for _, id := range slices.Sorted(maps.Keys(b.clusters)) {
		rec := b.clusters[id]
		var s v1alpha1.Summary
		if count(&s, rec); s.Failed == 0 {
			continue
		}
		return fmt.Sprintf("%s is %s: %s", id, rec.State, why(rec))
	}
	return ""
}

// why is the message of the condition that a record's state comes from.
func why(rec *v1alpha1.ClusterStatus) string {
	if rec.RolledBack != "" {
		return rec.RolledBack
	}
	for _, condition := range []string{"Conflict", "Degraded"} {
		if c := meta.FindStatusCondition(rec.Conditions, condition); c != nil && c.Status == metav1.ConditionTrue {
			return c.Message
		}
	}
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		for _, condition := range []string{v1alpha1.Reachable, "Detected", "Supported", "Validated", "Applied", "Loaded", "Resolving"} {
			if c := meta.FindStatusCondition(rec.Conditions, condition); c != nil && c.Status == status {
				return c.Message
			}
		}
	}
	return "see its conditions"
}

// fit cuts texts until the status fits into an object: diffs first, then messages of what is well, then all messages.
func fit(s *v1alpha1.DNSForwardingStatus) {
	room := maxDiffs
	for i := range s.Clusters {
		c := &s.Clusters[i]
		if room -= len(c.Diff) + len(c.InstallDiff); room < 0 {
			c.Diff, c.InstallDiff = "", ""
		}
	}
	for _, most := range []int{maxMessage, 128, 16, 0} {
		if size(s) <= maxStatus {
			return
		}
		for i := range s.Clusters {
			for k := range s.Clusters[i].Conditions {
				c := &s.Clusters[i].Conditions[k]
				if most == maxMessage && well(*c) || most == 0 {
					c.Message = ""
				} else {
					c.Message = clip(c.Message, max(most, 16))
				}
			}
			s.Clusters[i].RolledBack = clip(s.Clusters[i].RolledBack, max(most, 128))
		}
	}
}

func well(c metav1.Condition) bool {
	bad := c.Type == "Conflict" || c.Type == "Degraded" || c.Type == v1alpha1.Orphaned
	return (c.Status == metav1.ConditionFalse) == bad
}

// size is about that of a status in JSON, from above.
func size(s *v1alpha1.DNSForwardingStatus) int {
	n := 4096
	for _, r := range s.Revisions {
		n += 64
		for _, rule := range r.Rules {
			for _, text := range append(slices.Clone(rule.Zones), rule.Upstreams...) {
				n += len(text) + 4
			}
		}
	}
	for _, c := range s.Clusters {
		n += 400 + len(c.Name) + len(c.Hash) + 2*len(c.Diff) + 2*len(c.InstallDiff) + len(c.RolledBack)
		if x := c.ExternalDNS; x != nil {
			n += 120 + len(x.Namespace) + len(x.Release) + len(x.Digest)
		}
		for _, x := range c.Conditions {
			n += 160 + len(x.Type) + len(x.Reason) + len(x.Message)
		}
	}
	return n
}
