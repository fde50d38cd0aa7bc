package rollout

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// replica is a pod that serves DNS.
type replica struct {
	pod    corev1.Pod
	server *server
}

// survey is one round over all replicas.
type survey struct {
	At       time.Time
	Replicas []replica
	Samples  map[string]sample // by name of the pod
	Probes   map[string]probe  // of the cluster's own names, by name of the pod
}

// atOnce is how many replicas are asked at the same time; a node-local cache has one per node.
const atOnce = 8

// expectations are what each replica is to show, by name of the pod.
func (s survey) expectations() map[string]expectation {
	m := map[string]expectation{}
	for _, r := range s.Replicas {
		m[r.pod.Name] = r.server.expect
	}
	return m
}

// survey looks at every replica.
func (v *visit) survey(ctx context.Context, all []server) (survey, error) {
	s := survey{Samples: map[string]sample{}, Probes: map[string]probe{}}
	for i := range all {
		pods, err := v.pods(ctx, all[i].Server)
		if err != nil {
			return s, err
		}
		for _, p := range pods {
			s.Replicas = append(s.Replicas, replica{pod: p, server: &all[i]})
		}
	}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, r := range s.Replicas {
		g.Go(func() error {
			m, p, probed := v.examine(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			s.Samples[r.pod.Name] = m
			if probed {
				s.Probes[r.pod.Name] = p
			}
			return nil
		})
	}
	_ = g.Wait()
	s.At = time.Now()
	return s, ctx.Err()
}

// pods lists the replicas of a server that are there to stay.
func (v *visit) pods(ctx context.Context, s dialect.Server) ([]corev1.Pod, error) {
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	var list corev1.PodList
	if err := v.a.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingLabels(s.Selector)); err != nil {
		return nil, fmt.Errorf("cluster %s: pods of its DNS: %w", v.name, err)
	}
	var stay []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			stay = append(stay, p)
		}
	}
	return stay, nil
}

// examine looks at one replica. What it does not answer is left out: that is for others to judge.
func (v *visit) examine(ctx context.Context, r replica) (m sample, p probe, probed bool) {
	m = sampleOf(&r.pod, r.server.Container)
	if m.Started.IsZero() {
		return m, p, false
	}
	if r.server.figures {
		fetch, cancel := v.e.within(ctx)
		f, err := v.a.fetch(fetch, &r.pod, metricsPort(r.server.Server))
		cancel()
		if err != nil {
			v.log.Debug("no metrics", "pod", r.pod.Name, "err", err)
		} else {
			m.Figures = f
		}
	}
	if r.server.domain == "" {
		return m, p, false
	}
	return m, v.probe(ctx, r), true
}

// probe asks a replica for the name every cluster has.
func (v *visit) probe(ctx context.Context, r replica) probe {
	q := clusterName(r.server.domain)
	if addrs := r.server.Addresses; len(addrs) > 0 && !containsV4(addrs) {
		q = q.v6()
	}
	got, err := v.a.ask(ctx, &r.pod, portOf(r.server.Server), q)
	switch {
	case err == nil && got.exists() && got.Records > 0:
		return probe{OK: true}
	case err == nil:
		return probe{Why: fmt.Sprintf("%s: %s", q.Name, got)}
	case silent(err):
		return probe{Why: err.Error()}
	}
	v.log.Debug("no way to the pod", "pod", r.pod.Name, "err", err)
	return probe{}
}

func containsV4(addrs []netip.Addr) bool {
	for _, a := range addrs {
		if a.Unmap().Is4() {
			return true
		}
	}
	return false
}

// portOf is where pods listen for DNS.
func portOf(s dialect.Server) int {
	if s.Site.Port != 0 {
		return s.Site.Port
	}
	return 53
}
