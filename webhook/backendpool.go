package main

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/webhook/view"
)

// openBackend is a backend in use, and the view it was opened for.
type openBackend struct {
	view config.View
	backend.Backend
}

// serves reports whether the backend can go on serving v after a reload: only rules and TTL differ. Its
// caches then survive.
func (o openBackend) serves(v config.View) bool {
	return o.view.Name == v.Name && o.view.Backend.Equal(v.Backend) && slices.Equal(o.view.Zones, v.Zones)
}

// openAll opens a backend for every view, or takes it over from those in use. In an error none is
// left open.
func (s *shared) openAll(views []config.View, inUse []openBackend, metrics *view.Metrics, log *slog.Logger) ([]openBackend, error) {
	out := make([]openBackend, len(views))
	var errs []error
	for i, v := range views {
		if j := slices.IndexFunc(inUse, func(o openBackend) bool { return o.serves(v) }); j >= 0 {
			out[i] = openBackend{v, inUse[j].Backend}
			continue
		}
		b, err := s.open(v, metrics.API(v.Name, v.Backend.Kind), log.With("view", v.Name))
		if err != nil {
			errs = append(errs, setting.Under("view "+v.Name+", backend "+v.Backend.Kind, err))
			continue
		}
		out[i] = openBackend{v, b}
	}
	if err := errors.Join(errs...); err != nil {
		closeBackends(out, inUse, log)
		return nil, err
	}
	return out, nil
}

// closeBackends closes those of old that are not among kept.
func closeBackends(old, kept []openBackend, log *slog.Logger) {
	for _, o := range old {
		still := slices.ContainsFunc(kept, func(k openBackend) bool { return k.Backend == o.Backend })
		c, ok := o.Backend.(backend.Closer)
		if still || !ok {
			continue
		}
		if err := c.Close(); err != nil {
			log.Warn("a backend did not close cleanly", "view", o.view.Name, "backend", o.view.Backend.Kind, "error", err)
		}
	}
}
