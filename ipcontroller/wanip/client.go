package wanip

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
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

const (
	listTimeout = 15 * time.Second
	watchFor    = 2 * time.Minute // how long the server is asked to keep a watch open
	maxBody     = 8 << 20         // of a list of one ConfigMap, which is at most 1 MiB and its managed fields
)

// client lists and watches one ConfigMap by its name, as a Role restricted by resourceNames allows. It is
// its own because client-go's clientset and informers put 13 MB into the webhook's binary, and this 0.1.
type client struct {
	http *http.Client
	url  *url.URL // of the collection
	name string
}

func newClient(cfg *rest.Config, namespace, name string) (*client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = 0 // it would end the watch; every request has its own
	doer, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, err
	}
	return &client{doer, base.JoinPath("api/v1/namespaces", namespace, "configmaps"), name}, nil
}

// refusal is an answer of the API server that is none.
type refusal struct {
	code    int
	message string
}

func (e *refusal) Error() string { return e.message }

func refusedWith(err error, code int) bool {
	var e *refusal
	return errors.As(err, &e) && e.code == code
}

// list returns the ConfigMap, nil if there is none, and the resource version to watch from.
func (c *client) list(ctx context.Context) (*corev1.ConfigMap, string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	body, err := c.open(ctx, url.Values{})
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Items []*corev1.ConfigMap `json:"items"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxBody)).Decode(&list); err != nil {
		return nil, "", fmt.Errorf("read the list: %w", err)
	}
	if list.Metadata.ResourceVersion == "" {
		return nil, "", errors.New("read the list: it has no resource version")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(body, maxBody)) // to the end, so that the connection is used again
	for _, cm := range list.Items {
		if cm != nil && cm.Name == c.name {
			return cm, list.Metadata.ResourceVersion, nil
		}
	}
	return nil, list.Metadata.ResourceVersion, nil
}

// watch calls opened once the server has agreed, then changed for every change after the resource version,
// with nil when the ConfigMap was deleted, until the connection ends. It returns the resource version to go on
// from. A nil error is a normal end.
func (c *client) watch(ctx context.Context, version string, opened func(), changed func(*corev1.ConfigMap)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchFor+listTimeout)
	defer cancel()
	body, err := c.open(ctx, url.Values{
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
			return version, readRefusal(0, e.Object)
		}
		var cm corev1.ConfigMap // a bookmark has nothing but the resource version
		if err := json.Unmarshal(e.Object, &cm); err != nil {
			return version, fmt.Errorf("read a change: %w", err)
		}
		version = cm.ResourceVersion
		switch {
		case e.Type == "BOOKMARK", cm.Name != c.name:
		case e.Type == "DELETED":
			changed(nil)
		default:
			changed(&cm)
		}
	}
}

func (c *client) open(ctx context.Context, query url.Values) (io.ReadCloser, error) {
	query.Set("fieldSelector", "metadata.name="+c.name)
	u := *c.url
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
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	return nil, readRefusal(resp.StatusCode, body)
}

// readRefusal understands the Status object a refusal carries; what is none is quoted.
func readRefusal(code int, body []byte) error {
	var status struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if err := json.Unmarshal(body, &status); err != nil || status.Message == "" {
		status.Message = string(bytes.TrimSpace(body[:min(len(body), 200)]))
	}
	if code == 0 {
		code = status.Code
	}
	return &refusal{code, fmt.Sprintf("status %d: %s", code, status.Message)}
}
