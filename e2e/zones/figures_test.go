package zones

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// served waits until a server answers a name with authority and a value, asking often, and returns when it did.
func (s *site) served(b *stack.BIND, name, typ string) time.Time {
	s.Helper()
	deadline := time.Now().Add(patience)
	for {
		got, err := authority(s.ctx, b.Addr, name, typ)
		if err == nil && len(got) > 0 {
			return time.Now()
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s is not answered: %q, %v", name, got, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// TestFigures logs how long things take on one BIND: from the object's creation being answered to the authoritative answer.
func TestFigures(t *testing.T) {
	s := newSite(t)
	a := s.primary("a")
	var creations, additions []time.Duration
	for i := range 20 {
		zone := s.dnszone(fmt.Sprintf("z%d", i), fmt.Sprintf("z%d.%s", i, s.zone))
		began := time.Now()
		s.create(zone)
		creations = append(creations, s.served(a, zone.Spec.ZoneName, "SOA").Sub(began))
	}
	s.Logf("create a zone: p50 %s, worst %s", median(creations), creations[len(creations)-1])
	for i := range 40 {
		r := s.dnsrecord(fmt.Sprintf("r%d", i), "z0", "A", "192.0.2.1")
		began := time.Now()
		s.create(r)
		additions = append(additions, s.served(a, r.Spec.Name+".z0."+s.zone, "A").Sub(began))
	}
	s.Logf("add an A record: p50 %s, worst %s", median(additions), additions[len(additions)-1])
	for _, d := range []time.Duration{median(creations), median(additions)} {
		if d > 5*time.Second {
			t.Errorf("%s, want a moment", d)
		}
	}
}

// TestStorm: a hundred zones at once, a thousand records at once.
func TestStorm(t *testing.T) {
	s := newSite(t)
	a := s.primary("a")
	began := time.Now()
	var objects []client.Object
	for i := range 100 {
		objects = append(objects, s.dnszone(fmt.Sprintf("z%d", i), fmt.Sprintf("z%d.%s", i, s.zone)))
	}
	s.createAll(objects)
	created := time.Since(began)
	for i := range 100 {
		s.served(a, fmt.Sprintf("z%d.%s", i, s.zone), "SOA")
	}
	s.Logf("100 zones: served after %s, of which their creation in the API took %s", time.Since(began), created)

	objects = nil
	for i := range 1000 {
		objects = append(objects, s.dnsrecord(fmt.Sprintf("r%d", i), "z0", "A", "192.0.2.1"))
	}
	began = time.Now()
	s.createAll(objects)
	created = time.Since(began)
	for i := range 1000 {
		s.served(a, fmt.Sprintf("r%d.z0.%s", i, s.zone), "A")
	}
	s.Logf("1,000 records: answered after %s, %s after the last was created in the API", time.Since(began), time.Since(began)-created)
	s.Logf("resident: %s", resident(parts.controller.PID()))
	ready := func(ctx context.Context) error {
		var list v1alpha1.DNSRecordList
		if err := parts.client.List(ctx, &list, client.InNamespace(s.ns)); err != nil {
			return err
		}
		for _, r := range list.Items {
			if len(r.Status.Conditions) == 0 || r.Status.Conditions[0].Status != "True" {
				return fmt.Errorf("%s is %+v", r.Name, r.Status)
			}
		}
		return nil
	}
	s.must(stack.Eventually(s.ctx, patience, ready))
	s.Logf("1,000 statuses: %s", time.Since(began))
}

// createAll creates objects, a few at a time.
func (s *site) createAll(objects []client.Object) {
	s.Helper()
	var wait sync.WaitGroup
	queue := make(chan client.Object)
	errs := make(chan error, len(objects))
	for range 8 {
		wait.Go(func() {
			for o := range queue {
				if err := parts.client.Create(s.ctx, o); err != nil {
					errs <- err
				}
			}
		})
	}
	for _, o := range objects {
		queue <- o
	}
	close(queue)
	wait.Wait()
	close(errs)
	for err := range errs {
		s.must(err)
	}
}

// resident is the memory of a process.
func resident(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
