package clouddns

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func text(name string, bytes int) *backend.RRset {
	return &backend.RRset{Key: backend.Key{Name: name, Type: "TXT"}, TTL: time.Minute, Values: []string{strings.Repeat("x", bytes)}}
}

// jobOf is a unit of texts that come and go.
func jobOf(comes, goes []int) *job {
	j := &job{}
	for i, n := range comes {
		j.replace(nil, written(text(fmt.Sprintf("comes%d.zone.example", i), n)))
	}
	for i, n := range goes {
		j.replace(written(text(fmt.Sprintf("goes%d.zone.example", i), n)), nil)
	}
	return j
}

// fewest is a number of changes below which no packing comes.
func fewest(jobs []*job, size int) int {
	additions, deletions, data := 0, 0, 0
	for _, j := range jobs {
		additions += len(j.additions)
		deletions += len(j.deletions)
		data += j.data
	}
	up := func(n, by int) int { return (n + by - 1) / by }
	return max(up(additions, size), up(deletions, size), up(data, maxData))
}

func TestPackKeepsTheLimitsAndLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(3, 40).Draw(t, "size")
		jobs := make([]*job, rapid.IntRange(0, 60).Draw(t, "jobs"))
		sizes := rapid.SliceOfN(rapid.IntRange(0, 9000), 0, 3)
		for i := range jobs {
			jobs[i] = jobOf(sizes.Draw(t, "comes"), sizes.Draw(t, "goes"))
		}
		seen := map[*job]bool{}
		for _, batch := range pack(jobs, size) {
			sum := jobOf(nil, nil)
			for _, j := range batch {
				if seen[j] {
					t.Fatal("a job is in two changes")
				}
				seen[j] = true
				sum.additions = append(sum.additions, j.additions...)
				sum.deletions = append(sum.deletions, j.deletions...)
				sum.data += j.data
			}
			if oversize(sum, size) {
				t.Fatalf("a change of %d additions, %d deletions, %d bytes", len(sum.additions), len(sum.deletions), sum.data)
			}
		}
		if len(seen) != len(jobs) {
			t.Fatalf("%d of %d jobs are in a change", len(seen), len(jobs))
		}
	})
}

// At most 5 % more changes than the smallest number there can be.
func TestPackComesCloseToTheFewest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for name, one := range map[string]func() *job{
		"names with their ownership":  func() *job { return jobOf([]int{7, 90}, nil) },
		"names that go":               func() *job { return jobOf(nil, []int{7, 90}) },
		"some come, some go":          func() *job { n := random.IntN(2); return jobOf([]int{7, 90}[:2*n], []int{7, 90}[:2-2*n]) },
		"updates":                     func() *job { return jobOf([]int{7}, []int{7}) },
		"one, two or three of a name": func() *job { return jobOf([]int{7, 90, 90}[:1+random.IntN(3)], nil) },
		"texts of any length":         func() *job { return jobOf([]int{random.IntN(4000)}, nil) },
		"few long texts":              func() *job { return jobOf([]int{7, 7 + random.IntN(2)*random.IntN(30000)}, nil) },
	} {
		jobs := make([]*job, 10_000)
		for i := range jobs {
			jobs[i] = one()
		}
		got, least := len(pack(jobs, defaultBatchSize)), fewest(jobs, defaultBatchSize)
		if float64(got) > 1.05*float64(least) {
			t.Errorf("%s: %d changes, %d could do", name, got, least)
		}
	}
}

func TestPartsFitAndKeepTheOrder(t *testing.T) {
	t.Parallel()
	const big = 45_000
	unit := []backend.Change{
		{Unit: "www.zone.example", Old: text("www.zone.example", big), New: text("www.zone.example", big-1)},
		{Unit: "www.zone.example", New: text("a-www.zone.example", big)},
		{Unit: "www.zone.example", New: text("b-www.zone.example", 10)},
	}
	cut := parts(unit, defaultBatchSize)
	if len(cut) != 2 {
		t.Fatalf("%d parts, want 2", len(cut))
	}
	if joined := slices.Concat(cut...); !slices.EqualFunc(joined, backend.Sequence(unit), func(a, b backend.Change) bool { return a.Key() == b.Key() }) {
		t.Errorf("the order is %v", joined)
	}
	if cut := parts(unit, 1); len(cut) != 3 {
		t.Errorf("%d parts of one RRset each, want 3", len(cut))
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	var jobs []*job
	for _, name := range []string{"a", "b", "c"} {
		jobs = append(jobs, &job{unit: []backend.Change{{New: text(name, 1)}}})
	}
	named := func(names ...string) (keys []backend.Key) {
		for _, n := range names {
			keys = append(keys, backend.Key{Name: n, Type: "TXT"})
		}
		return keys
	}
	for _, c := range []struct {
		named []backend.Key
		first int
	}{{nil, 1}, {named("b"), 1}, {named("a", "c"), 2}, {named("a", "b", "c"), 1}, {named("x"), 1}} {
		if first, second := split(jobs, c.named); len(first) != c.first || len(first)+len(second) != 3 {
			t.Errorf("%v: %d and %d, want %d first", c.named, len(first), len(second), c.first)
		}
	}
}
