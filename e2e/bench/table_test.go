package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedianIsTheMiddleOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		all  samples
		want time.Duration
	}{
		{nil, 0},
		{samples{5}, 5},
		{samples{9, 1, 5}, 5},
		{samples{4, 1, 3, 2}, 3}, // the upper one of two
	} {
		if got := c.all.median(); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.all, got, c.want)
		}
	}
}

func TestShortHasThreeDigits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		90 * time.Microsecond:     "0.090 ms",
		1500 * time.Microsecond:   "1.50 ms",
		33300 * time.Microsecond:  "33.3 ms",
		333333 * time.Microsecond: "333 ms",
		1230 * time.Millisecond:   "1.23 s",
		134 * time.Second:         "134.0 s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%s) is %q, want %q", d, got, want)
		}
	}
}

func TestARowSaysWhatWasPromisedAndWhatWasMissed(t *testing.T) {
	t.Parallel()
	peer := took("default", samples{600 * time.Millisecond, 500 * time.Millisecond, 700 * time.Millisecond})
	ours := took("", samples{100 * time.Millisecond})
	r := row{work: "create 10 names", peers: []cell{peer}, limits: []cell{said("", "none")}, ours: []cell{ours}}
	r.faster(3, peer, ours)
	r.faster(8, peer, ours)
	r.within(50*time.Millisecond, ours)
	r.near(1.15, took("limit", samples{90 * time.Millisecond}), ours)
	r.beside(took("limit", samples{50 * time.Millisecond}), ours)
	text := report{rows: []row{r}}.text()
	for _, want := range []string{
		"create 10 names", "default: 600 ms (500 ms–700 ms)", "100 ms (once)",
		"≥ 3 × default: 6 ×\n", "≥ 8 × default: 6 × MISSED\n", "≤ 50ms: 100 ms MISSED\n", "≤ 1.15 × limit: 1.11 ×\n", "2.00 × the limit\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	page := report{command: "go run ./bench", rows: []row{r}}.markdown()
	want := "| create 10 names | default: 600 ms (500 ms–700 ms) | none | 100 ms (once) | ≥ 3 × default: 6 ×<br>**≥ 8 × default: 6 × MISSED**<br>"
	if !strings.Contains(page, want) {
		t.Errorf("%q is not in:\n%s", want, page)
	}
}

func TestHostsHaveAnAddressAndItsOwnershipText(t *testing.T) {
	t.Parallel()
	eps := hosts("bench.test", 3, 0)
	moved := hosts("bench.test", 3, 1)
	if len(eps) != 6 || eps[2].DNSName != "host000001.bench.test" || eps[3].DNSName != "a-host000001.bench.test" {
		t.Fatalf("hosts are %v", eps)
	}
	all, err := changes(eps, moved)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		address := i%2 == 0
		if c.Unit != eps[i/2*2].DNSName || c.Old.Same(c.New) == address {
			t.Errorf("change %d of unit %s: %q becomes %q", i, c.Unit, c.Old.Values, c.New.Values)
		}
		if strings.HasPrefix(c.New.Values[0], `"`) {
			t.Errorf("the text of %s still has its quotes", c.Key())
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	if all, err := choose(""); err != nil || len(all) != len(subjects()) {
		t.Errorf("choose of nothing: %d subjects, %v", len(all), err)
	}
	if some, err := choose("etcd,wire"); err != nil || len(some) != 2 || some[0].name != "etcd" {
		t.Errorf("choose of two: %v, %v", some, err)
	}
	if _, err := choose("ectd"); err == nil || !strings.Contains(err.Error(), `"ectd"`) || !strings.Contains(err.Error(), "etcd") {
		t.Errorf("choose of a misspelt one: %v", err)
	}
}
