package extdns_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/extdns"
)

// fake is a provider whose answers the test sets.
type fake struct {
	filter  func() (*endpoint.DomainFilter, error)
	records func(context.Context) ([]*endpoint.Endpoint, error)
	adjust  func(context.Context, []*endpoint.Endpoint) ([]*endpoint.Endpoint, error)
	apply   func(context.Context, *plan.Changes) error
}

func (f *fake) Filter() (*endpoint.DomainFilter, error) {
	if f.filter == nil {
		return endpoint.NewDomainFilter([]string{"example.org"}), nil
	}
	return f.filter()
}

func (f *fake) Records(ctx context.Context) ([]*endpoint.Endpoint, error) {
	if f.records == nil {
		return []*endpoint.Endpoint{endpoint.NewEndpoint("www.example.org", "A", "192.0.2.1")}, nil
	}
	return f.records(ctx)
}

func (f *fake) Adjust(ctx context.Context, in []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
	if f.adjust == nil {
		return in, nil
	}
	return f.adjust(ctx, in)
}

func (f *fake) Apply(ctx context.Context, c *plan.Changes) error {
	if f.apply == nil {
		return nil
	}
	return f.apply(ctx, c)
}

func handler(p extdns.Provider, o extdns.Options) http.Handler {
	return extdns.Handler(p, o, slog.New(slog.DiscardHandler))
}

func request(method, path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", extdns.MediaType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	failing := errors.New("the server 192.0.2.53:53 is unreachable")
	sick := &fake{
		filter:  func() (*endpoint.DomainFilter, error) { return nil, failing },
		records: func(context.Context) ([]*endpoint.Endpoint, error) { return nil, failing },
		adjust:  func(context.Context, []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) { return nil, failing },
		apply:   func(context.Context, *plan.Changes) error { return failing },
	}
	for _, c := range []struct {
		name     string
		provider *fake
		request  *http.Request
		status   int
		body     string // a part of it
	}{
		{"negotiate", &fake{}, request("GET", "/", "", "Accept", extdns.MediaType), 200, `{"include":["example.org"]}`},
		{"negotiate without Accept", &fake{}, request("GET", "/", ""), 200, `include`},
		{"negotiate as a browser", &fake{}, request("GET", "/", "", "Accept", "text/html,*/*;q=0.8"), 200, `include`},
		{"negotiate another version", &fake{}, request("GET", "/", "", "Accept", "application/external.dns.webhook+json;version=2"), 406, "version=1"},
		{"negotiate several versions", &fake{}, request("GET", "/", "", "Accept", "application/external.dns.webhook+json;version=2, "+extdns.MediaType), 200, "include"},
		{"negotiate too early", sick, request("GET", "/", ""), 503, failing.Error()},
		{"records", &fake{}, request("GET", "/records", "", "Accept", extdns.MediaType), 200, `[{"dnsName":"www.example.org","targets":["192.0.2.1"],"recordType":"A"}]`},
		{"records fail", sick, request("GET", "/records", ""), 503, failing.Error()},
		{"adjust", &fake{}, request("POST", "/adjustendpoints", `[{"dnsName":"a"}]`), 200, `[{"dnsName":"a"}]`},
		{"adjust nothing", &fake{}, request("POST", "/adjustendpoints", `[]`), 200, `[]`},
		{"adjust with a member of the future", &fake{}, request("POST", "/adjustendpoints", `[{"dnsName":"a","new":{"x":[1]}}]`), 200, `[{"dnsName":"a"}]`},
		{"adjust fails", sick, request("POST", "/adjustendpoints", `[]`), 503, failing.Error()},
		{"adjust malformed", &fake{}, request("POST", "/adjustendpoints", `[{"dnsName":`), 400, "malformed"},
		{"adjust without body", &fake{}, request("POST", "/adjustendpoints", ``), 400, "malformed"},
		{"adjust of another type", &fake{}, request("POST", "/adjustendpoints", `[]`, "Content-Type", "text/plain"), 415, extdns.MediaType},
		{"adjust without a type", &fake{}, request("POST", "/adjustendpoints", `[]`, "Content-Type", ""), 415, extdns.MediaType},
		{"type with a space", &fake{}, request("POST", "/adjustendpoints", `[]`, "Content-Type", "application/external.dns.webhook+json; version=1"), 200, "[]"},
		{"apply", &fake{}, request("POST", "/records", `{"create":[{"dnsName":"a"}]}`), 204, ""},
		{"apply nothing", &fake{}, request("POST", "/records", `{}`), 204, ""},
		{"apply fails", sick, request("POST", "/records", `{}`), 503, failing.Error()},
		{"apply malformed", &fake{}, request("POST", "/records", `[]`), 400, "malformed"},
		{"too large", &fake{}, request("POST", "/records", strings.Repeat(" ", 2000)), 503, "2000 bytes, more than the 1000 allowed"},
		{"unknown path", &fake{}, request("GET", "/healthz", ""), 404, "GET /records"},
		{"unknown method", &fake{}, request("DELETE", "/records", ""), 405, "GET /records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := do(handler(c.provider, extdns.Options{MaxBody: 1000}), c.request)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("got %d %q, want %d with %q", w.Code, w.Body.String(), c.status, c.body)
			}
			if got := w.Header().Get("Content-Type"); c.status == 200 && got != extdns.MediaType {
				t.Errorf("content type %q", got)
			}
			if c.status == 204 && w.Body.Len() != 0 {
				t.Errorf("204 with body %q", w.Body.String())
			}
		})
	}
}

func TestFilterForms(t *testing.T) {
	for want, filter := range map[string]*endpoint.DomainFilter{
		`{"include":["a.org"],"exclude":["x.a.org"]}`: endpoint.NewDomainFilterWithExclusions([]string{"a.org"}, []string{"x.a.org"}),
		`{}`: endpoint.NewDomainFilter(nil),
	} {
		p := &fake{filter: func() (*endpoint.DomainFilter, error) { return filter, nil }}
		if w := do(handler(p, extdns.Options{}), request("GET", "/", "")); w.Body.String() != want {
			t.Errorf("got %s, want %s", w.Body.String(), want)
		}
	}
}

func TestPanicIsAFailureLikeOthers(t *testing.T) {
	p := &fake{adjust: func(context.Context, []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) { panic("ouch") }}
	w := do(handler(p, extdns.Options{}), request("POST", "/adjustendpoints", `[]`))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "ouch") {
		t.Errorf("got %d %q", w.Code, w.Body.String())
	}
}

func TestAnswerLeavesInTime(t *testing.T) {
	for _, watches := range []bool{true, false} {
		t.Run(fmt.Sprintf("provider watches the time: %v", watches), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				p := &fake{records: func(ctx context.Context) ([]*endpoint.Endpoint, error) {
					if watches {
						<-ctx.Done()
						return nil, context.Cause(ctx)
					}
					<-release
					return nil, nil
				}}
				start := time.Now()
				w := do(handler(p, extdns.Options{}), request("GET", "/records", ""))
				if took := time.Since(start); w.Code != 503 || took >= 15*time.Second {
					t.Errorf("got %d after %v", w.Code, took)
				}
				if !strings.Contains(w.Body.String(), "13s") {
					t.Errorf("the body %q does not tell the limit", w.Body.String())
				}
				close(release)
				synctest.Wait()
			})
		})
	}
}

func TestBasicAuth(t *testing.T) {
	h := handler(&fake{}, extdns.Options{User: "ed", Password: "secret"})
	for _, c := range []struct {
		user, password string
		status         int
	}{{"ed", "secret", 200}, {"ed", "wrong", 401}, {"other", "secret", 401}, {"", "", 401}} {
		r := request("GET", "/records", "")
		if c.user != "" {
			r.SetBasicAuth(c.user, c.password)
		}
		w := do(h, r)
		if w.Code != c.status || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s:%s: got %d %v, want %d", c.user, c.password, w.Code, w.Header(), c.status)
		}
	}
}

// A slice that was sent before is sent again without encoding it, and a new one is encoded.
func TestRecordsAreEncodedOnce(t *testing.T) {
	eps := []*endpoint.Endpoint{endpoint.NewEndpoint("a.example.org", "A", "192.0.2.1")}
	h := handler(&fake{records: func(context.Context) ([]*endpoint.Endpoint, error) { return eps, nil }}, extdns.Options{})
	first := do(h, request("GET", "/records", "")).Body.String()
	eps[0].DNSName = "not.looked.at"
	if again := do(h, request("GET", "/records", "")).Body.String(); again != first {
		t.Errorf("the same slice was encoded twice: %s", again)
	}
	eps = []*endpoint.Endpoint{endpoint.NewEndpoint("b.example.org", "A", "192.0.2.1")}
	if next := do(h, request("GET", "/records", "")).Body.String(); !strings.Contains(next, "b.example.org") {
		t.Errorf("a new slice was answered with %s", next)
	}
	eps = nil
	if next := do(h, request("GET", "/records", "")).Body.String(); strings.Contains(next, "example") {
		t.Errorf("no records were answered with %s", next)
	}
}

func TestObserve(t *testing.T) {
	var seen []string
	o := extdns.Options{Observe: func(call string, status int, took time.Duration) {
		if took < 0 {
			t.Errorf("took %v", took)
		}
		seen = append(seen, fmt.Sprintf("%s %d", call, status))
	}}
	h := handler(&fake{}, o)
	do(h, request("GET", "/", ""))
	do(h, request("POST", "/records", "{}"))
	do(h, request("POST", "/adjustendpoints", "x"))
	do(h, request("GET", "/x", ""))
	if got := strings.Join(seen, ", "); got != "negotiate 200, apply 204, adjust 400, other 404" {
		t.Errorf("observed %s", got)
	}
}

// A body that ends before its length says so is a connection that broke, not a client that is wrong.
func TestCutBodyMayHeal(t *testing.T) {
	var called atomic.Bool
	p := &fake{adjust: func(_ context.Context, in []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
		called.Store(true)
		return in, nil
	}}
	server := httptest.NewServer(handler(p, extdns.Options{}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /adjustendpoints HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n[{\"dnsName\":\"a\"}]", extdns.MediaType)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || called.Load() {
		t.Errorf("status %d, provider called: %v", answer.StatusCode, called.Load())
	}
}

// A client that is still sending a body far above the limit gets the answer, not a reset connection.
func TestHugeBodyIsAnswered(t *testing.T) {
	server := httptest.NewServer(handler(&fake{}, extdns.Options{MaxBody: 1 << 20}))
	defer server.Close()
	for _, chunked := range []bool{false, true} {
		var body io.Reader = bytes.NewReader(make([]byte, 100<<20))
		if chunked {
			body = io.MultiReader(body)
		}
		answer, err := http.Post(server.URL+"/records", extdns.MediaType, body)
		if err != nil {
			t.Fatalf("chunked %v: %v", chunked, err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "104857600 bytes") {
			t.Errorf("chunked %v: status %d, %q, %v", chunked, answer.StatusCode, text, err)
		}
	}
}

func TestLongErrorsAreShortened(t *testing.T) {
	p := &fake{apply: func(context.Context, *plan.Changes) error { return errors.New(strings.Repeat("é", 100_000)) }}
	w := do(handler(p, extdns.Options{}), request("POST", "/records", "{}"))
	if w.Code != 503 || w.Body.Len() > 2100 {
		t.Errorf("status %d, %d bytes", w.Code, w.Body.Len())
	}
}
