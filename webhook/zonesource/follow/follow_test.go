package follow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/listwatch"
	"github.com/spokedns/spokedns/webhook/zonesource"
	"github.com/spokedns/spokedns/webhook/zonesource/follow"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// server is an API server with DNSZones, as a transport.
type server struct {
	mu     sync.Mutex
	code   int // of every answer; 0: 200
	down   bool
	zones  []v1alpha1.DNSZone
	events chan string   // lines of the watch
	cut    chan struct{} // closed: the watch ends
}

func newServer(zones ...v1alpha1.DNSZone) *server {
	return &server{zones: zones, events: make(chan string), cut: make(chan struct{})}
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(code int, body io.ReadCloser) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
	}
	switch {
	case s.down:
		return nil, fmt.Errorf("connection refused")
	case s.code != 0:
		return answer(s.code, io.NopCloser(strings.NewReader(fmt.Sprintf(`{"message":"status %d","code":%d}`, s.code, s.code))))
	case r.URL.Path != "/apis/dns.spokedns.io/v1alpha1/dnszones":
		return answer(http.StatusNotFound, io.NopCloser(strings.NewReader("")))
	case r.URL.Query().Get("watch") == "":
		list, err := json.Marshal(v1alpha1.DNSZoneList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: s.zones})
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(list)))}, err
	}
	body, stream := io.Pipe()
	cut := s.cut
	go func() {
		for {
			select {
			case line := <-s.events:
				_, _ = io.WriteString(stream, line)
			case <-cut:
				_ = stream.CloseWithError(io.ErrUnexpectedEOF)
				return
			case <-r.Context().Done():
				_ = stream.CloseWithError(r.Context().Err())
				return
			}
		}
	}()
	return answer(http.StatusOK, body)
}

func (s *server) set(code int, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.down = code, down
}

// lose ends the watch, and later ones can be opened again.
func (s *server) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

func (s *server) tell(t *testing.T, kind string, z v1alpha1.DNSZone) {
	t.Helper()
	z.ResourceVersion = "8"
	line, err := json.Marshal(map[string]any{"type": kind, "object": z})
	if err != nil {
		t.Fatal(err)
	}
	s.events <- string(line)
	synctest.Wait()
}

func zone(name string) v1alpha1.DNSZone {
	return v1alpha1.DNSZone{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "dns", Labels: map[string]string{"team": "shop"}, CreationTimestamp: metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Spec:       v1alpha1.DNSZoneSpec{ZoneName: name + ".test"},
	}
}

// follows runs a Source on the server, inside a bubble.
func follows(t *testing.T, s *server) *follow.Source {
	t.Helper()
	source, err := follow.New(&rest.Config{Host: "http://server", Transport: s}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { source.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return source
}

// TestObjects holds what is kept against the types of the objects' own program.
func TestObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := zone("one")
		s := newServer(one)
		source := follows(t, s)
		if _, err := source.Objects(); err == nil || !strings.Contains(err.Error(), "not been read yet") {
			t.Errorf("before anything was read: %v", err)
		}
		want := zonesource.Object{
			Namespace: "dns", Name: "one", Labels: map[string]string{"team": "shop"},
			Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Zone: "one.test",
		}
		is := func(label string, want ...zonesource.Object) {
			t.Helper()
			synctest.Wait()
			got, err := source.Objects()
			if err != nil {
				t.Errorf("%s: %v", label, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", label, diff)
			}
		}
		is("listed", want)

		one.Status.Conditions = []metav1.Condition{{Type: "Accepted", Status: "True"}, {Type: "Ready", Status: "False", Message: "1 of 2 servers serve it"}}
		s.tell(t, "MODIFIED", one)
		want.Message = "1 of 2 servers serve it"
		is("not ready", want)

		one.Status.Conditions[1] = metav1.Condition{Type: "Ready", Status: "True", Message: "2 of 2"}
		s.tell(t, "MODIFIED", one)
		want.Ready, want.Message = true, "2 of 2"
		is("ready", want)

		one.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		s.tell(t, "MODIFIED", one)
		want.Leaving = true
		is("being deleted", want)

		s.tell(t, "DELETED", one)
		is("gone")
	})
}

func TestWhyNothingIsKnown(t *testing.T) {
	for label, row := range map[string]struct {
		code int
		down bool
		want string
	}{
		"no definition": {http.StatusNotFound, false, "the API server knows no DNSZones; install the definitions"},
		"no right":      {http.StatusForbidden, false, "status 403 (needed: get, list and watch of dnszones.dns.spokedns.io)"},
		"no login":      {http.StatusUnauthorized, false, "status 401 (needed"},
		"broken":        {http.StatusInternalServerError, false, "cannot be read: status 500"},
		"no answer":     {0, true, "connection refused"},
	} {
		t.Run(label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(zone("one"))
				s.set(row.code, row.down)
				source := follows(t, s)
				unknown := func(when string) {
					t.Helper()
					if _, err := source.Objects(); err == nil || !strings.Contains(err.Error(), row.want) {
						t.Errorf("%s: %v, want %q", when, err, row.want)
					}
				}
				known := func(when string) {
					t.Helper()
					if got, err := source.Objects(); err != nil || len(got) != 1 {
						t.Errorf("%s: %v: %v", when, got, err)
					}
				}
				time.Sleep(time.Second)
				unknown("at first")
				s.set(0, false)
				time.Sleep(2 * listwatch.LastRetry)
				known("healed")
				s.set(row.code, row.down)
				s.lose()
				if row.down || row.code >= 500 {
					time.Sleep(listwatch.Patience / 2)
					known("a while after it was lost")
				}
				time.Sleep(listwatch.Patience + 2*listwatch.LastRetry)
				unknown("lost")
				s.set(0, false)
				time.Sleep(2 * listwatch.LastRetry)
				known("healed again")
			})
		})
	}
}
