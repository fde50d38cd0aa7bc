package gandi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

const (
	// perPage is how many records are asked for at once. Gandi documents 100 as the default and no maximum;
	// 500 is known to work, and less is taken as it comes.
	perPage = 500
	// maxBody is more than a page of records with the longest texts people have.
	maxBody = 64 << 20
	root    = "/v5/livedns"
)

// client sends the few requests of LiveDNS that are needed.
type client struct {
	http      *http.Client
	limiter   *rate.Limiter
	endpoint  string
	sharingID string
	timeout   time.Duration
	authorize func() (string, error)
}

// record is an RRset on the wire.
type record struct {
	Name   string   `json:"rrset_name,omitempty"` // relative to the domain, "@" for its own name
	Type   string   `json:"rrset_type,omitempty"`
	TTL    int64    `json:"rrset_ttl,omitempty"` // seconds
	Values []string `json:"rrset_values"`
}

func newClient(c Config, observe apicall.Observer, log *slog.Logger) (*client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: c.Timeout}).DialContext
	transport.TLSHandshakeTimeout = c.Timeout
	transport.ResponseHeaderTimeout = c.Timeout
	transport.MaxIdleConnsPerHost = parallel
	if c.TLS != (clienttls.Files{}) {
		config, err := c.TLS.Config()
		if err != nil {
			return nil, setting.Under("tls", err)
		}
		transport.TLSClientConfig = config
	}
	// What may be sent at once counts into the minute as well: it and what is sent at the steady rate are
	// never more than asked for.
	burst := max(1, c.RequestsPerMinute/15)
	limiter := rate.NewLimiter(rate.Limit(float64(max(1, c.RequestsPerMinute-burst))/60), burst)
	return &client{
		http: apicall.Client(apicall.Options{
			Base: transport, Limiter: limiter, Operation: operation, Observe: observe, Log: log,
		}),
		limiter:   limiter,
		endpoint:  strings.TrimRight(c.Endpoint, "/"),
		sharingID: c.SharingID,
		timeout:   c.Timeout,
		authorize: c.authorization,
	}, nil
}

// operation names a request as https://api.gandi.net/docs/livedns/ does: its method and path.
func operation(r *http.Request) string {
	parameters := []string{"domains", "{fqdn}", "records", "{rrset_name}", "{rrset_type}"}
	_, path, _ := strings.Cut(r.URL.EscapedPath(), root+"/")
	n := min(strings.Count(path, "/")+1, len(parameters))
	return r.Method + " /" + strings.Join(parameters[:n], "/")
}

// domain asks whether LiveDNS holds a domain that the credentials may see: an *apiError with status 404
// says that it does not.
func (c *client) domain(ctx context.Context, fqdn string) error {
	_, err := c.do(ctx, http.MethodGet, path(fqdn), nil, nil, nil)
	return err
}

// page returns the records of one page and how many there are in all, -1 when the service does not say.
// The pages are as long as the service likes, at most perPage.
func (c *client) page(ctx context.Context, domain string, n int) (records []record, total int, err error) {
	query := url.Values{"page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(perPage)}}
	header, err := c.do(ctx, http.MethodGet, path(domain, "records"), query, nil, &records)
	if err != nil {
		return nil, 0, err
	}
	if total, err = strconv.Atoi(header.Get("Total-Count")); err != nil || total < 0 {
		total = -1
	}
	return records, total, nil
}

// name returns all that a name has. None at all is an empty list or a 404; both mean nothing.
func (c *client) name(ctx context.Context, domain, name string) (records []record, err error) {
	_, err = c.do(ctx, http.MethodGet, path(domain, "records", name), nil, nil, &records)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	return records, err
}

// create makes an RRset that does not exist yet. The service refuses (409) when it does.
func (c *client) create(ctx context.Context, domain string, r record) error {
	_, err := c.do(ctx, http.MethodPost, path(domain, "records"), nil, r, nil)
	return err
}

// replace makes r the RRset of its name and type, whatever stands there.
func (c *client) replace(ctx context.Context, domain string, r record) error {
	name, typ := r.Name, r.Type
	r.Name, r.Type = "", ""
	_, err := c.do(ctx, http.MethodPut, path(domain, "records", name, typ), nil, r, nil)
	return err
}

// remove deletes an RRset. One that is not there is deleted already.
func (c *client) remove(ctx context.Context, domain, name, typ string) error {
	return c.gone(ctx, path(domain, "records", name, typ))
}

// replaceName makes records, at least one, all that a name has, in one step.
func (c *client) replaceName(ctx context.Context, domain, name string, records []record) error {
	items := make([]record, len(records))
	for i, r := range records {
		r.Name = ""
		items[i] = r
	}
	_, err := c.do(ctx, http.MethodPut, path(domain, "records", name), nil, map[string]any{"items": items}, nil)
	return err
}

// removeName deletes all that a name has, in one step.
func (c *client) removeName(ctx context.Context, domain, name string) error {
	return c.gone(ctx, path(domain, "records", name))
}

func (c *client) gone(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodDelete, path, nil, nil, nil)
	if status(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// path is that of a domain, and of what is below it.
func path(domain string, below ...string) string {
	p := "/domains/" + url.PathEscape(domain)
	for _, b := range below {
		p += "/" + url.PathEscape(b)
	}
	return p
}

// do sends a request with in as its body and reads the answer into out; either may be nil.
func (c *client) do(ctx context.Context, method, path string, query url.Values, in, out any) (http.Header, error) {
	authorization, err := c.authorize()
	if err != nil {
		return nil, err
	}
	if c.sharingID != "" {
		if query == nil {
			query = url.Values{}
		}
		query.Set("sharing_id", c.sharingID)
	}
	target := c.endpoint + root + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "spokedns")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unsent(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	// Nothing else ends an answer that stops in the middle.
	late := time.AfterFunc(c.timeout, func() { cancel(fmt.Errorf("the answer was not complete within %s", c.timeout)) })
	defer late.Stop()
	read, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", errors.Join(context.Cause(ctx), err))
	case resp.StatusCode >= 300:
		return nil, newAPIError(resp.StatusCode, read)
	case len(read) > maxBody:
		return nil, fmt.Errorf("an answer of more than %d bytes", maxBody)
	case out == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(read, out); err != nil {
		return nil, fmt.Errorf("the answer is not what the API documents: %w", err)
	}
	return resp.Header, nil
}

// unsent says why there is no answer, without the URL that net/http repeats.
func unsent(ctx context.Context, err error) error {
	var outer *url.Error
	for errors.As(err, &outer) {
		err = outer.Err
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("no answer in time: %w", cause)
	}
	return fmt.Errorf("no answer: %w", err)
}
