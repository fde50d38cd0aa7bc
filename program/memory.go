package program

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Frugal asks the Go runtime to get along with so many bytes, and raises that while more than three quarters of it are in
// use, so that the collector never works for nothing. Work that comes in bursts leaves much behind, which would be
// collected only when the next burst has doubled it. Besides, what only starting needed is given back once. It
// returns when ctx ends. GOMEMLIMIT, when set, is left alone.
func Frugal(ctx context.Context, bytes uint64) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for ticks := 0; ; ticks++ {
		metrics.Read(live)
		debug.SetMemoryLimit(memoryLimit(bytes, live[0].Value.Uint64()))
		if ticks == 1 {
			debug.FreeOSMemory() // what starting took and running does not
			unmapProgram()       // and what it touched
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// memoryLimit is the limit for a heap with that many bytes in use.
func memoryLimit(least, live uint64) int64 { return int64(max(least, live+live/3)) }
