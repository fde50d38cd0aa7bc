package journey_test

import (
	"io"
	"net"
	"time"
)

// slowLink forwards TCP connections to a server, but takes no more than so many bytes a second from the
// client: a busy server, or one far away. It returns its own address.
func slowLink(s *site, server string, bytesPerSecond int) string {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go forward(client, server, bytesPerSecond)
		}
	}()
	return l.Addr().String()
}

func forward(client net.Conn, server string, bytesPerSecond int) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	}()
	buffer := make([]byte, 16<<10)
	for {
		n, err := client.Read(buffer)
		if _, werr := upstream.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
		time.Sleep(time.Duration(n) * time.Second / time.Duration(bytesPerSecond))
	}
}
