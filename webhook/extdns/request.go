package extdns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// statusError is a failure that no retry of the same request can heal.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func statusOf(err error) int {
	var e *statusError
	if errors.As(err, &e) {
		return e.status
	}
	return http.StatusServiceUnavailable
}

func malformed(err error) error {
	return &statusError{http.StatusBadRequest, fmt.Errorf("malformed body: %w", err)}
}

// refuse answers calls that the protocol does not have.
func refuse(status int) call {
	return func(context.Context, []byte) ([]byte, error) {
		return nil, &statusError{status, errors.New(
			"the calls are GET /, GET /records, POST /records and POST /adjustendpoints")}
	}
}

// brief is an error for the body of an answer, which external-dns reads and throws away.
func brief(err error) string {
	const limit = 2000
	text := err.Error()
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " …"
	}
	return text
}

// checkMedia wants the protocol's media type on what is sent, and refuses clients that can read only
// other versions of it.
func checkMedia(r *http.Request) error {
	if r.Method == http.MethodPost && !isOurs(r.Header.Get("Content-Type")) {
		return &statusError{http.StatusUnsupportedMediaType, fmt.Errorf(
			"content type %q: want %s", r.Header.Get("Content-Type"), MediaType)}
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if !strings.Contains(accept, "external.dns.webhook+json") {
		return nil // a browser, curl, or POST /records, which names nothing
	}
	for part := range strings.SplitSeq(accept, ",") {
		if isOurs(part) || strings.HasPrefix(strings.TrimSpace(part), "*/*") {
			return nil
		}
	}
	return &statusError{http.StatusNotAcceptable, fmt.Errorf("accept %q: there is only %s", accept, MediaType)}
}

func isOurs(mediaType string) bool {
	kind, params, err := mime.ParseMediaType(mediaType)
	return err == nil && kind == "application/external.dns.webhook+json" && params["version"] == "1"
}

// readBody reads the whole body before deadline. Every failure is one that may heal: a body cut on the
// way, and one above the limit, which shrinks when names go away.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request, deadline time.Time) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	conn := http.NewResponseController(w)
	if conn.SetReadDeadline(deadline) == nil {
		// Left in place it would end the call's context while the provider works.
		defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	}
	limit := h.options.MaxBody
	if n := r.ContentLength; n >= 0 && n <= limit {
		body := make([]byte, n)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	if int64(len(body)) <= limit {
		return body, nil
	}
	// A client that is still writing when the connection closes sees a reset and not the answer.
	rest, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return nil, fmt.Errorf("the request has %d bytes, more than the %d allowed: split the zones over several instances",
		int64(len(body))+rest, limit)
}
