package extdns

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"sigs.k8s.io/external-dns/endpoint"
)

// Handler serves p.
func Handler(p Provider, o Options, log *slog.Logger) http.Handler {
	if o.Budget == 0 {
		o.Budget = defaultBudget
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	h := &handler{provider: p, options: o, log: log}
	r := chi.NewRouter()
	r.Get("/", h.serve(CallNegotiate, h.negotiate))
	r.Get("/records", h.serve(CallRecords, h.records))
	r.Post("/records", h.serve(CallApply, h.apply))
	r.Post("/adjustendpoints", h.serve(CallAdjust, h.adjust))
	r.NotFound(h.serve(CallOther, refuse(http.StatusNotFound)))
	r.MethodNotAllowed(h.serve(CallOther, refuse(http.StatusMethodNotAllowed)))
	return r
}

type handler struct {
	provider Provider
	options  Options
	log      *slog.Logger
	sent     atomic.Pointer[answer] // the last answer to GET /records
}

// answer is what was last sent for a slice of endpoints.
type answer struct {
	of   []*endpoint.Endpoint
	body []byte
}

// call is one route: it gets the request's body and returns the answer's. A nil body without an error
// is 204.
type call func(ctx context.Context, body []byte) ([]byte, error)

func (h *handler) negotiate(context.Context, []byte) ([]byte, error) {
	f, err := h.provider.Filter()
	if err != nil {
		return nil, err
	}
	return f.MarshalJSON()
}

func (h *handler) records(ctx context.Context, _ []byte) ([]byte, error) {
	eps, err := h.provider.Records(ctx)
	if err != nil {
		return nil, err
	}
	room := 128 * len(eps)
	if last := h.sent.Load(); last != nil {
		if same(last.of, eps) {
			return last.body, nil
		}
		room = max(room, len(last.body)+len(last.body)/64)
	}
	a := &answer{of: eps, body: AppendEndpoints(make([]byte, 0, room), eps)}
	h.sent.Store(a)
	if len(a.body) > clientCap {
		h.log.WarnContext(ctx, "the records are more than external-dns v0.23 and newer read; split the zones over several instances",
			"bytes", len(a.body), "limit", clientCap, "endpoints", len(eps))
	}
	return a.body, nil
}

// same reports whether both are the very same slice.
func same(a, b []*endpoint.Endpoint) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

func (h *handler) adjust(ctx context.Context, body []byte) ([]byte, error) {
	in, err := DecodeEndpoints(body)
	if err != nil {
		return nil, malformed(err)
	}
	out, err := h.provider.Adjust(ctx, in)
	if err != nil {
		return nil, err
	}
	return AppendEndpoints(make([]byte, 0, len(body)), out), nil
}

func (h *handler) apply(ctx context.Context, body []byte) ([]byte, error) {
	changes, err := DecodeChanges(body)
	if err != nil {
		return nil, malformed(err)
	}
	return nil, h.provider.Apply(ctx, changes)
}

// serve answers one route. Everything a retry could heal is 503; see docs/design/protocol.md.
func (h *handler) serve(name string, do call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answer, err := h.answer(r, w, start, do)
		status := http.StatusOK
		switch {
		case err != nil:
			status = statusOf(err)
			h.log.WarnContext(r.Context(), "call failed", "call", name, "status", status, "took", time.Since(start), "error", err)
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="spokedns"`)
			}
			http.Error(w, brief(err), status)
		case answer == nil:
			status = http.StatusNoContent
			w.WriteHeader(status)
		default:
			w.Header().Set("Content-Type", MediaType)
			w.Header().Set("Content-Length", strconv.Itoa(len(answer))) // else it would go out in chunks
			if _, err := w.Write(answer); err != nil {
				h.log.WarnContext(r.Context(), "the client did not take the answer", "call", name, "error", err)
			}
		}
		took := time.Since(start)
		h.log.DebugContext(r.Context(), "call", "call", name, "status", status, "took", took, "in", r.ContentLength, "out", len(answer))
		if h.options.Observe != nil {
			h.options.Observe(name, status, took)
		}
	}
}

func (h *handler) answer(r *http.Request, w http.ResponseWriter, start time.Time, do call) ([]byte, error) {
	if !h.authorized(r) {
		return nil, &statusError{http.StatusUnauthorized, errors.New("wrong or missing credentials")}
	}
	if err := checkMedia(r); err != nil {
		return nil, err
	}
	body, err := h.readBody(w, r, start.Add(h.options.Budget))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadlineCause(r.Context(), start.Add(h.options.Budget),
		fmt.Errorf("the %v that a call may take are over: %w", h.options.Budget, context.DeadlineExceeded))
	defer cancel()
	return h.bounded(ctx, start, body, do)
}

// bounded runs do, and gives up on it when it ignores the end of ctx.
func (h *handler) bounded(ctx context.Context, start time.Time, body []byte, do call) ([]byte, error) {
	type result struct {
		body []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		var res result
		defer func() {
			if p := recover(); p != nil {
				h.log.ErrorContext(ctx, "panic", "panic", p, "stack", string(debug.Stack()))
				res = result{err: fmt.Errorf("internal error, the log has more: %v", p)}
			}
			done <- res
		}()
		res.body, res.err = do(ctx, body)
	}()
	end := time.NewTimer(time.Until(start.Add(h.options.Budget + grace)))
	defer end.Stop()
	select {
	case res := <-done:
		return res.body, res.err
	case <-end.C:
		return nil, fmt.Errorf("no answer in time, what was begun may still end: %w", context.Cause(ctx))
	}
}

// authorized compares digests, so that neither content nor length of the secret shows in the timing.
func (h *handler) authorized(r *http.Request) bool {
	if h.options.Password == "" {
		return true
	}
	user, password, _ := r.BasicAuth()
	equal := func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return subtle.ConstantTimeCompare(x[:], y[:])
	}
	return equal(user, h.options.User)&equal(password, h.options.Password) == 1
}
