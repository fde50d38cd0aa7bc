package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
	lookEvery  = time.Second // whether somebody has meddled with the ConfigMap
	checkEvery = 5 * time.Second
)

// office is what one leader works with: from being elected until it is no longer.
type office struct {
	writer *wanip.Writer
	reader *wanip.Reader
	log    *slog.Logger
	wrote  func(error)
	tell   func(detect.Report)             // of every report
	change func(wanip.Change, wanip.State) // of every change that has reached the ConfigMap

	mu      sync.Mutex
	reports []wanip.Report
	came    chan struct{}
}

// lead is a term: it claims the ConfigMap, detects, and writes.
func (o *office) lead(ctx context.Context, self wanip.Leader, detectors []*detect.Detector) error {
	before, err := o.claim(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	inherited := before.Holder != self.Holder || before.Node != self.Node
	for _, d := range detectors {
		from := detect.Start{Addr: before.Of(d.Family()).Addr, Inherited: inherited}
		all.Go(func() { d.Run(ctx, from, o.take) })
	}
	return o.write(ctx)
}

// claim tries until it succeeds, ctx ends, or somebody else leads.
func (o *office) claim(ctx context.Context) (wanip.State, error) {
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		before, err := o.writer.Claim(ctx)
		if final(ctx, err) || err == nil {
			return before, err
		}
		o.wrote(err)
		o.log.Warn("claiming the ConfigMap", "error", err)
		pause(ctx, retry)
	}
}

// final reports whether there is no use in trying again.
func final(ctx context.Context, err error) bool {
	var fenced *wanip.FencedError
	return err != nil && (ctx.Err() != nil || errors.As(err, &fenced))
}

// take hands a report to the writing side: detection does not wait for the API server.
func (o *office) take(r detect.Report) {
	o.tell(r)
	if r.Round && r.Family == wanip.IPv4 {
		o.writer.SetBehindCGNAT(r.Behind(detect.BehindCGNAT))
	}
	o.mu.Lock()
	o.reports = append(o.reports, r.WAN())
	o.mu.Unlock()
	select {
	case o.came <- struct{}{}:
	default: // it is going to look anyway
	}
}

func (o *office) taken() []wanip.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	reports := o.reports
	o.reports = nil
	return reports
}

// write brings reports into the ConfigMap until ctx ends or somebody else leads.
func (o *office) write(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var again, checked time.Time // again: zero while nothing has failed
	retry := firstRetry
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-o.came:
			err = o.put(ctx)
		case now := <-look.C:
			switch {
			case !again.IsZero() && now.After(again):
				err = o.put(ctx)
			case o.reader.Snapshot(now).Problem != "" && now.Sub(checked) >= checkEvery:
				checked = now
				err = o.writer.Check(ctx)
			default:
				continue
			}
		}
		if final(ctx, err) {
			return err
		}
		if err == nil {
			again, retry = time.Time{}, firstRetry
			continue
		}
		o.log.Warn("writing the WAN address", "error", err)
		again, retry = time.Now().Add(retry), min(2*retry, lastRetry)
	}
}

// put writes what has been taken.
func (o *office) put(ctx context.Context) error {
	changes, err := o.writer.Write(ctx, o.taken()...)
	o.wrote(err)
	for _, c := range changes {
		o.change(c, o.writer.State())
	}
	return err
}
