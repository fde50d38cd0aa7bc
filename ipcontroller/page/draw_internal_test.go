package page

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", clock)
	if err != nil {
		panic(err)
	}
	return t
}

func TestDraw(t *testing.T) {
	now := at("2026-11-21 12:07")
	cells := make([]Mark, 96) // of which the first begins at 12:15 the day before, the last at 12:00
	for i := 1; i < 96; i++ {
		cells[i] = Good
	}
	cells[50], cells[95] = Bad, Other
	got := draw(Family{
		Spans: []Span{
			{Addr: "5.9.10.11", From: at("2026-11-01 00:00"), To: at("2026-11-21 00:07")},
			{Addr: "5.9.10.12", From: at("2026-11-21 00:07"), To: at("2026-11-21 12:06")},
			{Addr: "5.9.10.11", From: at("2026-11-21 12:06"), To: now},
		},
		Sources: []Source{{Name: "a", Cells: cells}},
	}, now)
	want := picture{
		Height: 82, Foot: 76,
		Ticks: []tick{{X: 74.51, Label: "06:00"}, {X: 49.51, Label: "00:00"}, {X: 24.51, Label: "18:00"}},
		Bands: []band{
			{X: 0, W: 50, Tint: 0, Label: "5.9.10.11", Title: "5.9.10.11 from 1 Nov 00:00 to 00:07 UTC"},
			{X: 50, W: 49.93, Tint: 1, Label: "5.9.10.12", Title: "5.9.10.12 from 00:07 to 12:06 UTC"},
			{X: 99.3, W: 0.7, Tint: 0, Title: "5.9.10.11 since 12:06:00 UTC"},
		},
		Moves: []float64{50, 99.3},
		Rows: []row{{Y: 47, Bars: []bar{
			{X: 1.6, W: 51.04, Y: 44, H: 8, Mark: Good, Title: "agrees, 20 Nov 12:30 to 00:45 UTC"},
			{X: 52.64, W: 1.04, Y: 38, H: 20, Mark: Bad, Title: "no address, 00:45 to 01:00 UTC"},
			{X: 53.68, W: 45.83, Y: 44, H: 8, Mark: Good, Title: "agrees, 01:00 to 12:00 UTC"},
			{X: 99.51, W: 0.49, Y: 41, H: 14, Mark: Other, Title: "differs, 12:00 to 12:07 UTC"},
		}}},
	}
	told := got.Told
	got.Told = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, words := range []string{"5.9.10.12 from 00:07 to 12:06 UTC", "a: agreed 97 % of the time, differed 1 %, no address 1 %"} {
		if !strings.Contains(told, words) {
			t.Errorf("%q does not say %q", told, words)
		}
	}
}

// Whatever happened, nothing is drawn outside of the picture, and what happened later is to the right.
func TestThePictureStaysInItsFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1.7e9, 1.8e9).Draw(t, "now"), 0)
		moment := now.Add(-time.Duration(rapid.Int64Range(0, int64(3*Day)).Draw(t, "first")))
		var f Family
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			to := moment.Add(time.Duration(rapid.Int64Range(0, int64(now.Sub(moment))).Draw(t, "lasts")))
			f.Spans = append(f.Spans, Span{Addr: rapid.SampledFrom([]string{"5.9.10.11", "2a01::1", ""}).Draw(t, "addr"), From: moment, To: to})
			moment = to
		}
		marks := rapid.SliceOfN(rapid.SampledFrom([]Mark{"", Good, Other, Bad}), 0, 100)
		for range rapid.IntRange(0, 4).Draw(t, "sources") {
			f.Sources = append(f.Sources, Source{Cells: marks.Draw(t, "cells")})
		}
		p := draw(f, now)
		inside := func(x, w float64) bool { return x >= 0 && w > 0 && x+w <= 100.71 }
		for i, b := range p.Bands {
			if !inside(b.X, b.W) || i > 0 && b.X < p.Bands[i-1].X {
				t.Fatalf("band %d: %+v", i, p.Bands)
			}
		}
		for _, r := range p.Rows {
			for i, b := range r.Bars {
				if !inside(b.X, b.W) || b.Y < 0 || b.Y+b.H > p.Height || i > 0 && b.X < r.Bars[i-1].X {
					t.Fatalf("bar %d: %+v", i, r.Bars)
				}
			}
		}
		for _, x := range p.Ticks {
			if x.X < 0 || x.X > 100 {
				t.Fatalf("tick %+v", x)
			}
		}
		if len(p.Bands) != len(f.Spans) || len(p.Rows) != len(f.Sources) {
			t.Fatalf("%d of %d addresses, %d of %d sources", len(p.Bands), len(f.Spans), len(p.Rows), len(f.Sources))
		}
	})
}

func TestOnlyTheLatestChangesAreListed(t *testing.T) {
	var f Family
	now := at("2026-11-21 12:00")
	for i := range 9 {
		from := now.Add(time.Duration(i-9) * time.Hour)
		f.Spans = append(f.Spans, Span{Addr: string(rune('a' + i)), From: from, To: from.Add(time.Hour)})
	}
	got := latest(f, draw(f, now))
	if len(got.Shown) != listed || got.Earlier != 4 || got.Shown[0].Addr != "i" || !got.Shown[0].Current || got.Shown[1].Current {
		t.Errorf("%+v", got)
	}
	f.Spans = f.Spans[:1]
	if got := latest(f, draw(f, now)); len(got.Shown) != 0 {
		t.Errorf("one address all day: %+v", got)
	}
}
