package etcd

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
)

// dialer opens the one connection that all zones share, when it is first needed and again after it was
// refused: etcd's client logs in while it is made, which New of a backend may not do.
type dialer struct {
	cfg  Config
	life context.Context

	failed atomic.Pointer[error] // why the last TLS handshake failed

	dialing singleflight.Group
	mu      sync.Mutex
	conn    *conn
}

// conn is a connection whose requests end after a timeout of their own.
type conn struct {
	*clientv3.Client
	timeout time.Duration
}

// get returns the connection. Those who wait for it at the same time share one attempt, and each leaves
// when its own time is up.
func (d *dialer) get(ctx context.Context) (*conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if c := d.current(); c != nil {
		return c, nil
	}
	select {
	case done := <-d.dialing.DoChan("", func() (any, error) { return d.dial() }):
		if done.Err != nil {
			return nil, done.Err
		}
		return done.Val.(*conn), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (d *dialer) current() *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

func (d *dialer) dial() (*conn, error) {
	if c := d.current(); c != nil {
		return c, nil
	}
	password, err := d.cfg.password()
	if err != nil {
		return nil, err
	}
	tls, err := d.cfg.tls()
	if err != nil {
		return nil, err
	}
	// After an outage the next request finds the server back within a second or two.
	reconnect := grpc.ConnectParams{MinConnectTimeout: d.cfg.Timeout, Backoff: backoff.Config{
		BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
	}}
	options := []grpc.DialOption{grpc.WithConnectParams(reconnect)}
	if tls != nil {
		options = append(options, grpc.WithTransportCredentials(handshake{credentials.NewTLS(tls), d.cfg.TLS.ServerName, &d.failed}))
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: d.cfg.Endpoints, TLS: tls, Username: d.cfg.Username, Password: password,
		DialTimeout: d.cfg.Timeout, DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: d.cfg.Timeout,
		DialOptions: options, Context: d.life, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		_ = client.Close()
		return nil, context.Cause(d.life)
	}
	d.conn = &conn{client, d.cfg.Timeout}
	return d.conn, nil
}

// drop closes the connection if it is still the current one; the next call opens another, with the
// password and certificates as they are then.
func (d *dialer) drop(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == c && c != nil {
		_ = c.Close()
		d.conn = nil
	}
}

func (d *dialer) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil {
		return nil
	}
	err := d.conn.Close()
	d.conn = nil
	return err
}

// Get reads, within the timeout of one request.
func (c *conn) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.Client.Get(ctx, key, opts...)
}

// commit makes one transaction, within the timeout of one request.
func (c *conn) commit(ctx context.Context, cmps []clientv3.Cmp, ops []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.Txn(ctx).If(cmps...).Then(ops...).Commit()
}

// handshake are TLS credentials that remember why the last handshake failed, which gRPC keeps to itself
// until a request times out; and that know servers whose certificate has another name than their URL.
type handshake struct {
	credentials.TransportCredentials
	server string // name in the certificate; the URL's when empty
	failed *atomic.Pointer[error]
}

// ClientHandshake implements credentials.TransportCredentials.
func (h handshake) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if h.server != "" {
		authority = h.server
	}
	conn, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if h.failed.Store(nil); err != nil {
		h.failed.Store(&err)
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.server, h.failed}
}
