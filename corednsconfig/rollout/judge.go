package rollout

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// expectation is what a replica shows once it runs the candidate.
type expectation struct {
	// Hash it reports; empty: it cannot be predicted.
	Hash string
	// Zones that the metrics show with a forward plugin then, and Gone, those that they show no more.
	Zones, Gone []string
	// Telling: what was there before had other zones, so the zones alone tell whether the candidate runs.
	Telling bool
	// Written is when the candidate was written; no process that started after Safe has read anything older.
	Written, Safe time.Time
}

// sample is one look at a replica.
type sample struct {
	Pod      types.UID
	Name     string
	Created  time.Time // of the pod
	Started  time.Time // of the container that serves DNS; zero: it does not run
	Restarts int32
	Ready    bool
	Crashing bool
	Figures  *figures // nil: not to be had this time
}

// process names the process that serves DNS; its counters start at zero.
func (m sample) process() string { return fmt.Sprintf("%s/%d", m.Pod, m.Restarts) }

// rejections are the counts of rejected reloads by process.
func rejections(s survey) map[string]float64 {
	counts := map[string]float64{}
	for _, m := range s.Samples {
		if m.Figures != nil {
			counts[m.process()] = m.Figures.Failed
		}
	}
	return counts
}

// state is how far a replica is.
type state string

const (
	waiting  state = "waiting"  // it runs something else, as far as can be seen
	loaded   state = "loaded"   // it runs the candidate
	rejected state = "rejected" // it read the candidate and refused it, or fell over it
	unseen   state = "unseen"   // it shows nothing that would tell
)

// standing is what is known of one replica, folded over its samples.
type standing struct {
	State state
	// failed is the number of rejected reloads that are not the candidate's.
	failed  float64
	counted bool
	last    sample
	hits    int // samples in a row that show the candidate
}

// see takes in a sample. A replica counts as loaded at the second sample in a row that says so: CoreDNS shows the new hash a
// moment before it counts the reload as failed.
func (s standing) see(m sample, want expectation) standing {
	if s.last.Pod != "" && (m.Pod != s.last.Pod || m.Restarts != s.last.Restarts) {
		// Another process: its counter started at zero.
		s = standing{counted: true, last: s.last, State: s.State}
		if s.State == loaded {
			s.State = waiting
		}
	}
	previous := s.last
	s.last = m
	since := previous.Pod != "" && m.Restarts > previous.Restarts || m.Restarts > 0 && m.Created.After(want.Written)
	if m.Crashing && (since || s.State == rejected) {
		s.State, s.hits = rejected, 0
		return s
	}
	f := m.Figures
	if f == nil {
		if s.State == "" {
			s.State = unseen
		}
		return s
	}
	if !s.counted || (want.Hash != "" && f.Hash != want.Hash) {
		s.failed, s.counted = f.Failed, true
	}
	switch shows(m, want, f.Failed > s.failed) {
	case loaded:
		s.hits++
		if s.hits >= 2 {
			s.State = loaded
		} else if s.State != loaded {
			s.State = waiting
		}
	case rejected:
		s.State, s.hits = rejected, 0
	case unseen:
		s.State, s.hits = unseen, 0
	case waiting:
		s.State, s.hits = waiting, 0
	}
	return s
}

// shows is what one sample says. failing: a reload was rejected since the candidate was written, and none of another
// file.
func shows(m sample, want expectation, failing bool) state {
	f := m.Figures
	zones := want.fits(f.Zones)
	fresh := m.Started.After(want.Written)
	switch {
	case failing && (want.Hash == "" || f.Hash == want.Hash):
		return rejected
	case want.Hash != "" && f.Hash == want.Hash:
		if zones {
			return loaded
		}
		return waiting // between the old servers and the new
	case want.Hash != "" && f.Hash != "":
		return waiting
	case !zones:
		return waiting
	case want.Telling:
		return loaded
	case fresh && (m.Created.After(want.Written) || m.Started.After(want.Safe)):
		return loaded // it has read no other file
	case want.Hash == "":
		return unseen
	}
	return waiting
}

// fits: the zones are those of the candidate.
func (e expectation) fits(zones map[string]bool) bool {
	return !slices.ContainsFunc(e.Zones, func(z string) bool { return !zones[z] }) &&
		!slices.ContainsFunc(e.Gone, func(z string) bool { return zones[z] })
}

// sampleOf is what a pod's status says of its DNS container.
func sampleOf(pod *corev1.Pod, container string) sample {
	m := sample{Pod: pod.UID, Name: pod.Name, Created: pod.CreationTimestamp.Time}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			m.Ready = c.Status == corev1.ConditionTrue
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name != container {
			continue
		}
		m.Restarts = c.RestartCount
		if c.State.Running != nil {
			m.Started = c.State.Running.StartedAt.Time
		}
		if c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 {
			m.Crashing = true
		}
		if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
			m.Crashing = true
		}
	}
	return m
}
