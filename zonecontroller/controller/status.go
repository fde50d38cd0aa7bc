package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// kind says what an object is.
type kind string

const (
	zoneKind   kind = "zone"
	recordKind kind = "record"
	serverKind kind = "server"
)

// statuses are written apart from everything else, so that nothing waits for them: of each object the newest, by a few
// workers. An object that is gone, or is another one of the name, gets none.
type statuses struct {
	client  client.Client
	log     *slog.Logger
	metrics *Metrics
	workers int
	queue   workqueue.TypedRateLimitingInterface[subject]

	mu     sync.Mutex
	drafts map[subject]*draft
	busy   map[subject]bool // being written
}

// subject is an object that has a status.
type subject struct {
	kind kind
	name types.NamespacedName
}

// draft is a status that has yet to be written.
type draft struct {
	uid    types.UID
	status any
	told   []chan error // who waits for it
}

func newStatuses(c client.Client, workers int, log *slog.Logger, m *Metrics) *statuses {
	limits := workqueue.NewTypedItemExponentialFailureRateLimiter[subject](50*time.Millisecond, 10*time.Second)
	return &statuses{
		client: c, log: log, metrics: m, workers: workers, drafts: map[subject]*draft{}, busy: map[subject]bool{},
		queue: workqueue.NewTypedRateLimitingQueue(limits),
	}
}

// set has a status written some time soon. It is not changed afterwards.
func (s *statuses) set(k kind, name types.NamespacedName, uid types.UID, status any) {
	s.put(subject{k, name}, &draft{uid: uid, status: status})
}

// store writes a status and returns when it, or a newer one, is stored. It does not wait for those of others.
func (s *statuses) store(ctx context.Context, k kind, name types.NamespacedName, uid types.UID, status any) error {
	of, told := subject{k, name}, make(chan error, 1)
	d := &draft{uid: uid, status: status, told: []chan error{told}}
	if s.begin(of, true) {
		err := s.write(ctx, of, d)
		s.metrics.wroteStatus(k, err)
		s.end(of)
		return err
	}
	s.put(of, d)
	select {
	case err := <-told:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin has a status written by nobody else until end. first: and only if no other one waits.
func (s *statuses) begin(of subject, first bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[of] || first && s.drafts[of] != nil {
		return false
	}
	s.busy[of] = true
	return true
}

func (s *statuses) end(of subject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, of)
}

func (s *statuses) put(of subject, d *draft) {
	s.mu.Lock()
	if old := s.drafts[of]; old != nil && old.uid == d.uid {
		d.told = append(old.told, d.told...)
	}
	s.drafts[of] = d
	s.mu.Unlock()
	s.queue.Add(of)
}

// run writes until ctx ends.
func (s *statuses) run(ctx context.Context) {
	var wait sync.WaitGroup
	for range s.workers {
		wait.Go(func() {
			for {
				of, closed := s.queue.Get()
				if closed {
					return
				}
				s.next(ctx, of)
				s.queue.Done(of)
			}
		})
	}
	<-ctx.Done()
	s.queue.ShutDown()
	wait.Wait()
}

func (s *statuses) next(ctx context.Context, of subject) {
	if !s.begin(of, false) {
		s.queue.AddAfter(of, 5*time.Millisecond)
		return
	}
	defer s.end(of)
	s.mu.Lock()
	d := s.drafts[of]
	delete(s.drafts, of)
	s.mu.Unlock()
	if d == nil || ctx.Err() != nil {
		return
	}
	err := s.write(ctx, of, d)
	s.metrics.wroteStatus(of.kind, err)
	// A patch whose test fails is invalid: the object is another one of the name.
	lasting := err == nil || apierrors.IsNotFound(err) || apierrors.IsInvalid(err)
	if lasting {
		s.queue.Forget(of)
	} else {
		s.log.Debug("a status could not be written and is tried again", "kind", of.kind, "object", of.name, "error", err)
		s.mu.Lock()
		if s.drafts[of] == nil {
			s.drafts[of] = &draft{uid: d.uid, status: d.status}
		}
		s.mu.Unlock()
		s.queue.AddRateLimited(of)
	}
	for _, told := range d.told {
		told <- err
	}
}

// write replaces the status of this very object.
func (s *statuses) write(ctx context.Context, of subject, d *draft) error {
	text, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": d.uid},
		{"op": "add", "path": "/status", "value": d.status},
	})
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Namespace: of.name.Namespace, Name: of.name.Name}
	var o client.Object
	switch of.kind {
	case zoneKind:
		o = &v1alpha1.DNSZone{ObjectMeta: meta}
	case recordKind:
		o = &v1alpha1.DNSRecord{ObjectMeta: meta}
	case serverKind:
		o = &v1alpha1.DNSServer{ObjectMeta: meta}
	default:
		return errors.New("no such kind")
	}
	if err := s.client.Status().Patch(ctx, o, client.RawPatch(types.JSONPatchType, text)); err != nil {
		return fmt.Errorf("status of %s %s: %w", of.kind, of.name, err)
	}
	return nil
}
