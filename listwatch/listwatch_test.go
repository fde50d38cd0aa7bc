package listwatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/listwatch"
)

const path = "/apis/g/v1/things"

type thing struct {
	Metadata struct{ Name string }
}

// answers serves what the function says for every request, as JSON unless it sets another type.
func answers(t *testing.T, answer func(w http.ResponseWriter, query url.Values)) *listwatch.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		answer(w, r.URL.Query())
	}))
	t.Cleanup(server.Close)
	c, err := listwatch.New(&rest.Config{Host: server.URL, Timeout: time.Nanosecond}) // which is for other clients
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(into *[]string) func(listwatch.Decode) error {
	return func(read listwatch.Decode) error {
		var one thing
		err := read(&one)
		*into = append(*into, one.Metadata.Name)
		return err
	}
}

func TestListReadsPageByPage(t *testing.T) {
	c := answers(t, func(w http.ResponseWriter, query url.Values) {
		if query.Get("fieldSelector") != "a=b" || query.Get("limit") == "" {
			t.Errorf("asked with %v", query)
		}
		if query.Get("continue") == "" {
			fmt.Fprint(w, `{"kind":"List","metadata":{"resourceVersion":"7","continue":"more"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}`)
		} else {
			fmt.Fprint(w, `{"items":[{"metadata":{"name":"c"}}],"metadata":{"resourceVersion":"8"}}`)
		}
	})
	var got []string
	version, err := c.List(t.Context(), path, url.Values{"fieldSelector": {"a=b"}}, names(&got))
	if err != nil || version != "8" || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("read %v to version %q: %v", got, version, err)
	}
}

func TestListIsWholeOrAnError(t *testing.T) {
	for label, row := range map[string]struct {
		status           int
		kind, body, want string
	}{
		"cut":            {200, "application/json", `{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}},`, "EOF"},
		"no version":     {200, "application/json", `{"items":[]}`, "no resource version"},
		"no list":        {200, "application/json", `{"items":{}}`, "where a list of objects should begin"},
		"a portal":       {200, "text/html", `<html>log in</html>`, "answered with text/html: this is no API server"},
		"a refusal":      {403, "application/json", `{"kind":"Status","message":"things is forbidden","code":403}`, "things is forbidden"},
		"a bare refusal": {502, "text/plain", strings.Repeat("x", 1000), strings.Repeat("x", 200)},
		"an empty one":   {404, "text/plain", ``, "Not Found"},
	} {
		t.Run(label, func(t *testing.T) {
			c := answers(t, func(w http.ResponseWriter, _ url.Values) {
				w.Header().Set("Content-Type", row.kind)
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			})
			var got []string
			version, err := c.List(t.Context(), path, nil, names(&got))
			if err == nil || version != "" || !strings.Contains(err.Error(), row.want) || len(err.Error()) > 300 {
				t.Errorf("version %q and error %v, want one with %q", version, err, row.want)
			}
			if refused := listwatch.Refused(err, 400, row.status); refused != (row.status != 200) {
				t.Errorf("refused with %d: %t", row.status, refused)
			}
		})
	}
}

func TestWatchHandsOverChanges(t *testing.T) {
	for label, row := range map[string]struct {
		stream, version, want string
		events                []string
	}{
		"changes": {`{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"8"}}}
			{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12"}}}
			{"type":"DELETED","object":{"metadata":{"name":"b","resourceVersion":"13"}}}`, "13", "", []string{"ADDED a", "DELETED b"}},
		"too old":   {`{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}`, "7", "too old resource version", nil},
		"cut":       {`{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"8"}}}{"type":`, "8", "read the stream of changes", []string{"ADDED a"}},
		"no object": {`{}`, "7", "read a change", nil},
	} {
		t.Run(label, func(t *testing.T) {
			c := answers(t, func(w http.ResponseWriter, query url.Values) {
				if query.Get("watch") != "1" || query.Get("resourceVersion") != "7" {
					t.Errorf("asked with %v", query)
				}
				fmt.Fprint(w, row.stream)
			})
			var events []string
			opened := 0
			version, err := c.Watch(t.Context(), path, nil, "7", func() { opened++ }, func(kind string, read listwatch.Decode) {
				var one thing
				if err := read(&one); err != nil {
					t.Error(err)
				}
				events = append(events, kind+" "+one.Metadata.Name)
			})
			if opened != 1 || version != row.version || (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("opened %d times, version %q, error %v, want %q and %q", opened, version, err, row.version, row.want)
			}
			if diff := cmp.Diff(row.events, events); diff != "" {
				t.Error(diff)
			}
			if listwatch.Refused(err, http.StatusGone) != (label == "too old") {
				t.Errorf("too old: %v", err)
			}
		})
	}
}

func TestGet(t *testing.T) {
	c := answers(t, func(w http.ResponseWriter, _ url.Values) {
		_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]string{"name": "a"}})
	})
	var one thing
	if err := c.Get(t.Context(), path, &one); err != nil || one.Metadata.Name != "a" {
		t.Errorf("got %+v: %v", one, err)
	}
}

// step is one answer of an API server.
type step func(ctx context.Context, opened func()) (string, error)

// script is an API server by what its answers are, in turn; the last is repeated.
type script struct {
	steps []step
	calls []string
	brief []bool
}

func (s *script) next(ctx context.Context, call string, opened func()) (string, error) {
	s.calls = append(s.calls, call)
	return s.steps[min(len(s.calls), len(s.steps))-1](ctx, opened)
}

func (s *script) following() listwatch.Following {
	return listwatch.Following{
		List: func(ctx context.Context) (string, error) { return s.next(ctx, "list", func() {}) },
		Watch: func(ctx context.Context, version string, opened func()) (string, error) {
			return s.next(ctx, "watch "+version, opened)
		},
		Failed: func(_ error, brief bool) { s.brief = append(s.brief, brief) },
	}
}

func TestFollow(t *testing.T) {
	listed := func(context.Context, func()) (string, error) { return "7", nil }
	fails := func(err error) step {
		return func(context.Context, func()) (string, error) { return "", err }
	}
	watched := func(d time.Duration, version string, err error) step {
		return func(ctx context.Context, opened func()) (string, error) {
			opened()
			listwatch.Wait(ctx, d)
			return version, err
		}
	}
	forever := watched(24*time.Hour, "", nil)
	cut := errors.New("connection reset")
	for label, row := range map[string]struct {
		steps []step
		calls []string
		brief []bool
	}{
		"goes on from where it was":  {[]step{listed, watched(time.Minute, "9", nil), watched(time.Minute, "12", cut), forever}, []string{"list", "watch 7", "watch 9", "watch 12"}, []bool{true}},
		"lists anew what is too old": {[]step{listed, fails(&listwatch.Refusal{Code: 410}), listed, forever}, []string{"list", "watch 7", "list", "watch 7"}, nil},
		"lists anew after a refusal": {[]step{listed, watched(time.Minute, "9", &listwatch.Refusal{Code: 403}), listed, forever}, []string{"list", "watch 7", "list", "watch 7"}, []bool{true}},
		"was never heard of":         {[]step{fails(cut), fails(cut), listed, forever}, []string{"list", "list", "list", "watch 7"}, []bool{false, false}},
		"a watch that ends at once":  {[]step{listed, watched(0, "7", nil), forever}, []string{"list", "watch 7", "watch 7"}, nil},
		"is lost for longer than brief": {[]step{listed, watched(time.Minute, "9", cut), watched(0, "9", nil), func(ctx context.Context, _ func()) (string, error) {
			listwatch.Wait(ctx, listwatch.Patience)
			return "9", cut
		}, forever}, []string{"list", "watch 7", "watch 9", "watch 9", "watch 9"}, []bool{true, false}},
	} {
		t.Run(label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				s := &script{steps: row.steps}
				listwatch.Follow(ctx, s.following())
				if diff := cmp.Diff(row.calls, s.calls); diff != "" {
					t.Errorf("calls: %s", diff)
				}
				if diff := cmp.Diff(row.brief, s.brief); diff != "" {
					t.Errorf("failures: %s", diff)
				}
			})
		})
	}
}

// An API server that is gone is asked ever more rarely, and one that ends every watch is not asked in a loop.
func TestFollowIsPatient(t *testing.T) {
	for label, answer := range map[string]step{
		"gone": func(context.Context, func()) (string, error) { return "", errors.New("refused") },
		"restless": func(_ context.Context, opened func()) (string, error) {
			opened()
			return "7", nil
		},
	} {
		t.Run(label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				s := &script{steps: []step{answer}}
				listwatch.Follow(ctx, s.following())
				if n := len(s.calls); n < 30 || n > 100 {
					t.Errorf("%d calls in ten minutes", n)
				}
			})
		})
	}
}
