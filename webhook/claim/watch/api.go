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

// list calls each with every object of a collection, a page at a time, and returns the resource version
// to watch from.
func (a *api) list(ctx context.Context, path string, each func(raw json.RawMessage)) (string, error) {
	var from string
	for {
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []json.RawMessage `json:"items"`
		}
		query := url.Values{"limit": {pageSize}}
		if from != "" {
			query.Set("continue", from)
		}
		if err := a.get(ctx, path, query, &page); err != nil {
			return "", err
		}
		for _, raw := range page.Items {
			each(raw)
		}
		if from = page.Metadata.Continue; from == "" {
			return page.Metadata.ResourceVersion, nil
		}
	}
}

// watch calls opened once the server has agreed, then event for every change after the resource version,
// until the connection ends; it returns the resource version to go on from. A nil error is a normal end.
func (a *api) watch(ctx context.Context, path, version string, opened func(), event func(kind string, raw json.RawMessage)) (string, error) {
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
			event(e.Type, e.Object)
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
