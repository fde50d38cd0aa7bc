package rfc2136

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// line is one kept connection to a server for the questions of all zones: BIND takes 150 connections, and
// a controller asks about more zones than that every other second. Many questions are under way at once,
// and their answers come in any order (RFC 7766 §6.2.1.1).
type line struct {
	server *server
	turn   chan struct{} // holds one token; who has it may connect

	mu   sync.Mutex
	call *call // nil: not connected
}

// question asks for the records of a name and type.
type question struct {
	name  string
	typ   wire.Type
	class uint16
}

// reply is the answer to a question, or why there is none.
type reply struct {
	message        []byte // nil with err
	header         wire.Header
	sent, received time.Time
	signed         time.Time // by the server's clock; zero without a key
	err            error
}

// maxUnderWay is how many questions one caller has under way: few against the 65,536 that identifiers tell
// apart, and enough to wait for nobody.
const maxUnderWay = 2000

func newLine(s *server) *line { return &line{server: s, turn: make(chan struct{}, 1)} }

// ask asks the questions and returns as many replies, in their order.
func (l *line) ask(ctx context.Context, questions []question) []reply {
	replies := make([]reply, len(questions))
	for from := 0; from < len(questions); from += maxUnderWay {
		to := min(from+maxUnderWay, len(questions))
		l.askSome(ctx, questions[from:to], replies[from:to])
	}
	return replies
}

// askSome asks on the kept connection. If the server has closed it meanwhile, what was not answered is
// asked once more on a new one.
func (l *line) askSome(ctx context.Context, questions []question, replies []reply) {
	for range 2 {
		c, kept, err := l.connected(ctx)
		if err != nil {
			for i := range replies {
				if replies[i].message == nil {
					replies[i].err = err
				}
			}
			return
		}
		if !kept && l.server.tls != nil { // see session.greetAndAsk
			c.ask(ctx, questions[:1], replies[:1])
		}
		c.ask(ctx, questions, replies)
		again := false
		for i := range replies {
			again = again || isTransport(replies[i].err) && !errors.Is(replies[i].err, os.ErrDeadlineExceeded)
		}
		if !kept || !again || ctx.Err() != nil {
			return
		}
	}
}

// connected returns the connection; kept says that it has carried an answer before.
func (l *line) connected(ctx context.Context) (c *call, kept bool, err error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, false, l.server.transportError(ctx, "connect to", ctx.Err(), false)
	}
	l.mu.Lock()
	c = l.call
	l.mu.Unlock()
	if c != nil {
		if alive, kept := c.state(); alive {
			return c, kept, nil
		}
	}
	conn, err := l.server.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	c = &call{server: l.server, conn: conn, ended: make(chan struct{}), waiting: map[uint16]*asked{}}
	go c.listen()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call = c
	return c, false, nil
}

func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.call != nil {
		l.call.end(net.ErrClosed)
		l.call = nil
	}
}

// call is one connection of a line.
type call struct {
	server *server
	conn   net.Conn
	ended  chan struct{} // closed when err is set

	writing sync.Mutex

	mu       sync.Mutex
	waiting  map[uint16]*asked
	answered bool
	err      error
}

// asked is a question under way.
type asked struct {
	question
	verifier *wire.Verifier
	reply    *reply // nil: nobody waits for it any more
	batch    *batch
}

// batch is the questions of one caller.
type batch struct {
	left int
	done chan struct{} // closed when none is left
}

func (c *call) state() (alive, kept bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil, c.answered
}

// end ends the connection for everybody; the first reason counts.
func (c *call) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		_ = c.conn.Close()
		close(c.ended)
	}
}

// ask fills the replies that have no message yet.
func (c *call) ask(ctx context.Context, questions []question, replies []reply) {
	mine, b, out := c.enter(questions, replies)
	if len(mine) == 0 {
		return
	}
	c.writing.Lock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.server.timeout))
	_, err := c.conn.Write(out)
	c.writing.Unlock()
	if err != nil {
		c.end(err)
	}
	patience := time.NewTimer(c.server.timeout)
	defer patience.Stop()
	select {
	case <-b.done:
		return
	case <-ctx.Done():
	case <-c.ended:
	case <-patience.C:
		err = os.ErrDeadlineExceeded
		defer c.end(net.ErrClosed) // who else waits asks again on another connection
	}
	c.leave(ctx, mine, err)
}

// enter registers the questions and returns their identifiers and messages.
func (c *call) enter(questions []question, replies []reply) (mine []uint16, b *batch, out []byte) {
	b = &batch{done: make(chan struct{})}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range questions {
		if replies[i].message != nil {
			continue
		}
		id := uint16(rand.Uint32())
		for _, taken := c.waiting[id]; taken; _, taken = c.waiting[id] {
			id++
		}
		msg, err := wire.AppendQuestion(nil, id, q.name, q.typ, q.class)
		if err != nil {
			replies[i].err = err
			continue
		}
		q.name, _, _, _ = wire.ReadQuestion(msg) // as it will be read in the answer
		key := c.server.key
		if q.class != wire.ClassIN { // what Knot says of itself is not signed
			key = nil
		}
		signed, verifier := key.Sign(msg, now)
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(signed))), signed...)
		replies[i] = reply{sent: now}
		c.waiting[id] = &asked{question: q, verifier: verifier, reply: &replies[i], batch: b}
		mine = append(mine, id)
	}
	b.left = len(mine)
	return mine, b, out
}

// leave gives up what is still waited for. Its identifiers stay taken: the answers may come yet.
func (c *call) leave(ctx context.Context, mine []uint16, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.err
	}
	for _, id := range mine {
		if a := c.waiting[id]; a != nil && a.reply != nil {
			a.reply.err = c.server.transportError(ctx, "read the answer of", err, true)
			a.reply = nil
		}
	}
}

// listen hands the answers to who waits for them, until the connection ends.
func (c *call) listen() {
	in := bufio.NewReader(c.conn)
	for {
		var size [2]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			c.end(err)
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(in, msg); err != nil {
			c.end(err)
			return
		}
		if err := c.take(msg); err != nil {
			c.end(err)
			return
		}
	}
}

// take takes one message. An error is about the connection as a whole.
func (c *call) take(msg []byte) error {
	h, err := wire.ReadHeader(msg)
	if err != nil {
		return err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.waiting[h.ID]
	if a == nil || !h.Response || h.Opcode != wire.OpQuery || !a.answeredBy(msg, h) {
		return fmt.Errorf("%s sent something else than an answer", c.server.addr)
	}
	delete(c.waiting, h.ID)
	c.answered = true
	if a.reply == nil {
		return nil
	}
	*a.reply = reply{message: msg, header: h, sent: a.reply.sent, received: now}
	if err := a.verify(msg, h, now); err != nil {
		*a.reply = reply{err: err, sent: a.reply.sent, received: now}
	}
	a.reply.signed = a.verifier.Signed()
	if a.batch.left--; a.batch.left == 0 {
		close(a.batch.done)
	}
	return nil
}

// answeredBy reports whether a message repeats the question. A server that could not read it does not.
func (a *asked) answeredBy(msg []byte, h wire.Header) bool {
	if h.Counts[0] == 0 {
		return h.Rcode != wire.NoError
	}
	name, typ, class, err := wire.ReadQuestion(msg)
	return err == nil && name == a.name && typ == a.typ && class == a.class
}

// verify believes an answer that is signed, and the refusal to give one as it is: some servers cannot sign
// what they refuse. NOTAUTH answers a question only where the signature is to blame (RFC 8945 §5.2).
func (a *asked) verify(msg []byte, h wire.Header, now time.Time) error {
	err := a.verifier.Verify(msg, now)
	var refused *wire.SignatureError
	switch {
	case errors.As(err, &refused):
		return err
	case h.Rcode == wire.NotAuth:
		return &wire.SignatureError{Code: h.Rcode}
	case h.Rcode == wire.NoError || h.Rcode == wire.NXDomain:
		return err
	}
	return nil
}
