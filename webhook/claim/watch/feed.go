package watch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/spokedns/spokedns/listwatch"
)

// feed keeps the store in step with one resource, by a list and a watch that goes on from it.
type feed struct {
	*resource
	version string
	api     *listwatch.Client
	reader  *reader
	store   *store
	log     *slog.Logger
}

// run follows the resource until the context ends.
func (f *feed) run(ctx context.Context) {
	listwatch.Follow(ctx, listwatch.Following{List: f.list, Watch: f.watch, Failed: f.failed})
}

func (f *feed) list(ctx context.Context) (string, error) {
	objects := map[key]object{}
	version, err := f.api.List(ctx, f.path(f.version), nil, func(read decode) error {
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

func (f *feed) watch(ctx context.Context, version string, opened func()) (string, error) {
	heard := func() {
		opened()
		f.report(Synced, "")
	}
	return f.api.Watch(ctx, f.path(f.version), nil, version, heard, func(kind string, read decode) {
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

func (f *feed) failed(err error, brief bool) {
	state := stateOf(err)
	if state == Unreachable && brief {
		f.log.Info("watch interrupted", "resource", f.id(), "error", err)
		return
	}
	f.report(state, reasonOf(state, err))
	if state == Forbidden {
		f.store.replace(f.resource, nil) // what may no longer be read may be long gone
	}
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
