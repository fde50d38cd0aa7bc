package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// contender is one way of doing a piece of work. It prepares what it needs and returns how long the work
// itself took.
type contender struct {
	name string
	once bool // too slow to repeat
	run  func(ctx context.Context) (time.Duration, error)
}

// samples are the durations of the same work.
type samples []time.Duration

func (s samples) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

// peerNames is how many names the peers list, and the note that says why these are not all.
func (b *bench) peerNames() (n int, note string) {
	const quick = 30_000
	if b.full || b.large <= quick {
		return b.large, ""
	}
	return quick, fmt.Sprintf("the peer lists %d names only: its merge takes the square of the number, minutes at %d (-full measures it)", quick, b.large)
}

// interleave lets the contenders take turns, so that the machine's moods meet all of them alike. The
// samples come back under the contenders' names.
func (b *bench) interleave(ctx context.Context, work string, contenders ...contender) (map[string]samples, error) {
	out := make(map[string]samples, len(contenders))
	for repeat := range b.repeats {
		for _, c := range contenders {
			if c.once && repeat > 0 {
				continue
			}
			runtime.GC() // nobody pays for the garbage of the one before
			took, err := c.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", work, c.name, err)
			}
			b.say("  %-44s %-18s %s", work, c.name, short(took))
			out[c.name] = append(out[c.name], took)
		}
	}
	return out, nil
}

// clock measures a function.
func clock(work func() error) (time.Duration, error) {
	start := time.Now()
	err := work()
	return time.Since(start), err
}

// short is a duration with three significant digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.3f ms", d.Seconds()*1e3)
}

// often repeats work that takes milliseconds and returns the median time.
func often(times int, work func() error) (time.Duration, error) {
	var all samples
	for range times {
		took, err := clock(work)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	return all.median(), nil
}
