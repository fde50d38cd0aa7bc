package rollout

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestStanding(t *testing.T) {
	written := time.Unix(10_000, 0)
	old, fresh := written.Add(-time.Hour), written.Add(10*time.Second)
	late := written.Add(3 * time.Minute)
	const zone = "openmcp.cluster."
	zones := func(names ...string) map[string]bool {
		m := map[string]bool{".": true}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	running := func(hash string, failed float64, z map[string]bool) sample {
		return sample{Pod: "1", Created: old, Started: old, Figures: &figures{Hash: hash, Failed: failed, Zones: z}}
	}
	with := func(m sample, f func(*sample)) sample { f(&m); return m }
	first := expectation{Hash: "new", Zones: []string{".", zone}, Telling: true, Written: written, Safe: written.Add(staleMount)}
	upstreams := first
	upstreams.Telling = false
	removal := expectation{Hash: "new", Zones: []string{"."}, Gone: []string{zone}, Telling: true, Written: written, Safe: written.Add(staleMount)}
	unknown := first
	unknown.Hash = ""
	for name, c := range map[string]struct {
		want    expectation
		samples []sample
		state   state
	}{
		"loaded": {first, []sample{running("old", 0, zones()), running("new", 0, zones(zone)), running("new", 0, zones(zone))}, loaded},
		"seen once is not enough, the failure is counted a moment later": {
			first, []sample{running("old", 0, zones()), running("new", 0, zones(zone))}, waiting},
		"rejected: the hash is that of the candidate all the same": {
			first, []sample{running("old", 0, zones()), running("new", 1, zones()), running("new", 1, zones())}, rejected},
		"rejected, and the zones were there before": {
			upstreams, []sample{running("old", 0, zones(zone)), running("new", 1, zones(zone)), running("new", 1, zones(zone))}, rejected},
		"rejected between two looks": {
			upstreams, []sample{running("old", 2, zones(zone)), running("new", 2, zones(zone)), running("new", 3, zones(zone))}, rejected},
		"a file of somebody else was rejected on the way": {
			first, []sample{running("old", 0, zones()), running("other", 1, zones()), running("new", 1, zones(zone)), running("new", 1, zones(zone))}, loaded},
		"absent before the first reload":      {first, []sample{running("", 0, zones()), running("", 0, zones())}, waiting},
		"between the old servers and the new": {first, []sample{running("old", 0, zones()), running("new", 0, zones()), running("new", 0, zones())}, waiting},
		"taken out":                           {removal, []sample{running("old", 0, zones(zone)), running("new", 0, zones()), running("new", 0, zones())}, loaded},
		"not taken out yet":                   {removal, []sample{running("old", 0, zones(zone)), running("old", 0, zones(zone))}, waiting},
		"hash unknown, zones tell":            {unknown, []sample{running("", 0, zones()), running("x", 0, zones(zone)), running("x", 0, zones(zone))}, loaded},
		"hash unknown, rejected":              {unknown, []sample{running("", 0, zones()), running("x", 1, zones()), running("x", 1, zones())}, rejected},
		"no figures":                          {first, []sample{{Pod: "1", Started: old}, {Pod: "1", Started: old}}, unseen},
		"figures lost on the way stay as they were": {
			first, []sample{running("old", 0, zones()), running("new", 0, zones(zone)), running("new", 0, zones(zone)), {Pod: "1", Started: old}}, loaded},
		"a new pod has read nothing else": {
			upstreams, []sample{
				running("old", 0, zones(zone)),
				with(running("", 0, zones(zone)), func(m *sample) { m.Pod, m.Created, m.Started = "2", fresh, fresh }),
				with(running("", 0, zones(zone)), func(m *sample) { m.Pod, m.Created, m.Started = "2", fresh, fresh }),
			}, loaded},
		"a container started again may have read an old file": {
			upstreams, []sample{
				running("old", 0, zones(zone)),
				with(running("", 0, zones(zone)), func(m *sample) { m.Restarts, m.Started = 1, fresh }),
				with(running("", 0, zones(zone)), func(m *sample) { m.Restarts, m.Started = 1, fresh }),
			}, waiting},
		"a container started again when mounts were fresh": {
			upstreams, []sample{
				running("old", 0, zones(zone)),
				with(running("", 0, zones(zone)), func(m *sample) { m.Restarts, m.Started = 1, late }),
				with(running("", 0, zones(zone)), func(m *sample) { m.Restarts, m.Started = 1, late }),
			}, loaded},
		"falls over it": {
			first, []sample{
				running("old", 0, zones()),
				{Pod: "1", Restarts: 1, Crashing: true}, {Pod: "1", Restarts: 1, Crashing: true},
			}, rejected},
		"a new pod falls over it": {
			first, []sample{{Pod: "2", Created: fresh, Restarts: 1, Crashing: true}}, rejected},
		"fell over something else before": {
			first, []sample{{Pod: "1", Restarts: 7, Crashing: true}, {Pod: "1", Restarts: 7, Crashing: true}}, unseen},
	} {
		t.Run(name, func(t *testing.T) {
			var s standing
			for _, m := range c.samples {
				s = s.see(m, c.want)
			}
			if s.State != c.state {
				t.Errorf("got %s, want %s", s.State, c.state)
			}
		})
	}
}

func TestSampleOf(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
		{Name: "sidecar", RestartCount: 9},
		{Name: "coredns", RestartCount: 2, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
	}}}
	if m := sampleOf(pod, "coredns"); !m.Crashing || m.Restarts != 2 || !m.Started.IsZero() {
		t.Errorf("got %+v", m)
	}
}
