package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const (
	repeatAfter  = time.Hour // the same Event
	eventEvery   = 10 * time.Second
	eventBurst   = 10
	eventTimeout = 10 * time.Second
	longestNote  = 1024 // bytes that the API server takes
	lostAfter    = 2    // rounds in a row without a quorum
)

// events tells people, by Events on the ConfigMap, what they may want to act on. A nil one tells nothing.
type events struct {
	client   eventsclient.EventInterface
	settings *commandLine
	uid      func() types.UID
	metrics  *metrics
	log      *slog.Logger
	limit    *rate.Limiter
	queue    chan *eventsv1.Event

	mu   sync.Mutex
	told map[string]time.Time // when, by what is the same
	lost map[wanip.Family]int // rounds in a row without a quorum
}

func newEvents(client eventsclient.EventInterface, c *commandLine, uid func() types.UID, m *metrics, log *slog.Logger) *events {
	return &events{
		client: client, settings: c, uid: uid, metrics: m, log: log, limit: rate.NewLimiter(rate.Every(eventEvery), eventBurst),
		queue: make(chan *eventsv1.Event, eventBurst), told: map[string]time.Time{}, lost: map[wanip.Family]int{},
	}
}

// run writes Events until ctx ends: nothing waits for them.
func (e *events) run(ctx context.Context) {
	if e == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-e.queue:
			event.Regarding.UID = e.uid()
			limited, cancel := context.WithTimeout(ctx, eventTimeout)
			_, err := e.client.Create(limited, event, metav1.CreateOptions{})
			cancel()
			e.metrics.events.WithLabelValues(event.Reason, result(err)).Inc()
			if err != nil {
				e.log.Warn("an Event could not be written", "reason", event.Reason, "error", err)
			}
		}
	}
}

// changed tells of a change that stands in the ConfigMap.
func (e *events) changed(c wanip.Change, now wanip.State) {
	if e == nil {
		return
	}
	note := fmt.Sprintf("the site's %s address is %s", c.Family, c.Addr)
	if former := now.Former(c.Family); len(former) > 0 {
		note += fmt.Sprintf(", it was %s", former[0])
	}
	e.emit(corev1.EventTypeNormal, "WANIPChanged", fmt.Sprint(c.Sequence), note)
}

// report tells of what a round has shown: no quorum, sources that say otherwise, a NAT or a proxy on the way.
func (e *events) report(r detect.Report) {
	if e == nil || !r.Round {
		return
	}
	e.mu.Lock()
	quorum := r.Status == detect.Verified || r.Status == detect.Fixed || r.Status == detect.Holding && r.Agreed >= r.Need
	e.lost[r.Family]++
	if quorum {
		e.lost[r.Family] = 0
	}
	lost := e.lost[r.Family]
	e.mu.Unlock()
	if lost >= lostAfter {
		e.emit(corev1.EventTypeWarning, "QuorumLost", fmt.Sprint(r.Family, r.Status), fmt.Sprintf("%s: %s; the address stays %s", r.Family, r.Reason, address(r)))
	}
	if r.Status == detect.Verified {
		for _, id := range r.Dissenters {
			for _, a := range r.Answers {
				if a.Source == id {
					e.emit(corev1.EventTypeWarning, "SourceDisagrees", id.Name, fmt.Sprintf("%s says %s, but %s", id.Name, a.Addr, r.Reason))
				}
			}
		}
	}
	for _, f := range r.Findings {
		e.emit(corev1.EventTypeWarning, string(f.Trait), r.Family.String(), f.Detail)
	}
}

// address is that of a report, for people.
func address(r detect.Report) string {
	if !r.Addr.IsValid() {
		return "unknown"
	}
	return r.Addr.String()
}

// emit queues an Event, unless the same one was told within the hour or there are too many.
func (e *events) emit(kind, reason, same, note string) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, at := range e.told {
		if now.Sub(at) >= repeatAfter {
			delete(e.told, key)
		}
	}
	key := reason + " " + same
	if _, told := e.told[key]; told || !e.limit.AllowN(now, 1) {
		return
	}
	e.told[key] = now
	note = strings.ToValidUTF8(note[:min(len(note), longestNote)], "")
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{GenerateName: e.settings.ConfigMap + "-", Namespace: e.settings.Namespace},
		EventTime:           metav1.NewMicroTime(now),
		ReportingController: "spokedns.io/ipcontroller", ReportingInstance: e.settings.Identity,
		Action: "Detect", Reason: reason, Type: kind, Note: note,
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: e.settings.Namespace, Name: e.settings.ConfigMap},
	}
	select {
	case e.queue <- event:
	default: // the API server is not there: the log and the metrics have it
	}
}
