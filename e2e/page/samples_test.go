package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/page"
	"github.com/spokedns/spokedns/ipcontroller/page/pagetest"
)

// moment is when the samples are drawn: their pictures do not change from day to day.
func moment() time.Time { return time.Date(2026, 11, 21, 14, 37, 9, 0, time.UTC) }

// serve shows a view at a URL, with the headers the ipcontroller sends.
func serve(t *testing.T, v page.View) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", page.Policy())
		if err := page.Render(w, v); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// Every state people meet, on every screen: all of it fits, nothing is missing, nothing is minded.
func TestEveryStateFitsEveryScreen(t *testing.T) {
	b := startBrowser(t)
	for name, v := range pagetest.Samples(moment()) {
		url := serve(t, v)
		for _, s := range screens() {
			t.Run(fmt.Sprintf("%s at %s", name, s), func(t *testing.T) {
				p := b.open(t, url, s)
				p.checkLayout(s)
				text := p.text()
				for _, f := range v.Families {
					for _, want := range []string{f.Name, f.Addr, f.Why} {
						if !strings.Contains(text, want) {
							t.Errorf("no %q in:\n%s", want, text)
						}
					}
					for _, source := range f.Sources {
						if !strings.Contains(text, source.Name) || !strings.Contains(text, source.Says) {
							t.Errorf("%s, who says %q, is not in:\n%s", source.Name, source.Says, text)
						}
					}
				}
				for _, note := range append(v.Notes, v.Problem) {
					if note != "" && !strings.Contains(text, note[1:]) { // it begins with a capital
						t.Errorf("no %q in:\n%s", note, text)
					}
				}
				p.checkSpoken(v)
				p.checkTrouble(url)
			})
		}
	}
}

// checkSpoken: who cannot see finds the tables as tables on every screen, and the pictures in words.
func (p *tab) checkSpoken(v page.View) {
	p.t.Helper()
	nodes := p.spoken()
	tables, rows, pictures := 0, 0, 0
	for _, f := range v.Families {
		if len(f.Sources) > 0 {
			tables++
			rows += 1 + len(f.Sources)
		}
		if len(f.Sources) > 0 || len(f.Spans) > 0 {
			pictures++
		}
	}
	for role, want := range map[string]int{"table": tables, "row": rows, "columnheader": 6 * tables, "rowheader": rows - tables, "heading": 1 + max(len(v.Families), 1) + pictures + tables} {
		if got := having(nodes, role); got != want {
			p.t.Errorf("%d of role %s, want %d", got, role, want)
		}
	}
	described := 0
	for _, n := range nodes {
		if n.role == "image" && strings.Contains(n.name, "addresses and health of the sources in the last 24 hours") {
			described++
			if !strings.Contains(n.name+n.description, "since") {
				p.t.Errorf("the picture does not say what is in it: %+v", n)
			}
		}
	}
	if described != pictures {
		p.t.Errorf("%d pictures with words, want %d", described, pictures)
	}
	if v.Problem != "" && having(nodes, "alert") != 1 {
		p.t.Error("the problem is no alert")
	}
}

// What others wrote may be long and without a space: it is broken, not run out of the screen.
func TestLongWordsStayOnTheScreen(t *testing.T) {
	b := startBrowser(t)
	long := strings.Repeat("averylongword", 20)
	v := pagetest.Site(moment())
	v.Holder, v.Node, v.ConfigMap, v.Version, v.Problem, v.Notes = long, long, long, long, long, []string{long}
	for i := range v.Families {
		f := &v.Families[i]
		f.Why = long
		for k := range f.Sources {
			f.Sources[k].Name, f.Sources[k].Operator, f.Sources[k].Says = long, long, long
		}
	}
	url := serve(t, v)
	for _, s := range screens() {
		t.Run(s.String(), func(t *testing.T) {
			p := b.open(t, url, s)
			p.checkLayout(s)
			p.checkTrouble(url)
		})
	}
}

// What is largest is what people come for.
func TestTheAddressIsTheLargestText(t *testing.T) {
	b := startBrowser(t)
	url := serve(t, pagetest.Site(moment()))
	for _, s := range screens() {
		p := b.open(t, url, s)
		const size = `(() => { let most = 0, text = ""; for (const e of document.querySelectorAll("main *")) {
			const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
			const px = parseFloat(getComputedStyle(e).fontSize);
			if (own && px > most) { most = px; text = e.textContent; }
		} return text; })()`
		if got := get[string](p, size); got != pagetest.IPv4 {
			t.Errorf("%s: the largest text is %q", s, got)
		}
	}
}

// The test would notice: what the policy forbids is refused, and told.
func TestChromiumMindsWhatThePolicyForbids(t *testing.T) {
	b := startBrowser(t)
	url := serve(t, pagetest.Site(moment()))
	for what, script := range map[string]string{
		"an image from elsewhere": `document.body.append(Object.assign(document.createElement("img"), {src: "https://elsewhere.example/x.png"}))`,
		"a script":                `document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title = 'taken'"}))`,
		"a style":                 `document.body.append(Object.assign(document.createElement("style"), {textContent: "main{display:none}"}))`,
		"a style attribute":       `document.querySelector("main").setAttribute("style", "display:none")`,
	} {
		t.Run(what, func(t *testing.T) {
			p := b.open(t, url, screens()[0])
			p.checkTrouble(url)
			get[int](p, script+"; 0")
			for limit := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				trouble, _ := p.heard()
				if strings.Contains(strings.Join(trouble, "\n"), "Content Security Policy") {
					break
				}
				if time.Now().After(limit) {
					t.Fatalf("it minds only %q", trouble)
				}
			}
			if title := get[string](p, "document.title"); title == "taken" {
				t.Error("the script has run")
			}
			if shown := get[string](p, `getComputedStyle(document.querySelector("main")).display`); shown == "none" {
				t.Error("the style has come through")
			}
		})
	}
}
