package controller

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// repeatAfter is when the same Event is written again.
const repeatAfter = time.Hour

// rush is how many Events of records are written in a minute. Statuses say it of every record; Events are for people.
const rush = 60

// Events tells people of what happens, by Events on the objects; the same once an hour. It is safe for use by many
// goroutines. A nil one tells nothing.
type Events struct {
	recorder events.EventRecorder

	mu     sync.Mutex
	told   map[string]time.Time
	minute time.Time
	count  int
}

// NewEvents returns Events that are written by the recorder.
func NewEvents(recorder events.EventRecorder) *Events {
	return &Events{recorder: recorder, told: map[string]time.Time{}}
}

// zone tells of a zone. What it tells again of one that has changed in between is told again.
func (e *Events) zone(z *v1alpha1.DNSZone, reason, format string, args ...any) {
	if e == nil {
		return
	}
	note := fmt.Sprintf(format, args...)
	now := time.Now()
	if repeats(reason) && !e.unheard(string(z.UID)+"\n"+reason+"\n"+note, now) {
		return
	}
	e.write(z, reason, note)
}

// repeats are reasons that are found anew every time, and not only when something changes.
func repeats(reason string) bool {
	return reason == EventDiffer || reason == EventNotAccepted || reason == EventLost
}

// record tells of a record that cannot be published.
func (e *Events) record(r *v1alpha1.DNSRecord, note string) {
	if e == nil || !e.unhurried(time.Now()) || !e.unheard(string(r.UID)+"\n"+note, time.Now()) {
		return
	}
	e.write(r, EventRecord, note)
}

func (e *Events) write(o runtime.Object, reason, note string) {
	kind := corev1.EventTypeNormal
	switch reason {
	case EventLost, EventDiffer, EventOrphaned, EventNotAccepted, EventRecord:
		kind = corev1.EventTypeWarning
	}
	e.recorder.Eventf(o, nil, kind, reason, "Publish", "%s", clip(note))
}

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

// unhurried says whether there is room for another Event in this minute.
func (e *Events) unhurried(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.minute) >= time.Minute {
		e.minute, e.count = now, 0
	}
	e.count++
	return e.count <= rush
}
