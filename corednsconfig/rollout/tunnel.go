package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/client-go/rest"
)

// tunnels are connections to ports of pods through the API server, by the portforward subresource: one connection per
// pod, kept until close as far as there is room, and a pair of streams in it per connection to a port.
type tunnels struct {
	base      *url.URL
	transport http.RoundTripper
	room      *room
	pods      map[types.UID]*tunnel // guarded by the room
	next      atomic.Int64
}

func newTunnels(cfg *rest.Config, room *room) (*tunnels, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	cfg.Timeout = 0                       // a tunnel stays; each use of it has its own end
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, err
	}
	return &tunnels{base: base, transport: transport, room: room, pods: map[types.UID]*tunnel{}}, nil
}

func (t *tunnels) close() {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	for _, c := range t.pods {
		t.room.end(c)
	}
}

// tunnel is the connection to a pod, made when there is none or it has ended. Who got it leaves it.
func (t *tunnels) tunnel(ctx context.Context, pod *corev1.Pod) (*tunnel, error) {
	if c := t.room.use(t, pod.UID); c != nil {
		return c, nil
	}
	if err := t.room.enter(ctx); err != nil {
		return nil, fmt.Errorf("port-forward to pod %s/%s: wait for others to end: %w", pod.Namespace, pod.Name, err)
	}
	conn, err := t.connect(ctx, pod)
	if err != nil {
		t.room.free <- struct{}{}
		return nil, err
	}
	return t.room.keep(&tunnel{Connection: conn, of: t, pod: pod.UID}), nil
}

func (t *tunnels) connect(ctx context.Context, pod *corev1.Pod) (httpstream.Connection, error) {
	target := t.base.JoinPath("api", "v1", "namespaces", pod.Namespace, "pods", pod.Name, "portforward")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(httpstream.HeaderConnection, httpstream.HeaderUpgrade)
	req.Header.Set(httpstream.HeaderUpgrade, spdy.HeaderSpdy31)
	req.Header.Set(httpstream.HeaderProtocolVersion, "portforward.k8s.io")
	resp, err := t.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("port-forward to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		resp.Body.Close()
		return nil, fmt.Errorf("port-forward to pod %s/%s: %s: %s", pod.Namespace, pod.Name, resp.Status, strings.TrimSpace(string(said)))
	}
	return spdy.NewClientConnection(byteStream{stream})
}

// dial opens a connection to a port of a pod. A tunnel in which something went wrong is not used again: runtimes differ in
// what works in it afterwards.
func (t *tunnels) dial(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error) {
	c, err := t.tunnel(ctx, pod)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	header.Set(corev1.PortHeader, strconv.Itoa(port))
	header.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.next.Add(1), 10))
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	complaints, err := createStream(ctx, c, header)
	if err != nil {
		t.room.drop(c)
		return nil, fmt.Errorf("port-forward to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	_ = complaints.Close() // nothing is written to it
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := createStream(ctx, c, header)
	if err != nil {
		t.room.drop(c)
		return nil, fmt.Errorf("port-forward to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	p := newPipe(data, func() {
		c.RemoveStreams(complaints, data)
		t.room.leave(c)
	})
	go func() {
		defer close(p.judged)
		said, _ := io.ReadAll(io.LimitReader(complaints, 1024))
		if len(said) > 0 {
			t.room.drop(c)
			p.end(forwardError(pod, port, strings.TrimSpace(string(said))))
		}
	}()
	return p, nil
}

// createStream waits for the other side no longer than ctx.
func createStream(ctx context.Context, c httpstream.Connection, header http.Header) (httpstream.Stream, error) {
	type result struct {
		stream httpstream.Stream
		err    error
	}
	done := make(chan result, 1)
	header = header.Clone()
	go func() {
		stream, err := c.CreateStream(header)
		done <- result{stream, err}
	}()
	select {
	case r := <-done:
		return r.stream, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forwardError is what the node said about a port it was to connect to. Runtimes word it differently; all pass on the
// kernel's words.
func forwardError(pod *corev1.Pod, port int, said string) error {
	err := errors.New(said)
	if strings.Contains(said, "refused") {
		err = fmt.Errorf("%s: %w", said, syscall.ECONNREFUSED)
	}
	return fmt.Errorf("pod %s/%s port %d: %w", pod.Namespace, pod.Name, port, err)
}
