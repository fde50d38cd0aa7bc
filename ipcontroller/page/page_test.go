package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/ipcontroller/page"
	"github.com/spokedns/spokedns/ipcontroller/page/pagetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// moment is when the golden files were drawn.
func moment() time.Time { return time.Date(2026, 11, 21, 3, 0, 39, 0, time.UTC) }

func render(t *testing.T, v page.View) string {
	t.Helper()
	var b strings.Builder
	if err := page.Render(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePage(t *testing.T) {
	for name, v := range pagetest.Samples(moment()) {
		got := regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAllString(render(t, v), "<style></style>")
		golden := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s has changed (-want +got):\n%s", name, diff)
		}
	}
}

// The policy allows the style that is in the page, to the byte, and no attribute brings another.
func TestThePolicyAllowsTheStyleAlone(t *testing.T) {
	for name, v := range pagetest.Samples(moment()) {
		got := render(t, v)
		_, rest, _ := strings.Cut(got, "<style>")
		style, _, found := strings.Cut(rest, "</style>")
		hash := sha256.Sum256([]byte(style))
		if !found || !strings.Contains(page.Policy(), "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") {
			t.Errorf("%s: the policy %s is not that of the style", name, page.Policy())
		}
		if strings.Contains(page.Policy(), "unsafe") || strings.Contains(got, "style=") || strings.Count(got, "<style") != 1 {
			t.Errorf("%s: there is style the policy does not know", name)
		}
	}
}

// A state is said in words too: not everybody sees colours, and nobody sees them in a terminal.
func TestStatesAreWords(t *testing.T) {
	samples := pagetest.Samples(moment())
	for name, words := range map[string][]string{
		"site":      {">Verified</span>", ">agrees</span>", ">differs</span>", ">left alone 12 min</span>", "3 of 5", "21 s", "03:00:18 UTC", "4 h 11 min", "(RFC 6598)", "this is its page"},
		"holding":   {">Holding</span>", "No quorum at the moment", "<title>Held · 5.9.10.12</title>", ">no address</span>", "believed for <b>3 min</b>"},
		"ambiguous": {">Ambiguous</span>", "Two addresses have votes", "another replica"},
		"stale":     {">Unknown</span>", "is stale", "<title>Unknown · ", "cannot be followed"},
		"first":     {">Unknown</span>", "not known", "nobody leads", "There is no ConfigMap dns/spokedns-wan-ip"},
	} {
		got := render(t, samples[name])
		for _, want := range words {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
	}
}

func TestNothingComesFromElsewhere(t *testing.T) {
	for name, v := range pagetest.Samples(moment()) {
		got := strings.ReplaceAll(render(t, v), "xmlns='http://www.w3.org/2000/svg'", "") // a name, not a place
		for _, not := range []string{"http:", "https:", "<script", "url(", "@import", "<img", "src=", "ZgotmplZ"} {
			if strings.Contains(got, not) {
				t.Errorf("%s has %q", name, not)
			}
		}
		if strings.Count(got, "<link") != 1 || !strings.Contains(got, `<link rel="icon" href="data:image/svg+xml,`) {
			t.Errorf("%s has a link that is not its icon", name)
		}
	}
}

// What operators outside answer is shown, never run.
func TestWhatSourcesSayIsOnlyText(t *testing.T) {
	const evil = `"><script>alert(1)</script><svg onload=x>`
	v := pagetest.Site(moment())
	v.Problem, v.Holder, v.Node, v.ConfigMap, v.Version = evil, evil, evil, evil, evil
	v.Notes = []string{evil}
	f := &v.Families[0]
	f.Addr, f.Status, f.Why = evil, evil, evil
	f.Spans[0].Addr = evil
	f.Sources[0].Name, f.Sources[0].Operator, f.Sources[0].Says = evil, evil, evil
	got := render(t, v)
	if strings.Contains(got, "<script") || strings.Contains(got, "<svg onload") {
		t.Error("what was said became markup")
	}
	if n := strings.Count(got, "alert(1)"); n < 10 {
		t.Errorf("shown %d times", n)
	}
}

// WCAG 2 asks for 4.5:1 between text and what is behind it, and 3:1 for what carries meaning in a picture.
func TestColoursCanBeRead(t *testing.T) {
	sheet, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(sheet), "@media (prefers-color-scheme:dark)")
	if !found {
		t.Fatal("no dark colours")
	}
	dark, _, _ = strings.Cut(dark, "}}")
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+):#([0-9a-f]{3,6})`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		contrast := func(a, b string, want float64) {
			t.Helper()
			x, okX := colours[a]
			y, okY := colours[b]
			if got := (max(x, y) + .05) / (min(x, y) + .05); !okX || !okY || got < want {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, a, b, got, want)
			}
		}
		for _, text := range []string{"ink", "soft", "good", "other", "bad"} {
			contrast(text, "card", 4.5)
			contrast(text, "bg", 4.5)
		}
		for _, band := range []string{"t0", "t1", "t2", "t3"} {
			contrast("on", band, 4.5)
			contrast(band, "card", 3)
		}
		for _, bar := range []string{"fgood", "fother", "fbad"} {
			contrast(bar, "card", 2) // their height and the words beside them carry the meaning
		}
	}
}

// luminance of a colour, as WCAG 2 defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	rgb, err := strconv.ParseUint(hex, 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
