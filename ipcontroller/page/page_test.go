package page_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/ipcontroller/page"
)

var update = flag.Bool("update", false, "write the golden file anew")

func view() page.View {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cells := make([]page.Mark, 96)
	for i := range cells {
		cells[i] = page.Good
	}
	cells[0], cells[40], cells[41] = "", page.Bad, page.Other
	return page.View{
		Now: now, ConfigMap: "dns/spokedns-wan-ip", Leading: true, Holder: "ipcontroller-0", Node: "edge-1", Epoch: 7, Version: "v1",
		Notes: []string{"the router has 100.64.3.4 on the outside, the Internet sees 5.9.10.12"},
		Families: []page.Family{
			{
				Name: "IPv4", Addr: "5.9.10.12", Believed: true, Status: "Verified", Confirmed: ago(21 * time.Second), Changed: ago(4 * time.Hour), Agree: 4, Asked: 5,
				Spans: []page.Span{{Addr: "5.9.10.11", From: ago(page.Day), To: ago(4 * time.Hour)}, {Addr: "5.9.10.12", From: ago(4 * time.Hour), To: now}},
				Sources: []page.Source{
					{Name: "cloudflare", Operator: "cloudflare", Says: "5.9.10.12", Mark: page.Good, RTT: 41 * time.Millisecond, Cells: cells},
					{Name: "whoami", Operator: "google", Says: "no-answer: no answer within 3s", Mark: page.Bad, Cells: cells},
				},
			},
			{Name: "IPv6", Addr: "", Status: "Holding", Why: "no IPv6 address has been agreed on yet (Holding)"},
		},
	}
}

func render(t *testing.T, v page.View) string {
	t.Helper()
	var b strings.Builder
	if err := page.Render(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePage(t *testing.T) {
	got := render(t, view())
	golden := filepath.Join("testdata", "page.html")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the page has changed (-want +got):\n%s", diff)
	}
}

func TestNothingComesFromElsewhere(t *testing.T) {
	got := render(t, view())
	for _, not := range []string{"http:", "https:", "<script", "url(", "<link", "<img", "ZgotmplZ"} {
		if strings.Contains(got, not) {
			t.Errorf("the page has %q", not)
		}
	}
}

// What operators outside answer is shown, never run.
func TestWhatSourcesSayIsOnlyText(t *testing.T) {
	const evil = `"><script>alert(1)</script><svg onload=x>`
	v := view()
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

func TestAnEmptyView(t *testing.T) {
	got := render(t, page.View{Now: time.Now(), ConfigMap: "dns/x", Problem: "there is no ConfigMap dns/x"})
	for _, want := range []string{"not known yet", "nobody leads", "there is no ConfigMap dns/x"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
}
