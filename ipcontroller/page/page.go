// Package page owns what a person sees: the site's addresses, how old they are, what each source says, and a
// picture of the last day. It draws a View; it asks nobody, and has no script and nothing from elsewhere.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed page.html
var source string

//go:embed style.css
var style string

const (
	// Day is how far back the picture goes.
	Day = 24 * time.Hour
	// Refresh is how often a browser asks for the page anew.
	Refresh = 15 * time.Second
)

// View is what is known at a moment, in the words of the page.
type View struct {
	Now       time.Time
	ConfigMap string // namespace/name
	Problem   string // of the ConfigMap; empty: none
	Leading   bool   // this replica leads
	Holder    string // who leads
	Node      string // where it runs
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
	Until     time.Time // from when it is stale, if nobody confirms it; zero: never
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
	At             time.Time // when it said so; zero: not known
	Resting        time.Time // until when it is not asked; zero: it is
	Cells          []Mark    // of the last day, oldest first: the last is the one Now is in, all begin at multiples of their length
}

// Mark says how a source does.
type Mark string

// The marks; the empty one is that nothing is known.
const (
	Good  Mark = "good"  // answers, as the others do
	Other Mark = "other" // says another address
	Bad   Mark = "bad"   // gives no address
)

// Policy is the Content-Security-Policy of the page: its own style by its hash, its own icon, nothing else.
func Policy() string {
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// Render writes the page.
func Render(w io.Writer, v View) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"ago":      func(at time.Time) string { return Ago(v.Now.Sub(at)) },
		"left":     func(at time.Time) string { return Ago(at.Sub(v.Now)) },
		"lasted":   func(s Span) string { return Ago(s.To.Sub(s.From)) },
		"clock":    func(at time.Time) string { return clock(v.Now, at) },
		"until":    func(s Span) string { return until(v.Now, s.From, s.To) },
		"machine":  func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"share":    func(f Family) float64 { return f.left(v.Now) },
		"draw":     func(f Family) picture { return draw(f, v.Now) },
		"latest":   latest,
		"groups":   groups,
		"ms":       milliseconds,
		"sentence": sentence,
		"mood":     Mood,
		"meaning":  Family.meaning,
		"word":     Source.word,
		"css":      func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own
		"refresh":  func() int { return int(Refresh.Seconds()) },
	}).Parse(source)
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}

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

// Mood is the colour of the whole: that of the worst family.
func (v View) Mood() Mark {
	worst := Good
	for _, f := range v.Families {
		switch Mood(f) {
		case Bad:
			return Bad
		case Other:
			worst = Other
		}
	}
	if len(v.Families) == 0 {
		return Bad
	}
	return worst
}

// meaning says what a status is good for.
func (f Family) meaning() string {
	switch {
	case !f.Believed:
		return "Names keep what they have; nothing new is published."
	case f.Status == "Verified":
		return "Enough independent operators see this address."
	case f.Status == "Static":
		return "Somebody wrote it down; nobody is asked."
	case f.Status == "Ambiguous":
		return "Two addresses have votes. The one before stays."
	case f.Status == "Holding":
		return "No quorum at the moment. The last one agreed on stays."
	}
	return ""
}

// left is how much is left of the time the address is believed, in percent.
func (f Family) left(now time.Time) float64 {
	if f.Until.IsZero() || !f.Until.After(f.Confirmed) {
		return 0
	}
	return percent(float64(f.Until.Sub(now)) / float64(f.Until.Sub(f.Confirmed)))
}

// word is a source's state in a word or two, for those who cannot tell by colour.
func (s Source) word() string {
	switch {
	case !s.Resting.IsZero():
		return "left alone"
	case s.Mark == Good:
		return "agrees"
	case s.Mark == Other:
		return "differs"
	case s.Mark == Bad:
		return "no address"
	}
	return "not asked"
}

// groups cuts an IPv6 address where a line may be broken.
func groups(addr string) []string { return strings.SplitAfter(addr, ":") }

// sentence begins with a capital: what programs tell begins without one.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:]
}

func milliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return "< 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// clock is a moment in UTC, with seconds while they matter.
func clock(now, at time.Time) string {
	if sameDay(now, at) && now.Sub(at) < time.Hour {
		return at.UTC().Format("15:04:05")
	}
	return minute(now, at)
}

// minute is a moment in UTC, with the date if it is not today's.
func minute(now, at time.Time) string {
	switch {
	case sameDay(now, at):
		return at.UTC().Format("15:04")
	case now.UTC().Year() == at.UTC().Year():
		return at.UTC().Format("2 Jan 15:04")
	}
	return at.UTC().Format("2 Jan 2006")
}

// until is the end of a time; the date is left out when it is that of the beginning.
func until(now, from, to time.Time) string {
	if sameDay(from, to) {
		now = to
	}
	return minute(now, to)
}

func sameDay(a, b time.Time) bool { return a.UTC().Truncate(Day).Equal(b.UTC().Truncate(Day)) }

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
