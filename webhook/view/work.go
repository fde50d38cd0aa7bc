package view

import (
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/spokedns/spokedns/webhook/backend"
)

// caught turns a panic into an error, with the place where it happened: no record and no backend may
// end the process that all others need.
func caught(do func() error) func() error {
	return func() (err error) {
		if panicked := backend.Caught(func() { err = do() }); panicked != nil {
			return panicked
		}
		return err
	}
}

// perChunk is how many endpoints one goroutine works on at a time.
const perChunk = 4096

// chunks is how many chunks n endpoints are.
func chunks(n int) int { return (n + perChunk - 1) / perChunk }

// inChunks calls do for each chunk of n endpoints, on all processors.
func inChunks(n int, do func(chunk, from, to int)) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for chunk := range chunks(n) {
		g.Go(caught(func() error {
			do(chunk, chunk*perChunk, min(n, (chunk+1)*perChunk))
			return nil
		}))
	}
	return g.Wait()
}
