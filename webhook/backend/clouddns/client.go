package clouddns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"slices"
	"time"

	"google.golang.org/api/dns/v1"
	"google.golang.org/api/option"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/setting"
)

// client asks the service.
type client struct {
	api       *dns.Service
	tokens    *tokens
	transport *http.Transport
}

// newClient makes a client; it does no network I/O.
func newClient(c Config, observe apicall.Observer, log *slog.Logger) (*client, error) {
	t := &tokens{file: c.CredentialsFile, timeout: c.Timeout}
	tls, err := c.TLS.Config()
	if err != nil {
		return nil, setting.Under("tls", err)
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2 * parallel, IdleConnTimeout: 90 * time.Second,
		DialContext: (&net.Dialer{Timeout: c.Timeout, KeepAlive: 30 * time.Second}).DialContext,
	}
	repeating := apicall.Client(apicall.Options{
		Base: &bounded{transport, c.Timeout}, Operation: operation, Result: result, Observe: observe, Log: log,
	})
	options := []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: &authorized{repeating.Transport, t}})}
	if c.Endpoint != "" {
		options = append(options, option.WithEndpoint(c.Endpoint))
	}
	api, err := dns.NewService(context.Background(), options...)
	if err != nil {
		return nil, fmt.Errorf("clouddns: %w", err)
	}
	api.UserAgent = "spokedns"
	return &client{api: api, tokens: t, transport: transport}, nil
}

// operation is the name of a request in dns-api.json.
func operation(r *http.Request) string {
	switch path.Base(r.URL.Path) {
	case "changes":
		return "changes.create"
	case "rrsets":
		return "resourceRecordSets.list"
	}
	return "managedZones.list"
}

// records reads the RRsets of a managed zone page by page, those of one name when it is given. How many
// there are in a page is left to the service, which gives as many as it can.
func (c *client) records(ctx context.Context, m managedZone, name string, page func([]*dns.ResourceRecordSet)) error {
	call := c.api.ResourceRecordSets.List(m.project, m.id).Fields("nextPageToken", "rrsets(name,type,ttl,rrdatas,routingPolicy)")
	if name != "" {
		call = call.Name(name + ".")
	}
	return call.Pages(ctx, func(r *dns.ResourceRecordSetsListResponse) error {
		if slices.Contains(r.Rrsets, nil) {
			return errors.New("the listing has a null in the place of a record set, so it is not the whole zone")
		}
		page(r.Rrsets)
		return nil
	})
}

// change makes one change.
func (c *client) change(ctx context.Context, m managedZone, change *dns.Change) error {
	_, err := c.api.Changes.Create(m.project, m.id, change).Fields("id", "status").Context(ctx).Do()
	return err
}

// authorized puts a token on every request, and a new one when the service does not accept it.
type authorized struct {
	next   http.RoundTripper
	tokens *tokens
}

// RoundTrip implements http.RoundTripper.
func (a *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	g, resp, err := a.try(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	a.tokens.forget(g)
	again := req
	if req.Body != nil {
		body, err := req.GetBody() // the SDK's bodies are buffers
		if err != nil {
			return resp, nil //nolint:nilerr // the answer stands
		}
		again = req.Clone(req.Context())
		again.Body = body
	}
	_ = resp.Body.Close()
	_, resp, err = a.try(again)
	return resp, err
}

func (a *authorized) try(req *http.Request) (*granted, *http.Response, error) {
	g, err := a.tokens.get(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as every RoundTripper does
		}
		return nil, nil, err
	}
	req = req.Clone(req.Context())
	g.token.SetAuthHeader(req)
	if g.quota != "" {
		req.Header.Set("X-Goog-User-Project", g.quota)
	}
	resp, err := a.next.RoundTrip(req)
	return g, resp, err
}

// bounded ends requests whose answer does not come, or does not end.
type bounded struct {
	next    http.RoundTripper
	longest time.Duration
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), b.longest, fmt.Errorf("no answer within %s", b.longest))
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if req.Context().Err() == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel()
		return nil, err
	}
	resp.Body = &ending{resp.Body, cancel}
	return resp, nil
}

// ending is a body after which nothing is waited for.
type ending struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (e *ending) Close() error {
	defer e.cancel()
	return e.ReadCloser.Close()
}

func readCloser(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
