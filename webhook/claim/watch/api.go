package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
)

const (
	pageSize    = "500"            // objects of one list request: what is in memory undigested
	readTimeout = 30 * time.Second // of everything but a watch
	watchFor    = 5 * time.Minute  // how long the server is asked to keep a watch open
)

// api speaks to one API server. It reads JSON straight into what is kept of an object: decoding whole
// objects first, as general clients do, takes a gigabyte for a hundred thousand Ingresses.
type api struct {
	http *http.Client
	base *url.URL
}

func newAPI(cfg *rest.Config) (*api, error) {
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, err
	}
	return &api{client, base}, nil
}

// apiError is a refusal of the API server.
type apiError struct {
	code    int
	message string
}

func (e *apiError) Error() string { return e.message }

// refused reports whether err is the API server's answer with that HTTP status.
func refused(err error, code int) bool {
	var e *apiError
	return errors.As(err, &e) && e.code == code
}

// decode reads one JSON value, as json.Unmarshal does.
type decode func(into any) error

// list calls each for every object of a collection, a page at a time, and returns the resource version
// to watch from. An error of each ends the list.
func (a *api) list(ctx context.Context, path string, each func(decode) error) (string, error) {
	var p page
	for {
		query := url.Values{"limit": {pageSize}}
		if p.Continue != "" {
			query.Set("continue", p.Continue)
		}
		var err error
		if p, err = a.page(ctx, path, query, each); err != nil {
			return "", err
		}
		if p.Continue == "" {
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
func (a *api) page(ctx context.Context, path string, query url.Values, each func(decode) error) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, err := a.open(ctx, path, query)
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

// fields calls each at every value of a JSON object, which it has to read.
func fields(d *json.Decoder, each func(name string, d *json.Decoder) error) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := each(fmt.Sprint(name), d); err != nil {
			return err
		}
	}
	return expect(d, json.Delim('}'))
}

// elements calls each at every value of a JSON array, or never for null.
func elements(d *json.Decoder, each func(decode) error) error {
	open, err := d.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('[') {
		return fmt.Errorf("%v where a list of objects should begin", open)
	}
	for d.More() {
		if err := each(d.Decode); err != nil {
			return err
		}
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v where %v should be", got, want)
	}
	return nil
}

// watch calls opened once the server has agreed, then event for every change after the resource version,
// until the connection ends; it returns the resource version to go on from. A nil error is a normal end.
func (a *api) watch(ctx context.Context, path, version string, opened func(), event func(kind string, object decode)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchFor+readTimeout)
	defer cancel()
	body, err := a.open(ctx, path, url.Values{
		"watch": {"1"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"},
		"timeoutSeconds": {strconv.Itoa(int(watchFor / time.Second))},
	})
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
			return version, readError(0, e.Object)
		}
		var object struct {
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

// get decodes one JSON document.
func (a *api) get(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, err := a.open(ctx, path, query)
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

func (a *api) open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	u := a.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	return nil, readError(resp.StatusCode, body)
}

// readError understands the Status object a refusal carries; what is none is quoted.
func readError(code int, body []byte) error {
	var status struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if err := json.Unmarshal(body, &status); err != nil || status.Message == "" {
		status.Message = string(bytes.TrimSpace(body))
	}
	if code == 0 {
		code = status.Code
	}
	if status.Message == "" {
		status.Message = http.StatusText(code)
	}
	return &apiError{code, status.Message}
}
