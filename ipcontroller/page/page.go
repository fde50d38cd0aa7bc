// Package page owns what a person sees: the site's addresses, how old they are, what each source says, and a
// picture of the last day. It draws a View; it asks nobody, and has no script and nothing from elsewhere.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"
)

//go:embed page.html
var source string

// Day is how far back the picture goes.
const Day = 24 * time.Hour

// View is what is known at a moment, in the words of the page.
type View struct {
	Now       time.Time
	ConfigMap string // namespace/name
	Problem   string // of the ConfigMap; empty: none
	Leading   bool   // this replica leads
	Holder    string // who leads
	Node      string
	Epoch     int64
	Notes     []string // what people should know of the site's way out
	Families  []Family
	Version   string
}

// Family is one of them.
type Family struct {
	Name      string // IPv4
	Addr      string // empty: not known
	Believed  bool   // it may be published
	Status    string // Verified, …
	Why       string // it is not believed, or where it comes from instead
	Confirmed time.Time
	Changed   time.Time
	Agree     int // operators
	Asked     int
	Spans     []Span // of the last day, oldest first
	Sources   []Source
}

// Span is an address and the time it was published.
type Span struct {
	Addr     string
	From, To time.Time
}

// Source is what a source says now, and how it did.
type Source struct {
	Name, Operator string
	Says           string // its address, or what is wrong
	Mark           Mark
	RTT            time.Duration
	Cells          []Mark // of the last day, oldest first
}

// Mark says how a source does.
type Mark string

// The marks; the empty one is that nothing is known.
const (
	Good  Mark = "good"  // answers, as the others do
	Other Mark = "other" // says another address
	Bad   Mark = "bad"   // gives no address
)

// Render writes the page.
func Render(w io.Writer, v View) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"ago":   func(at time.Time) string { return Ago(v.Now.Sub(at)) },
		"clock": func(at time.Time) string { return at.UTC().Format("2 Jan 15:04") },
		"at":    func(at time.Time) float64 { return min(place(v.Now, at), Width-least) },
		"width": func(s Span) float64 { return max(round(place(v.Now, s.To)-place(v.Now, s.From)), least) },
		"cell":  func(i, n int) float64 { return round(float64(i) * Width / float64(n)) },
		"wide":  func(n int) float64 { return round(Width/float64(n) - 1) },
		"tint":  func(i int) int { return i % 4 },
		"ms":    func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds()) },
		"mood":  Mood,
	}).Parse(source)
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}

// Width is that of the picture, in its own units; least is that of what has just begun.
const (
	Width = 960
	least = 6
)

// place is where a moment is in the picture.
func place(now, at time.Time) float64 {
	return round(Width * (1 - min(max(float64(now.Sub(at))/float64(Day), 0), 1)))
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// Mood is the colour of a family: good, other when it holds an address, bad when it has none.
func Mood(f Family) Mark {
	switch {
	case !f.Believed:
		return Bad
	case f.Status == "Verified" || f.Status == "Static":
		return Good
	}
	return Other
}

// Ago is a duration as people say it.
func Ago(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
