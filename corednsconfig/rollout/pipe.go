package rollout

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream"
)

// byteStream is a stream as a net.Conn without deadlines.
type byteStream struct{ io.ReadWriteCloser }

func (byteStream) LocalAddr() net.Addr              { return podAddr{} }
func (byteStream) RemoteAddr() net.Addr             { return podAddr{} }
func (byteStream) SetDeadline(time.Time) error      { return nil }
func (byteStream) SetReadDeadline(time.Time) error  { return nil }
func (byteStream) SetWriteDeadline(time.Time) error { return nil }

type podAddr struct{}

func (podAddr) Network() string { return "tcp" }
func (podAddr) String() string  { return "pod" }

// pipe is a port of a pod. Its deadlines end it, which suits a connection that serves one exchange.
type pipe struct {
	byteStream
	stream  httpstream.Stream
	release func()
	judged  chan struct{} // closed when the node has said all it has to say about the port

	mu     sync.Mutex
	reason error // why it ended; nil: it has not
	timer  *time.Timer
}

func newPipe(stream httpstream.Stream, release func()) *pipe {
	return &pipe{byteStream: byteStream{stream}, stream: stream, release: release, judged: make(chan struct{})}
}

// end ends the pipe; the first reason counts.
func (p *pipe) end(reason error) {
	p.mu.Lock()
	if p.reason != nil {
		p.mu.Unlock()
		return
	}
	p.reason = reason
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	_ = p.stream.Reset()
	p.release()
}

// Read tells why the pipe ended rather than that it did. The node's reason comes on a stream of its own, perhaps later.
func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.stream.Read(b)
	if err == nil || n > 0 {
		return n, err
	}
	if errors.Is(err, io.EOF) {
		select {
		case <-p.judged:
		case <-time.After(time.Second):
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != nil {
		return 0, p.reason
	}
	return 0, err
}

func (p *pipe) Close() error {
	p.end(net.ErrClosed)
	return nil
}

func (p *pipe) SetDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if !t.IsZero() && p.reason == nil {
		p.timer = time.AfterFunc(time.Until(t), func() { p.end(os.ErrDeadlineExceeded) })
	}
	return nil
}

func (p *pipe) SetReadDeadline(t time.Time) error  { return p.SetDeadline(t) }
func (p *pipe) SetWriteDeadline(t time.Time) error { return p.SetDeadline(t) }
