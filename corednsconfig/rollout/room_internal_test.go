package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"pgregory.net/rapid"
)

// line is a connection that carries nothing.
type line struct {
	once   sync.Once
	closed chan bool
}

func newLine() *line { return &line{closed: make(chan bool)} }

func (l *line) CreateStream(http.Header) (httpstream.Stream, error) { return nil, errors.New("none") }
func (l *line) Close() error                                        { l.once.Do(func() { close(l.closed) }); return nil }
func (l *line) CloseChan() <-chan bool                              { return l.closed }
func (l *line) SetIdleTimeout(time.Duration)                        {}
func (l *line) RemoveStreams(...httpstream.Stream)                  {}

func (l *line) open() bool {
	select {
	case <-l.closed:
		return false
	default:
		return true
	}
}

// visitPod uses the tunnel to a pod for a while, and makes one if there is none.
func visitPod(ctx context.Context, t *tunnels, pod types.UID, made func(*line), d time.Duration) error {
	c := t.room.use(t, pod)
	if c == nil {
		if err := t.room.enter(ctx); err != nil {
			return err
		}
		l := newLine()
		made(l)
		c = t.room.keep(&tunnel{Connection: l, of: t, pod: pod})
	}
	defer t.room.leave(c)
	return pause(ctx, d)
}

// Whatever many clusters ask at the same time, no more tunnels are open than there is room for, everybody gets one, and what
// is left at the end are idle ones that close ends.
func TestTunnelsHaveRoom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 5).Draw(rt, "most")
		clusters := rapid.IntRange(1, 6).Draw(rt, "clusters")
		pods := rapid.IntRange(1, 6).Draw(rt, "pods")
		rounds := rapid.IntRange(1, 4).Draw(rt, "rounds")
		var wrong []error
		synctest.Test(t, func(t *testing.T) {
			r := newRoom(most)
			var mu sync.Mutex
			var lines []*line
			made := func(l *line) {
				mu.Lock()
				defer mu.Unlock()
				lines = append(lines, l)
			}
			var all sync.WaitGroup
			var ways []*tunnels
			for range clusters {
				w := &tunnels{room: r, pods: map[types.UID]*tunnel{}}
				ways = append(ways, w)
				for i := range pods {
					all.Go(func() {
						for range rounds {
							if err := visitPod(t.Context(), w, types.UID(rune('a'+i)), made, time.Duration(i+1)*time.Second); err != nil {
								mu.Lock()
								wrong = append(wrong, err)
								mu.Unlock()
							}
							_ = pause(t.Context(), time.Second)
						}
					})
				}
			}
			done := make(chan struct{})
			go func() { all.Wait(); close(done) }()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				case <-time.After(100 * time.Millisecond):
				}
				synctest.Wait()
				mu.Lock()
				open := 0
				for _, l := range lines {
					if l.open() {
						open++
					}
				}
				if open > most {
					wrong = append(wrong, fmt.Errorf("%d are open, want at most %d", open, most))
				}
				mu.Unlock()
			}
			if clusters*pods <= most && len(lines) != clusters*pods {
				wrong = append(wrong, fmt.Errorf("%d were made for %d pods, for which there was room", len(lines), clusters*pods))
			}
			for _, w := range ways {
				w.close()
			}
			synctest.Wait()
			for _, l := range lines {
				if l.open() {
					wrong = append(wrong, errors.New("one is left open"))
				}
			}
			if len(r.free) != most || len(r.idle) != 0 {
				wrong = append(wrong, fmt.Errorf("room for %d, %d idle; want it empty, with room for %d", len(r.free), len(r.idle), most))
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(errors.Join(wrong...))
		}
	})
}

// Who finds no room waits no longer than he wants to, and the room is as it was. One that broke is not used again.
func TestTunnelsWaitAndBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &tunnels{room: newRoom(1), pods: map[types.UID]*tunnel{}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var lines []*line
		made := func(l *line) { lines = append(lines, l) }
		go func() { _ = visitPod(t.Context(), w, "busy", made, 10*time.Second) }()
		synctest.Wait()
		if err := visitPod(ctx, w, "other", made, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want it to have waited for nothing", err)
		}
		time.Sleep(10 * time.Second)
		if err := visitPod(t.Context(), w, "busy", made, 0); err != nil || len(lines) != 1 {
			t.Errorf("%v, %d were made; want the idle one used", err, len(lines))
		}
		_ = lines[0].Close() // by the other side
		if err := visitPod(t.Context(), w, "busy", made, 0); err != nil || len(lines) != 2 {
			t.Errorf("%v, %d were made; want another for the broken one", err, len(lines))
		}
		err := visitPod(t.Context(), w, "other", made, 0)
		if synctest.Wait(); err != nil || len(lines) != 3 || lines[1].open() {
			t.Errorf("%v, %d were made; want the idle one to have made room", err, len(lines))
		}
		w.close()
	})
}
