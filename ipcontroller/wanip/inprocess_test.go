package wanip_test

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// inProcess is a connection to a handler without a network, so that it can be on a clock of a test's own.
type inProcess struct {
	handler http.Handler

	mu   sync.Mutex
	down bool
}

func (c *inProcess) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	read, write := io.Pipe()
	w := &responder{header: http.Header{}, body: write, started: make(chan struct{})}
	go func() {
		defer func() {
			if recover() != nil {
				_ = write.CloseWithError(errors.New("connection reset by peer"))
			}
			w.WriteHeader(http.StatusOK)
			_ = write.Close()
		}()
		c.handler.ServeHTTP(w, r)
	}()
	select {
	case <-w.started:
	case <-r.Context().Done():
		_ = read.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	stop := make(chan struct{})
	go func() {
		select {
		case <-r.Context().Done():
			_ = read.CloseWithError(r.Context().Err())
		case <-stop:
		}
	}()
	return &http.Response{StatusCode: w.code, Header: w.header, Body: &body{read, sync.OnceFunc(func() { close(stop) })}}, nil
}

type body struct {
	*io.PipeReader
	stop func()
}

func (b *body) Close() error {
	b.stop()
	return b.PipeReader.Close()
}

// responder is the handler's end.
type responder struct {
	header  http.Header
	body    *io.PipeWriter
	once    sync.Once
	code    int
	started chan struct{}
}

func (w *responder) Header() http.Header { return w.header }
func (w *responder) Flush()              {}

func (w *responder) WriteHeader(code int) {
	w.once.Do(func() {
		w.code = code
		close(w.started)
	})
}

func (w *responder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
