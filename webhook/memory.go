package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// frugal is the memory in bytes that the Go runtime is asked to get along with. 100,000 names fit: calls
// of external-dns come once per interval and are large, and without a limit what one of them leaves
// behind would be collected only when the next one has doubled it.
const frugal = 280 << 20

// keepFrugal sets the limit, and raises it while more than three quarters of it are in use, so that the
// collector never works for nothing. It returns when ctx ends. GOMEMLIMIT, when set, is left alone.
func keepFrugal(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for ticks := 0; ; ticks++ {
		metrics.Read(live)
		debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
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
func memoryLimit(live uint64) int64 { return int64(max(frugal, live+live/3)) }
