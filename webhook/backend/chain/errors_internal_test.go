package chain

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	status := func(n int) error { return fmt.Errorf("ask: %w", &answerError{status: n, want: 200}) }
	for _, c := range []struct {
		err  error
		kind backend.Kind
		one  bool // may be about one record
	}{
		{status(200), backend.Temporary, false},
		{status(301), backend.Rejected, false},
		{status(400), backend.Rejected, true},
		{status(401), backend.Denied, false},
		{status(403), backend.Denied, false},
		{status(404), backend.Rejected, false},
		{status(408), backend.Temporary, false},
		{status(409), backend.Rejected, true},
		{status(413), backend.Rejected, true},
		{status(415), backend.Rejected, false},
		{status(422), backend.Rejected, true},
		{status(429), backend.Temporary, false},
		{status(500), backend.Temporary, true},
		{status(501), backend.Temporary, false},
		{status(502), backend.Temporary, false},
		{status(503), backend.Temporary, true},
		{status(504), backend.Temporary, false},
		{status(507), backend.Temporary, true},
		{status(599), backend.Temporary, false},
		{&strangerError{errors.New("nginx")}, backend.Rejected, false},
		{io.ErrUnexpectedEOF, backend.Temporary, false},
		{syscall.ECONNREFUSED, backend.Temporary, false},
		{context.DeadlineExceeded, backend.Temporary, false},
		{silence(5), backend.Temporary, false},
		{x509.UnknownAuthorityError{}, backend.Denied, false},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, backend.Denied, false},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}, backend.Temporary, false},
	} {
		if kind, one := kindOf(c.err), ofOneRecord(c.err); kind != c.kind || one != c.one {
			t.Errorf("%v: %s, about one record %v; want %s, %v", c.err, kind, one, c.kind, c.one)
		}
	}
}
