// Package rndc owns the client of BIND's control channel: signed commands over TCP and what the server
// answers. It speaks version 1 of the protocol, with HMAC-SHA1 to HMAC-SHA512.
//
// Every command has its own connection, and a nonce of the server's, so nothing that was once sent can be
// sent again by somebody else. A client sends one command at a time: named works on one at a time anyway, and of
// many connections at once it leaves some without an answer (its accept queue holds 10).
package rndc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

// DefaultPort is where a control channel listens.
const DefaultPort = "953"

const defaultTimeout = 10 * time.Second

// lifetime is how long a command may be on its way, measured by a server's clock that may be as far ahead
// as it tolerates.
const lifetime = time.Minute + tolerated

// tolerated is how far apart named lets the clocks be.
const tolerated = 5 * time.Minute

// Config says which channel is spoken to, and how.
type Config struct {
	Addr    string        // host:port
	Key     keyfile.Key   // the channel's
	Timeout time.Duration // of one command from connecting to its answer; 0: 10 s
	// Dial connects; nil: a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now is the clock that messages are stamped with; nil: time.Now.
	Now func() time.Time
}

// Client is one control channel. It may be used by several goroutines.
type Client struct {
	cfg    Config
	signer *signer
	turn   chan struct{} // holds a token while a command is under way
}

// New returns a client. It does not connect.
func New(cfg Config) (*Client, error) {
	s, err := newSigner(cfg.Key.Algorithm, cfg.Key.Secret)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", cfg.Key.Name, err)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Client{cfg, s, make(chan struct{}, 1)}, nil
}

// Error is what the server answered when it did not do what a command asked for.
type Error struct {
	Command string // its first word
	Result  string // BIND's name of the failure: "not found"
	Text    string // what the server says about it, perhaps of several lines
}

// Error reads `rndc: addzone: file not found: dns_zone_loadnew failed`.
func (e *Error) Error() string {
	text := strings.Join(strings.Fields(e.Text), " ")
	if text != "" {
		text = ": " + text
	}
	return fmt.Sprintf("rndc: %s: %s%s", e.Command, e.Result, text)
}

// Denied says that the channel does not take our commands. A server does not say why: it hangs up.
type Denied struct {
	Addr string
	Key  string // name of the key
	Err  error
}

// Error names what can be wrong.
func (e *Denied) Error() string {
	return fmt.Sprintf("rndc: %s does not accept key %s: its name, algorithm or secret differ from those in the server's controls statement, "+
		"the statement does not allow our address, or the clocks are more than 5 minutes apart", e.Addr, e.Key)
}

// Unwrap returns the cause.
func (e *Denied) Unwrap() error { return e.Err }

// Unreachable says that there was no channel to send the command to, or that it broke: whether the command
// was done is not known.
type Unreachable struct {
	Addr string
	Err  error
}

// Error reads "rndc: 192.0.2.1:953 is not reached: …".
func (e *Unreachable) Error() string {
	return fmt.Sprintf("rndc: %s is not reached: %v", e.Addr, e.Err)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// Do sends a command and returns what the server answers. Errors are *Error, *Denied, *Unreachable, or say
// that the other side does not speak the protocol.
func (c *Client) Do(ctx context.Context, command string) (string, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return "", &Unreachable{c.cfg.Addr, context.Cause(ctx)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, fmt.Errorf("no answer within %s", c.cfg.Timeout))
	defer cancel()
	conn, err := c.cfg.Dial(ctx, "tcp", c.cfg.Addr)
	if err != nil {
		return "", c.unreachable(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	s := session{c, conn, rand.Uint32() >> 1, ""}
	hello, err := s.ask(ctx, "null")
	if err != nil {
		if errors.Is(err, errSignature) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return "", &Denied{c.cfg.Addr, c.cfg.Key.Name, err}
		}
		return "", err
	}
	if s.nonce = hello.text("_ctrl", "_nonce"); s.nonce == "" {
		return "", fmt.Errorf("rndc: %s sent no nonce", c.cfg.Addr)
	}
	answer, err := s.ask(ctx, command)
	if err != nil {
		return "", err
	}
	result, text := answer.text("_data", "result"), answer.text("_data", "text")
	if failed := answer.text("_data", "err"); failed != "" || result != "0" && result != "" {
		word, _, _ := strings.Cut(command, " ")
		if failed == "" {
			failed = "result " + result
		}
		return "", &Error{word, failed, text}
	}
	return text, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ctx.Err())) {
		err = context.Cause(ctx)
	}
	return &Unreachable{c.cfg.Addr, err}
}

// session is one connection.
type session struct {
	client *Client
	conn   net.Conn
	serial uint32
	nonce  string // empty until the server has given one
}

// ask sends one command and reads its answer: signed, in time, and about this command.
func (s *session) ask(ctx context.Context, command string) (table, error) {
	s.serial++
	now := s.client.cfg.Now()
	serial := strconv.FormatUint(uint64(s.serial), 10)
	ctrl := table{
		{"_ser", serial},
		{"_tim", strconv.FormatInt(now.Unix(), 10)},
		{"_exp", strconv.FormatInt(now.Add(lifetime).Unix(), 10)},
	}
	if s.nonce != "" {
		ctrl = append(ctrl, entry{"_nonce", s.nonce})
	}
	msg := s.client.signer.message(table{{"_ctrl", ctrl}, {"_data", table{{"type", command}}}})
	if len(msg) > maxMessage {
		return nil, fmt.Errorf("rndc: a command of %d bytes is too long", len(msg))
	}
	if _, err := s.conn.Write(msg); err != nil {
		return nil, s.client.unreachable(ctx, err)
	}
	b, err := read(s.conn)
	if err != nil {
		return nil, s.client.unreachable(ctx, err)
	}
	answer, err := s.client.signer.open(b)
	if err != nil {
		return nil, fmt.Errorf("rndc: %s: %w", s.client.cfg.Addr, err)
	}
	if err := fits(answer, serial, s.nonce, s.client.cfg.Now()); err != nil {
		return nil, fmt.Errorf("rndc: %s: %w", s.client.cfg.Addr, err)
	}
	return answer, nil
}

// read reads one message, preceded by its length.
func read(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxMessage {
		return nil, fmt.Errorf("an answer of %d bytes is too long", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// fits checks that an answer is one, to the message with the serial and the nonce, and not too old.
func fits(answer table, serial, nonce string, now time.Time) error {
	if answer.text("_ctrl", "_rpl") != "1" || answer.text("_ctrl", "_ser") != serial {
		return errors.New("it sent something else than the answer")
	}
	if nonce != "" && answer.text("_ctrl", "_nonce") != nonce {
		return errors.New("the answer belongs to another connection")
	}
	expires, err := strconv.ParseInt(answer.text("_ctrl", "_exp"), 10, 64)
	// The server has taken our time for near enough to its own; it may be off by as much.
	if err != nil || now.Add(-tolerated).Unix() > expires {
		return errors.New("the answer has expired")
	}
	return nil
}
