// Package listwatch owns how the programs read collections of a Kubernetes API server: list, then watch from there,
// over client-go's authenticated transport.
//
// It hands over one object at a time, to be decoded straight into what is kept of it. client-go's informers decode
// whole objects and a whole list of them first, which takes a gigabyte for a hundred thousand Ingresses, and with
// its clientset they put 13 MB into a binary.
package listwatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

const (
	pageSize    = "500"            // objects of one list request: what is in memory undigested
	readTimeout = 30 * time.Second // of everything but a watch
	watchFor    = 5 * time.Minute  // how long the server is asked to keep a watch open
	mostRefusal = 64 << 10         // bytes of a refusal that are read
	mostQuoted  = 200              // bytes of one that is no Status object that are repeated
)

// Client speaks to one API server. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base *url.URL
}

// New returns a client of the API server that the configuration names. It does no network I/O.
func New(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = 0 // it would end the watches; every request has its own
	doer, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{doer, base}, nil
}

// Refusal is the API server's answer to what it did not do.
type Refusal struct {
	Code    int // the HTTP status
	Message string
}

// Error is the server's message.
func (e *Refusal) Error() string { return e.Message }

// Refused reports whether err is a Refusal with one of the HTTP statuses.
func Refused(err error, codes ...int) bool {
	var e *Refusal
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// Decode reads one JSON value, as json.Unmarshal does.
type Decode func(into any) error

// List calls each for every object of the collection at path, a page at a time, and returns the resource version to
// watch from. query narrows the collection, for example by a fieldSelector. An error of each ends the list.
func (c *Client) List(ctx context.Context, path string, query url.Values, each func(Decode) error) (string, error) {
	ask := maps.Clone(query)
	if ask == nil {
		ask = url.Values{}
	}
	ask.Set("limit", pageSize)
	for {
		p, err := c.page(ctx, path, ask, each)
		switch {
		case err != nil:
			return "", err
		case p.Continue != "":
			ask.Set("continue", p.Continue)
		case p.ResourceVersion == "":
			return "", fmt.Errorf("read %s: the list has no resource version", path)
		default:
			return p.ResourceVersion, nil
		}
	}
}

// page is the metadata of a list.
type page struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue"`
}

// page reads one page object by object, so that never more than one is in memory as it was sent.
func (c *Client) page(ctx context.Context, path string, query url.Values, each func(Decode) error) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, err := c.open(ctx, path, query)
	if err != nil {
		return page{}, err
	}
	defer body.Close()
	err = fields(json.NewDecoder(body), func(name string, d *json.Decoder) error {
		switch name {
		case "metadata":
			return d.Decode(&p)
		case "items":
			return elements(d, each)
		}
		var other json.RawMessage
		return d.Decode(&other)
	})
	if err != nil {
		return page{}, fmt.Errorf("read %s: %w", path, err)
	}
	_, err = io.Copy(io.Discard, body) // to the end, so that the connection is used again
	return p, err
}

// Watch calls opened once the server has agreed, then event for every change after the resource version, until the
// connection ends; it returns the resource version to go on from. kind is ADDED, MODIFIED or DELETED. A nil error is
// a normal end; a Refusal with status 410 says that the version is too old.
func (c *Client) Watch(ctx context.Context, path string, query url.Values, version string, opened func(), event func(kind string, object Decode)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchFor+readTimeout)
	defer cancel()
	ask := url.Values{
		"watch": {"1"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"},
		"timeoutSeconds": {strconv.Itoa(int(watchFor / time.Second))},
	}
	maps.Copy(ask, query)
	body, err := c.open(ctx, path, ask)
	if err != nil {
		return version, err
	}
	defer body.Close()
	opened()
	for events := json.NewDecoder(body); ; {
		var e struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return version, nil
		} else if err != nil {
			return version, fmt.Errorf("read the stream of changes: %w", err)
		}
		if e.Type == "ERROR" {
			return version, refusal(0, e.Object)
		}
		var object struct { // a bookmark has nothing else
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(e.Object, &object); err != nil {
			return version, fmt.Errorf("read a change: %w", err)
		}
		if e.Type != "BOOKMARK" {
			event(e.Type, func(into any) error { return json.Unmarshal(e.Object, into) })
		}
		version = object.Metadata.ResourceVersion
	}
}

// Get decodes the one JSON document at path.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, err := c.open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	_, err = io.Copy(io.Discard, body) // to the end, so that the connection is used again
	return err
}

func (c *Client) open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	// A portal or a proxy may answer everything with 200 and a page.
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode == http.StatusOK && strings.HasPrefix(kind, "application/json") {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil, fmt.Errorf("answered with %s: this is no API server", kind)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostRefusal))
	if err != nil {
		return nil, err
	}
	return nil, refusal(resp.StatusCode, body)
}

// refusal understands the Status object a refusal carries; what is none is quoted.
func refusal(code int, body []byte) error {
	var status struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if err := json.Unmarshal(body, &status); err != nil || status.Message == "" {
		status.Message = string(bytes.TrimSpace(body[:min(len(body), mostQuoted)]))
	}
	if code == 0 {
		code = status.Code
	}
	if status.Message == "" {
		status.Message = http.StatusText(code)
	}
	return &Refusal{code, status.Message}
}
