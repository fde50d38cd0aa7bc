package watch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
	// patience is how long a followed resource counts as known after the connection was lost: an API
	// server that restarts should not stop DNS.
	patience = 30 * time.Second
)

// feed keeps the store in step with one resource, by a list and a watch that goes on from it.
type feed struct {
	*resource
	version string
	api     *api
	reader  *reader
	store   *store
	log     *slog.Logger

	isOpen   bool      // the watch, now
	lastOpen time.Time // when the watch was last known to be open
	retry    time.Duration
}

// run follows the resource until the context ends.
func (f *feed) run(ctx context.Context) {
	f.retry = firstRetry
	version := ""
	for ctx.Err() == nil {
		var err error
		listing, started := version == "", time.Now()
		if listing {
			version, err = f.list(ctx)
		} else {
			version, err = f.watch(ctx, version)
		}
		switch {
		case ctx.Err() != nil, err == nil && (listing || time.Since(started) > time.Second):
			continue
		case err == nil: // a watch that ended as soon as it was open: not at once again
		case refused(err, http.StatusGone):
			version = "" // the server no longer remembers so far back
		default:
			f.failed(err)
			if stateOf(err) == Forbidden && version != "" {
				version = ""
				f.store.replace(f.resource, nil) // what may no longer be read may be long gone
			}
		}
		f.wait(ctx)
	}
}

func (f *feed) list(ctx context.Context) (string, error) {
	objects := map[key]object{}
	version, err := f.api.list(ctx, f.path(f.version), func(read decode) error {
		k, o, err := f.readObject(f.reader, read)
		if err == nil {
			objects[k] = o
		}
		return err
	})
	if err != nil {
		return "", err
	}
	f.store.replace(f.resource, objects)
	return version, nil
}

func (f *feed) watch(ctx context.Context, version string) (string, error) {
	defer f.closed()
	return f.api.watch(ctx, f.path(f.version), version, f.opened, func(kind string, read decode) {
		k, o, err := f.readObject(f.reader, read)
		switch {
		case err != nil:
			f.log.Warn("unreadable change", "resource", f.id(), "error", err)
		case kind == "DELETED":
			f.store.delete(f.resource, k)
		default:
			f.store.put(f.resource, k, o)
		}
	})
}

// opened is the moment from which every change is heard of.
func (f *feed) opened() {
	f.isOpen, f.retry = true, firstRetry
	f.report(Synced, "")
}

func (f *feed) closed() {
	if f.isOpen {
		f.isOpen, f.lastOpen = false, time.Now()
	}
}

func (f *feed) failed(err error) {
	state := stateOf(err)
	if state == Unreachable && !f.lastOpen.IsZero() && time.Since(f.lastOpen) < patience {
		f.log.Info("watch interrupted", "resource", f.id(), "error", err)
		return
	}
	f.report(state, reasonOf(state, err))
}

// reasonOf drops the reason of an absent resource: there is nothing to be done about it.
func reasonOf(state State, err error) string {
	if state == Absent {
		return ""
	}
	return err.Error()
}

func (f *feed) report(state State, reason string) {
	if !f.store.report(f.resource, state, reason) {
		return
	}
	level := slog.LevelInfo
	if !state.known() && state != Listing {
		level = slog.LevelWarn
	}
	f.log.Log(context.Background(), level, "watched resource", "resource", f.id(), "state", string(state), "reason", reason)
}

// wait sleeps for the time of a retry, which doubles up to its limit until a watch opens again.
func (f *feed) wait(ctx context.Context) {
	jitter := time.Duration(rand.Int64N(int64(f.retry)/2 + 1))
	timer := time.NewTimer(f.retry + jitter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	f.retry = min(2*f.retry, lastRetry)
}

// readObject turns one API object into what is kept. An object that has not the form of its kind keeps its
// name and its labels, says so, and asks for no host.
func (r *resource) readObject(rd *reader, read decode) (key, object, error) {
	m, o, err := r.read(rd, read)
	var form *json.UnmarshalTypeError
	if errors.As(err, &form) && m.Name != "" {
		broken := rd.base(r.kind, &m)
		broken.Unknown = "unreadable: " + err.Error()
		o, err = fixed{broken}, nil
	}
	return m.key(), o, err
}
