package controller

import (
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// repeatAfter is when the same Event is written again.
const repeatAfter = time.Hour

// longestNote is what the API server takes for an Event's text.
const longestNote = 1000

// Events tells people of what happens, by Events on the DNSForwarding; the same once an hour. It is safe for use by many
// goroutines. A nil one tells nothing.
type Events struct {
	recorder events.EventRecorder
	mu       sync.Mutex
	told     map[string]time.Time
}

// NewEvents returns Events that are written by the recorder.
func NewEvents(recorder events.EventRecorder) *Events {
	return &Events{recorder: recorder, told: map[string]time.Time{}}
}

func (e *Events) tell(f *v1alpha1.DNSForwarding, event rollout.Event, cluster string) {
	if e == nil || !e.unheard(string(f.UID)+"\n"+cluster+"\n"+string(event.Reason)+"\n"+event.Message, time.Now()) {
		return
	}
	kind, note := corev1.EventTypeNormal, event.Message
	if event.Reason.Warning() || slices.Contains([]rollout.EventReason{halted, orphaned, installFailed, recordsLeft}, event.Reason) {
		kind = corev1.EventTypeWarning
	}
	if cluster != "" {
		note = "cluster " + cluster + ": " + note
	}
	e.recorder.Eventf(f, nil, kind, string(event.Reason), "RollOut", "%s", clip(note, longestNote))
}

// Events of the whole, besides those of package rollout.
const (
	halted   rollout.EventReason = "Halted"
	orphaned rollout.EventReason = "Orphaned"
)

// unheard says whether something was not told within the hour, and remembers it.
func (e *Events) unheard(what string, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, at := range e.told {
		if now.Sub(at) >= repeatAfter {
			delete(e.told, key)
		}
	}
	if _, told := e.told[what]; told {
		return false
	}
	e.told[what] = now
	return true
}
