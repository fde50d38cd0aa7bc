// Package page_test proves the ipcontroller's page in a real Chromium: what it shows, at which widths, and that
// it needs nothing from elsewhere. It also draws the picture of it that the documentation shows.
package page_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/spokedns/spokedns/e2e/stack"
)

// browser is a running Chromium.
type browser struct{ ctx context.Context } //nolint:containedctx // that is how chromedp names a browser

// startBrowser starts one that ends with the test and reaches loopback only.
func startBrowser(t *testing.T) browser {
	t.Helper()
	program, err := stack.System("chromium", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // root has none, containers often neither; it only sees our own page
		chromedp.DisableGPU,
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	ctx, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return browser{ctx}
}

// screen is what somebody looks at the page with.
type screen struct {
	width int64
	dark  bool
}

func (s screen) String() string { return fmt.Sprintf("%d px, dark %t", s.width, s.dark) }

// screens are those the page is made for.
func screens() []screen {
	return []screen{{1200, false}, {1200, true}, {400, false}, {400, true}, {760, false}, {320, false}}
}

// tab is the page on a screen, and everything the browser minded or asked for.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // that is how chromedp names a tab

	mu      sync.Mutex
	trouble []string
	asked   []string // URLs
}

// open shows a URL, in a tab that closes with the test.
func (b browser) open(t *testing.T, url string, s screen) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	t.Cleanup(end)
	ctx, late := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(late)
	p := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	p.do(
		step(network.Enable, network.EnableParams{}), step(audits.Enable, cdp.Empty{}), step(log.Enable, cdp.Empty{}),
		step(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.width, Height: 900, DeviceScaleFactor: 1, Mobile: s.width <= 400}),
		step(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		chromedp.Navigate(url),
	)
	return p
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// step is a command whose answer nobody needs.
func step[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// hear notes what goes wrong: policy violations, errors and warnings of any kind, anything on the console.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		p.trouble = append(p.trouble, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	case *runtime.EventConsoleAPICalled:
		p.trouble = append(p.trouble, "console: "+string(e.Type))
	case *runtime.EventExceptionThrown:
		p.trouble = append(p.trouble, "exception: "+e.ExceptionDetails.Text)
	case *audits.EventIssueAdded:
		p.trouble = append(p.trouble, "issue: "+string(e.Issue.Code))
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	}
}

func (p *tab) heard() (trouble, asked []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.trouble), slices.Clone(p.asked)
}

// get evaluates an expression in the page; again when the page has just replaced itself by a newer one.
func get[T any](p *tab, expression string) (out T) {
	p.t.Helper()
	var err error
	for range 3 {
		if out, err = chromedp.Run(p.ctx, chromedp.Evaluate[T](expression)); err == nil {
			return out
		}
	}
	p.t.Fatalf("%s: %v", expression, err)
	return out
}

// text is what a person can read.
func (p *tab) text() string { return get[string](p, "document.body.innerText") }

// picture is a screenshot of all of the page.
func (p *tab) picture() image.Image {
	p.t.Helper()
	shot, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100)) // PNG, not JPEG
	if err != nil {
		p.t.Fatal(err)
	}
	decoded, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	return decoded
}

// node is what a screen reader knows of a part of the page.
type node struct{ role, name, description string }

// spoken is the page as a screen reader has it.
func (p *tab) spoken() (out []node) {
	p.t.Helper()
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		p.t.Fatal(err)
	}
	value := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	for _, n := range tree.Nodes {
		if !n.Ignored {
			out = append(out, node{value(n.Role), value(n.Name), value(n.Description)})
		}
	}
	return out
}

// having counts the nodes of a role.
func having(nodes []node, role string) (n int) {
	for _, x := range nodes {
		if x.role == role {
			n++
		}
	}
	return n
}

// overflowing are the elements that stick out of the screen to the right, or are cut off without a sign.
const overflowing = `[...document.querySelectorAll("body *")].filter(e => {
	const box = e.getBoundingClientRect();
	return box.width > 0 && getComputedStyle(e).clipPath === "none" && !e.closest("thead") && box.right > innerWidth + 0.5;
}).map(e => e.tagName + "." + (e.getAttribute("class") || "") + " " + e.textContent.slice(0, 40))`

// checkLayout holds for every state on every screen.
func (p *tab) checkLayout(s screen) {
	p.t.Helper()
	if out := get[[]string](p, overflowing); len(out) > 0 {
		p.t.Errorf("out of the screen: %q", out)
	}
	if w := get[int64](p, "document.documentElement.scrollWidth"); w > s.width {
		p.t.Errorf("%d px wide, scrolls sideways", w)
	}
	const height = "document.documentElement.scrollHeight"
	want := get[int](p, height)
	shot := p.picture()
	for now := get[int](p, height); now != want; now = get[int](p, height) { // it has replaced itself meanwhile
		want, shot = now, p.picture()
	}
	if got := int64(shot.Bounds().Dx()); got != s.width {
		p.t.Errorf("the screenshot is %d px wide", got)
	}
	if got := shot.Bounds().Dy(); got != want || got < 200 {
		p.t.Errorf("the screenshot is %d px high, the page %d", got, want)
	}
	colours, dark := look(shot)
	if colours < 50 {
		p.t.Errorf("%d colours: nearly blank", colours)
	}
	if dark != s.dark {
		p.t.Errorf("dark: %t", dark)
	}
}

// look counts the colours of a picture, and says whether most of it is dark.
func look(shot image.Image) (colours int, dark bool) {
	flat := image.NewRGBA(shot.Bounds())
	draw.Draw(flat, flat.Bounds(), shot, flat.Bounds().Min, draw.Src)
	count := map[[4]byte]int{}
	for row := range slices.Chunk(flat.Pix, flat.Stride) {
		for start := 0; start < len(row); { // by runs of a colour: most of a page is
			end := start + 4
			for end < len(row) && bytes.Equal(row[start:start+4], row[end:end+4]) {
				end += 4
			}
			count[[4]byte(row[start:])] += (end - start) / 4
			start = end
		}
	}
	darker := 0
	for c, n := range count {
		if int(c[0])+int(c[1])+int(c[2]) < 3*64 {
			darker += n
		}
	}
	return len(count), 8*darker > len(flat.Pix)
}

// checkTrouble: the browser minded nothing, and asked nobody but who serves the page.
func (p *tab) checkTrouble(url string) {
	p.t.Helper()
	trouble, asked := p.heard()
	if len(trouble) > 0 {
		p.t.Errorf("Chromium minds: %q", trouble)
	}
	if len(asked) == 0 {
		p.t.Error("nothing was asked for")
	}
	for _, u := range asked {
		if u != url && !strings.HasPrefix(u, "data:") {
			p.t.Errorf("asked for %s", u)
		}
	}
}
