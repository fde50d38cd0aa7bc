package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// picture is the last day of a family, laid out: across in percent, because the width is the browser's, down
// in pixels.
type picture struct {
	Height, Foot int // all of it, and where the hours are written
	Ticks        []tick
	Bands        []band
	Rows         []row
	Moves        []float64 // where the address changed
	Told         string    // the same in words
}

type tick struct {
	X     float64
	Label string
	Wide  bool // there is room for the label on wide screens only
}

// band is an address while it was published.
type band struct {
	X, W  float64
	Tint  int
	Label string // empty: there is no room
	Wide  bool   // the room is there on wide screens only
	Title string
}

// row is a source; Y is where its line is.
type row struct {
	Y    int
	Bars []bar
}

// bar is a time in which a source did the same. What is worse is taller, for those who do not see colours.
type bar struct {
	X, W  float64
	Y, H  int
	Mark  Mark
	Title string
}

const (
	bandHeight = 36 // of the addresses, on top
	rowHeight  = 24
	footHeight = 22
	ticks      = 6 * time.Hour
	least      = 0.7 // percent: of what has only just begun

	character = 7.4 // pixels of one in a label
	narrow    = 230 // pixels of the picture on a telephone
	wide      = 880
)

// draw lays out the last day.
func draw(f Family, now time.Time) picture {
	p := picture{Foot: bandHeight + rowHeight*len(f.Sources) + 16, Height: bandHeight + rowHeight*len(f.Sources) + footHeight}
	for at := now.UTC().Truncate(ticks); now.Sub(at) < Day; at = at.Add(-ticks) {
		if x := place(now, at); x > 2 && x < 94 { // else it would run out of the picture, or into "now"
			p.Ticks = append(p.Ticks, tick{X: x, Label: at.Format("15:04"), Wide: x < 8 || x > 78})
		}
	}
	tints := map[string]int{}
	var told []string
	for i, s := range f.Spans {
		if _, seen := tints[s.Addr]; !seen {
			tints[s.Addr] = len(tints) % 4
		}
		b := band{X: min(place(now, s.From), 100-least), Tint: tints[s.Addr]}
		b.W = max(round(place(now, s.To)-b.X), least)
		b.Title = fmt.Sprintf("%s from %s to %s UTC", s.Addr, clock(now, s.From), until(now, s.From, s.To))
		if i == len(f.Spans)-1 {
			b.Title = fmt.Sprintf("%s since %s UTC", s.Addr, clock(now, s.From))
		}
		told = append(told, b.Title)
		pixels := character*float64(len(s.Addr)) + 16
		if b.W*wide >= 100*pixels {
			b.Label, b.Wide = s.Addr, b.W*narrow < 100*pixels
		}
		p.Bands = append(p.Bands, b)
		if i > 0 && b.X > 0 {
			p.Moves = append(p.Moves, b.X)
		}
	}
	if len(f.Spans) == 0 {
		told = append(told, "No address yet")
	}
	for i, s := range f.Sources {
		top := bandHeight + rowHeight*i
		r := row{Y: top + rowHeight/2 - 1, Bars: bars(s.Cells, top, now)}
		p.Rows = append(p.Rows, r)
		told = append(told, s.Name+": "+day(s.Cells))
	}
	p.Told = strings.Join(told, ". ") + "."
	return p
}

// bars joins cells that are alike.
func bars(cells []Mark, top int, now time.Time) (out []bar) {
	if len(cells) == 0 {
		return nil
	}
	length := Day / time.Duration(len(cells))
	first := now.Truncate(length).Add(-length * time.Duration(len(cells)-1))
	heights := map[Mark]int{Good: 8, Other: 14, Bad: 20}
	for i := 0; i < len(cells); {
		n := i
		for n < len(cells) && cells[n] == cells[i] {
			n++
		}
		if mark := cells[i]; mark != "" {
			from, to := first.Add(length*time.Duration(i)), first.Add(length*time.Duration(n))
			x, h := place(now, from), heights[mark]
			out = append(out, bar{
				X: x, W: max(round(place(now, to)-x), 0.3), Y: top + (rowHeight-h)/2, H: h, Mark: mark,
				Title: fmt.Sprintf("%s, %s to %s UTC", Source{Mark: mark}.word(), minute(now, from), until(now, from, earlier(to, now))),
			})
		}
		i = n
	}
	return out
}

// day is how a source did, in words.
func day(cells []Mark) string {
	count := map[Mark]int{}
	for _, m := range cells {
		count[m]++
	}
	known := len(cells) - count[""]
	if known == 0 {
		return "nothing known"
	}
	return fmt.Sprintf("agreed %d %% of the time, differed %d %%, no address %d %%",
		100*count[Good]/known, 100*count[Other]/known, 100*count[Bad]/known)
}

// change is a Span as it is listed, with its colour in the picture.
type change struct {
	Span
	Tint    int
	Current bool
}

// changes are the latest of the last day, and how many there were before.
type changes struct {
	Shown   []change
	Earlier int
}

// listed is how many changes are listed.
const listed = 5

// latest lists the changes of the last day, the latest first; one address all day is none.
func latest(f Family, p picture) (out changes) {
	if len(f.Spans) < 2 {
		return out
	}
	for i, s := range slices.Backward(f.Spans) {
		if len(out.Shown) == listed {
			out.Earlier = i + 1
			break
		}
		out.Shown = append(out.Shown, change{Span: s, Tint: p.Bands[i].Tint, Current: i == len(f.Spans)-1})
	}
	return out
}

// place is where a moment is in the picture, in percent.
func place(now, at time.Time) float64 { return percent(1 - float64(now.Sub(at))/float64(Day)) }

// percent of a share, which is made one.
func percent(share float64) float64 { return round(100 * min(max(share, 0), 1)) }

func round(x float64) float64 { return math.Round(x*100) / 100 }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
