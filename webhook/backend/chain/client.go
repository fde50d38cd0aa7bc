package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Bounds of what is read of an answer. A listing of 100,000 names and their ownership texts has some
// 30 MB.
const (
	maxList   = 256 << 20
	maxFilter = 1 << 20
	maxError  = 2 << 10
)

// call is one request of the protocol.
type call struct {
	name   string // for metrics and messages
	method string
	path   string
	want   int // the one status that means success
	limit  int64
}

func negotiation() call { return call{"negotiate", http.MethodGet, "", http.StatusOK, maxFilter} }
func listRecords() call { return call{"records", http.MethodGet, "/records", http.StatusOK, maxList} }
func adjustment() call {
	return call{"adjust", http.MethodPost, "/adjustendpoints", http.StatusOK, maxList}
}
func application() call {
	return call{"apply", http.MethodPost, "/records", http.StatusNoContent, maxError}
}

// client speaks the protocol.
type client struct {
	config  Config
	base    string // of the URLs, without a slash at the end
	http    *http.Client
	observe apicall.Observer
	longest atomic.Int64 // bytes of the longest listing yet, to read the next one in one piece
}

func newClient(c Config, observe apicall.Observer) (*client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 8
	base := c.URL
	switch u, _ := url.Parse(c.URL); {
	case u == nil:
		return nil, &setting.Error{Field: "url", Want: wantURL("")}
	case u.Scheme == "unix":
		base = "http://localhost" // the Host of the requests; where they go is the dialer's business
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", u.Path)
		}
	case u.Scheme == "https":
		tls, err := c.TLS.Config()
		if err != nil {
			return nil, setting.Under("tls", err)
		}
		transport.TLSClientConfig = tls
	}
	return &client{config: c, base: base, observe: observe, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// do sends a request with body as JSON, if there is one, and returns the answer's header and body. An
// answer with any other status than the wanted one is an *answerError.
func (c *client) do(ctx context.Context, what call, body any) (http.Header, []byte, error) {
	began := time.Now()
	status, header, answer, err := c.send(ctx, what, body)
	if err != nil {
		status = 0
	}
	c.observe.Saw(what.name, apicall.ResultOf(status, err), time.Since(began))
	if err != nil {
		return nil, nil, fmt.Errorf("ask the other webhook: %w", err)
	}
	if status != what.want {
		return nil, nil, &answerError{status: status, want: what.want, location: header.Get("Location"), text: excerpt(answer)}
	}
	return header, answer, nil
}

func (c *client) send(ctx context.Context, what call, body any) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, silence(c.config.Timeout))
	defer cancel()
	req, err := c.request(ctx, what, body)
	if err != nil {
		return 0, nil, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, ended(ctx, err)
	}
	defer resp.Body.Close()
	limit := what.limit
	if resp.StatusCode != what.want {
		limit = maxError
	}
	hint := resp.ContentLength
	if what.limit == maxList {
		hint = max(hint, c.longest.Load())
	}
	answer, err := read(resp, min(hint, limit), limit)
	if err != nil && resp.StatusCode != what.want {
		err = nil // the status says more than the end of its text
	}
	return resp.StatusCode, resp.Header, answer, ended(ctx, err)
}

func (c *client) request(ctx context.Context, what call, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, what.method, c.base+what.path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if what.want != http.StatusNoContent {
		req.Header.Set("Accept", mediaType)
	}
	if c.config.Username != "" {
		password, err := c.config.password()
		if err != nil {
			return nil, err
		}
		req.SetBasicAuth(c.config.Username, password)
	}
	return req, nil
}

// read returns the body, of which there may be limit bytes and probably are hint.
func read(resp *http.Response, hint, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(max(hint, 0)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return b.Bytes()[:min(n, limit)], err
}

// ended says why a context ended, where err is only that it did.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// garbled is the error about a body that is not what was asked for.
func garbled(body []byte, want string, err error) error {
	return fmt.Errorf("the other webhook's answer is no %s: %w: %q", want, err, excerpt(body))
}

// decodeEach reads a JSON list of endpoints, or null, and nothing else, one at a time: a long list is not
// held twice.
func decodeEach(body []byte, each func(*endpoint)) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	err := func() error {
		begin, err := dec.Token()
		if err != nil {
			return err
		}
		if begin == json.Delim('[') {
			for dec.More() {
				var e endpoint
				if err := dec.Decode(&e); err != nil {
					return err
				}
				each(&e)
			}
			if _, err := dec.Token(); err != nil {
				return err
			}
		} else if begin != nil {
			return errors.New("it is no list")
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return errors.New("something follows the list")
		}
		return nil
	}()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return garbled(body, "list of endpoints", err)
	}
	return nil
}

// excerpt is the beginning of a text, in one line.
func excerpt(b []byte) string {
	const most = 200
	cut := len(b) > most
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:min(len(b), most)]), "?")), " ")
	if cut {
		text += "…"
	}
	return text
}

// negotiate asks what the other webhook serves. A sidecar starts together with us, so what fails is
// repeated a few times.
func (c *client) negotiate(ctx context.Context) (*filter, error) {
	const tries, firstWait = 4, 200 * time.Millisecond
	for i := 0; ; i++ {
		header, body, err := c.do(ctx, negotiation(), nil)
		if err == nil {
			return readFilter(header, body)
		}
		if i == tries-1 || !goesAway(err) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(firstWait << i):
		}
	}
}

func readFilter(header http.Header, body []byte) (*filter, error) {
	answered := header.Get("Content-Type")
	if typ, params, err := mime.ParseMediaType(answered); err != nil || typ+";version="+params["version"] != mediaType {
		return nil, &strangerError{fmt.Errorf("what answers is no external-dns webhook: its media type is %q, want %q; it says %q",
			answered, mediaType, excerpt(body))}
	}
	var w wireFilter
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, garbled(body, "domain filter", err)
	}
	f, err := w.read()
	if err != nil {
		return nil, &strangerError{err}
	}
	return f, nil
}

// records lists everything the other webhook has.
func (c *client) records(ctx context.Context) ([]byte, error) {
	_, body, err := c.do(ctx, listRecords(), nil)
	if n := int64(len(body)); n > c.longest.Load() {
		c.longest.Store(n)
	}
	return body, err
}

// adjust asks for the form in which the endpoints will be stored.
func (c *client) adjust(ctx context.Context, asked []endpoint) ([]endpoint, error) {
	_, body, err := c.do(ctx, adjustment(), asked)
	if err != nil {
		return nil, err
	}
	var answer []endpoint
	return answer, decodeEach(body, func(e *endpoint) { answer = append(answer, *e) })
}

// apply makes changes.
func (c *client) apply(ctx context.Context, wanted changes) error {
	_, _, err := c.do(ctx, application(), wanted)
	return err
}

// Close drops the idle connections.
func (c *client) Close() { c.http.CloseIdleConnections() }

// goesAway reports whether a moment later the same request may well be answered in another way: nothing
// answered, or the answer was the fault of who gave it.
func goesAway(err error) bool {
	var answered *answerError
	if errors.As(err, &answered) {
		return answered.status >= 500
	}
	var stranger *strangerError
	return !errors.As(err, &stranger) && !apicall.Ended(err)
}
