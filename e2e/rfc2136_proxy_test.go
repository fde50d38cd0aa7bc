package e2e_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a backend and a server and does to their connections what networks do.
type proxy struct {
	addr string
	down atomic.Int64     // bytes the server sent so far
	cut  atomic.Int64     // close a connection after so many bytes from the server; negative: never
	mute atomic.Bool      // close a connection instead of passing on what the server sends
	seen func(down int64) // called before bytes are passed on, with how many came before

	mu    sync.Mutex
	conns []net.Conn
}

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), seen: func(int64) {}}
	p.cut.Store(-1)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(client, server) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); p.hangUp(); all.Wait() })
	return p
}

// hangUp closes every connection, as a server does with idle ones.
func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) serve(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	p.mu.Lock()
	p.conns = append(p.conns, client, upstream)
	p.mu.Unlock()
	go func() { _, _ = io.Copy(upstream, client); _ = upstream.Close() }()
	buf := make([]byte, 4096)
	for sent := int64(0); ; {
		n, err := upstream.Read(buf)
		if cut := p.cut.Load(); cut >= 0 && sent+int64(n) > cut {
			_, _ = client.Write(buf[:max(0, cut-sent)])
			return
		}
		if err != nil || p.mute.Load() {
			return
		}
		p.seen(p.down.Load())
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
		sent += int64(n)
		p.down.Add(int64(n))
	}
}
