package gandi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
)

func TestListIsTheSameSliceUntilTheZoneChanges(t *testing.T) {
	t.Parallel()
	s, b := example(t, ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	first := list(t, b, zone)
	if second := list(t, b, zone); &first[0] != &second[0] {
		t.Error("nothing changed, and the list is another slice")
	}
	s.Put(zone, ganditest.Record{Name: "www", Type: "A", TTL: 301, Values: []string{"192.0.2.1"}})
	if third := list(t, b, zone); &first[0] == &third[0] || third[0].TTL != 301*time.Second {
		t.Errorf("the list is %v after a change", third)
	}
}

func TestAListingIsKeptForItsLifetime(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	b := opened(t, s, gandi.Config{Cache: time.Hour})
	list(t, b, zone)
	s.Put(zone, ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	if got := list(t, b, zone); len(got) != 0 {
		t.Errorf("%d RRsets, want the listing of before", len(got))
	}
	// What is believed is never written on: the guard looks.
	err := b.Apply(t.Context(), zone, create(rr("www."+zone, "A", 0, "192.0.2.2")))
	requireFailure(t, "a create on an old listing", err, backend.Conflict)
	if got := list(t, b, zone); len(got) != 1 {
		t.Errorf("%d RRsets after an apply, want a new listing", len(got))
	}
}

// Records that come and go while pages are read move others across the boundaries of pages. A reading
// that may have missed one is thrown away.
func TestTornPages(t *testing.T) {
	t.Parallel()
	const all = 20
	fill := func(s *ganditest.Server) {
		for i := range all {
			s.Put(zone, ganditest.Record{Name: fmt.Sprintf("h%02d", i), Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
		}
	}
	meddled := func(t *testing.T, meddle func(s *ganditest.Server, page int)) (*gandi.Backend, *ganditest.Server) {
		t.Helper()
		s := served(t, ganditest.Options{Domains: []string{zone}, PerPage: 5, MaxPerPage: 5})
		fill(s)
		var page atomic.Int64
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") != "" {
				meddle(s, int(page.Add(1)))
			}
			s.ServeHTTP(w, r)
		}))
		t.Cleanup(front.Close)
		return opened(t, s, gandi.Config{Endpoint: front.URL}), s
	}

	b, s := meddled(t, func(s *ganditest.Server, page int) {
		if page == 2 { // h05 moves to the first page, which was read already
			s.Remove(zone, "h00", "A")
		}
		if page == 6 { // h04 comes a second time
			s.Put(zone, ganditest.Record{Name: "aaa", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
			s.Remove(zone, "h19", "A")
		}
	})
	requireAll(t, b, s)

	// Our own writes are known even where no number tells: h05 moves to the page that was read already, and
	// another record takes its place in the count.
	b, s = meddled(t, func(_ *ganditest.Server, page int) {
		if page == all/5+2 { // the second page of the second reading
			h00 := rr("h00."+zone, "A", 5*time.Minute, "192.0.2.1")
			if err := b.Apply(context.Background(), zone, append(remove(h00), create(rr("zzz."+zone, "A", 5*time.Minute, "192.0.2.1"))...)); err != nil {
				t.Error(err)
			}
		}
	})
	requireAll(t, b, s)
	requireAll(t, b, s)

	b, _ = meddled(t, func(s *ganditest.Server, page int) {
		if page%2 == 0 {
			s.Remove(zone, fmt.Sprintf("h%02d", page%20), "A")
		} else {
			fill(s)
		}
	})
	if sets, err := b.List(t.Context(), zone); err == nil || sets != nil {
		t.Errorf("%d RRsets and %v of a zone that never holds still, want an error", len(sets), err)
	} else {
		requireFailure(t, "a zone that never holds still", err, backend.Temporary, "changed while its pages were read")
	}
}

// requireAll requires that every name of the zone is listed, and once.
func requireAll(t *testing.T, b *gandi.Backend, s *ganditest.Server) {
	t.Helper()
	var want []string
	got := list(t, b, zone)
	for _, r := range s.Records(zone) {
		want = append(want, r.Name+"."+zone+" "+r.Type)
	}
	if diff := cmp.Diff(want, names(got)); diff != "" || len(got) != len(want) {
		t.Errorf("%d RRsets listed (-want +got):\n%s", len(got), diff)
	}
}

// A service that stops to say how many records there are is read until a page is empty.
func TestPagesWithoutATotal(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}, PerPage: 5, MaxPerPage: 5})
	for i := range 12 {
		s.Put(zone, ganditest.Record{Name: fmt.Sprintf("h%02d", i), Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, r)
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(front.Close)
	if got := list(t, opened(t, s, gandi.Config{Endpoint: front.URL}), zone); len(got) != 12 {
		t.Errorf("%d RRsets listed, want 12", len(got))
	}
}

// Where something in between drops both the question for a page and the total, every page is the first.
func TestPagesThatNeverEnd(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	s.Put(zone, ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	var requests atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 50 {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		r.URL.RawQuery = ""
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, r)
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(front.Close)
	_, err := opened(t, s, gandi.Config{Endpoint: front.URL}).List(t.Context(), zone)
	requireFailure(t, "list", err, backend.Temporary, "same page")
}
