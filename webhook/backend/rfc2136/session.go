package rfc2136

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// server is how one primary is reached.
type server struct {
	addr    string
	keyName string // for messages; empty without a key
	key     *wire.Key
	tls     *tls.Config // nil: plain TCP
	timeout time.Duration
}

// session is what one zone keeps of one server: a connection and a copy of the zone. It is used by one
// caller at a time; a server works on one message of a zone at a time anyway, and each message waits for
// the disk.
type session struct {
	server *server
	zone   string
	scope  *scope
	turn   chan struct{} // holds one token; who has it may use the fields below

	conn     net.Conn // nil: not connected
	kept     bool     // conn is counted, see Zones.keep
	in       *bufio.Reader
	answered bool // conn has carried an answer
	out, buf []byte
	copy     *copied // nil: nothing known
	ownTTL   bool    // the server does not take the TTL of the SOA from an update
	most     int     // units in one message that the server answers in time; 0: any number
}

func newSession(s *server, zone string, sc *scope) *session {
	return &session{server: s, zone: zone, scope: sc, turn: make(chan struct{}, 1)}
}

// acquire waits for the session's turn; the caller calls release when err is nil.
func (s *session) acquire(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *session) release() { <-s.turn }

// close ends the connection; the next message makes another one.
func (s *session) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// answer is a server's answer of one message or several.
type answer struct {
	session  *session
	id       uint16
	opcode   uint8
	verifier *wire.Verifier
	Header   wire.Header
	Message  []byte // valid until the next message is read
}

// ask sends the message that build makes and reads the first message of the answer. A kept connection
// that the server has closed meanwhile is replaced once: sending any of our messages twice is harmless,
// because an UPDATE carries prerequisites that its first arrival makes fail.
func (s *session) ask(ctx context.Context, build func(b []byte, id uint16) ([]byte, error)) (*answer, error) {
	for {
		kept := s.conn != nil && s.answered
		a, err := s.greetAndAsk(ctx, build)
		if err == nil {
			return a, nil
		}
		s.close()
		if !kept || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || !isTransport(err) {
			return nil, err
		}
	}
}

// greetAndAsk is askOnce, after a small question where a connection over TLS is new: BIND 9.18 closes it
// without a word when the end of the handshake and a message near 64 KiB reach it together.
func (s *session) greetAndAsk(ctx context.Context, build func(b []byte, id uint16) ([]byte, error)) (*answer, error) {
	if s.server.tls != nil && (s.conn == nil || !s.answered) {
		if _, err := s.askOnce(ctx, s.question); err != nil {
			return nil, err
		}
	}
	return s.askOnce(ctx, build)
}

// question asks for the zone's SOA record.
func (s *session) question(b []byte, id uint16) ([]byte, error) {
	return wire.AppendQuery(b, id, s.zone, wire.SOA, nil)
}

func (s *session) askOnce(ctx context.Context, build func(b []byte, id uint16) ([]byte, error)) (*answer, error) {
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	id := uint16(rand.Uint32())
	msg, err := build(append(s.out[:0], 0, 0), id)
	if err != nil {
		return nil, err
	}
	signed, verifier := s.server.key.Sign(msg[2:], time.Now())
	s.out = append(msg[:2], signed...)
	binary.BigEndian.PutUint16(s.out, uint16(len(signed)))
	stop := s.watch(ctx)
	defer stop()
	if _, err := s.conn.Write(s.out); err != nil {
		return nil, s.transportError(ctx, "send to", err)
	}
	a := &answer{session: s, id: id, opcode: signed[2] >> 3 & 15, verifier: verifier}
	return a, a.next(ctx)
}

// read reads the next message of the answer and checks that it is one.
func (a *answer) read(ctx context.Context) error {
	if a.session.conn == nil {
		return a.session.transportError(ctx, "read the answer of", net.ErrClosed)
	}
	stop := a.session.watch(ctx)
	defer stop()
	return a.next(ctx)
}

func (a *answer) next(ctx context.Context) error {
	s := a.session
	var err error
	if a.Message, err = s.receive(); err != nil {
		return s.transportError(ctx, "read the answer of", err)
	}
	if a.Header, err = wire.ReadHeader(a.Message); err != nil {
		return err
	}
	if h := a.Header; h.ID != a.id || !h.Response || h.Opcode != a.opcode || h.Truncated {
		s.close()
		return fmt.Errorf("%s sent something else than the answer", s.server.addr)
	}
	s.answered = true
	err = a.verifier.Verify(a.Message, time.Now())
	var refused *wire.SignatureError
	if err != nil && (a.Header.Rcode == wire.NoError || errors.As(err, &refused)) {
		s.close()
		return err
	}
	// An error answer need not be signed: some servers cannot sign what they could not understand.
	return nil
}

// receive reads one message, preceded by its length.
func (s *session) receive() ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(s.in, size[:]); err != nil {
		return nil, err
	}
	if s.buf == nil {
		s.buf = make([]byte, wire.MaxMessage)
	}
	msg := s.buf[:binary.BigEndian.Uint16(size[:])]
	_, err := io.ReadFull(s.in, msg)
	return msg, err
}

// connect makes sure that there is a connection.
func (s *session) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	conn, err := s.server.dial(ctx)
	if err != nil {
		return err
	}
	s.conn, s.in, s.answered = conn, bufio.NewReaderSize(conn, wire.MaxMessage), false
	return nil
}

// dial makes a connection.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: s.timeout}
	var conn net.Conn
	var err error
	if s.tls != nil {
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		conn, err = (&tls.Dialer{NetDialer: &dialer, Config: s.tls}).DialContext(ctx, "tcp", s.addr)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", s.addr)
	}
	if err != nil {
		return nil, s.transportError(ctx, "connect to", err, false)
	}
	return conn, nil
}

// watch limits the next message to the server's timeout and to ctx until stop is called.
func (s *session) watch(ctx context.Context) (stop func()) {
	conn := s.conn
	_ = conn.SetDeadline(time.Now().Add(s.server.timeout))
	ended := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return func() {
		if !ended() { // the deadline in the past may be set at any time from now on
			s.close()
		}
	}
}

// transportError is a failure between us and a server, not an answer of it.
type transportError struct {
	addr, doing string
	err         error
	slow        bool // it was waited for, but not long enough
}

func (s *session) transportError(ctx context.Context, doing string, err error) error {
	return s.server.transportError(ctx, doing, err, s.conn != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)))
}

func (s *server) transportError(ctx context.Context, doing string, err error, slow bool) error {
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the connection was closed (%w)", err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("no answer within %s (%w)", s.timeout, err)
	}
	return &transportError{s.addr, doing, err, slow}
}

func (e *transportError) Error() string { return fmt.Sprintf("%s %s: %v", e.doing, e.addr, e.err) }

func (e *transportError) Unwrap() error { return e.err }

func isTransport(err error) bool {
	var t *transportError
	return errors.As(err, &t)
}

// isSlow reports whether a server was asked but did not answer in time.
func isSlow(err error) bool {
	var t *transportError
	return errors.As(err, &t) && t.slow
}
