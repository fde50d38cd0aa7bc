package watch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/listwatch"
)

// line is the connection to an API server without objects, which can be cut.
type line struct {
	mu    sync.Mutex
	cut   chan struct{} // closed: the connection is lost
	lists int
}

// repair makes a new connection possible.
func (l *line) repair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = make(chan struct{})
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cut := l.cut
	select {
	case <-cut:
		return nil, errors.New("connection refused")
	default:
	}
	body := io.NopCloser(strings.NewReader(`{"metadata":{"resourceVersion":"7"},"items":[]}`))
	if r.URL.Query().Get("watch") != "" {
		stream, end := io.Pipe()
		go func() {
			select {
			case <-cut:
				_ = end.CloseWithError(errors.New("connection reset"))
			case <-r.Context().Done():
				_ = end.CloseWithError(r.Context().Err())
			}
		}()
		body = stream
	} else {
		l.lists++
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

func TestLostConnectionCountsAsKnownForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{cut: make(chan struct{})}
		api, err := listwatch.New(&rest.Config{Host: "http://server", Transport: l})
		if err != nil {
			t.Fatal(err)
		}
		s := newStore(resources())
		f := &feed{
			resource: s.byID[ingresses], version: "v1", reader: testReader(), store: s,
			api: api, log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go f.run(ctx)
		state := func(after time.Duration) State {
			time.Sleep(after)
			synctest.Wait()
			return s.statuses()[0].State
		}
		if got := state(time.Second); got != Synced {
			t.Fatalf("with a connection it is %s, want synced", got)
		}
		close(l.cut)
		if got := state(listwatch.Patience - time.Second); got != Synced {
			t.Errorf("%v after the connection was lost it is %s, want synced", listwatch.Patience-time.Second, got)
		}
		if got := state(2 * listwatch.LastRetry); got != Unreachable {
			t.Errorf("long after the connection was lost it is %s, want unreachable", got)
		}
		l.repair()
		if got := state(2 * listwatch.LastRetry); got != Synced {
			t.Errorf("with a connection again it is %s, want synced", got)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lists != 1 {
			t.Errorf("%d lists, want the watch to go on from the first", l.lists)
		}
	})
}
