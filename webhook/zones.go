package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/webhook/zonesource"
	"github.com/spokedns/spokedns/webhook/zonesource/follow"
)

// zoner is a backend that knows which zones it serves.
type zoner interface {
	Zones(ctx context.Context) ([]string, error)
}

const (
	learnTimeout = 5 * time.Second // for the services to say which zones they serve
	learnRetry   = 2 * time.Second // between two attempts
)

// learned returns the configuration with the zones of views that name none, as their backends know them.
func learned(ctx context.Context, f *config.File, backends []openBackend) (*config.File, error) {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	filled := *f
	filled.Views = append([]config.View(nil), f.Views...)
	learnt := false
	for i := range filled.Views {
		v := &filled.Views[i]
		z, ok := backends[i].Backend.(zoner)
		if len(v.Zones) > 0 || v.ZonesFrom != nil || !ok {
			continue
		}
		zones, err := z.Zones(ctx)
		if err != nil {
			return nil, fmt.Errorf("view %s: the zones it publishes into: %w", v.Name, err)
		}
		if len(zones) == 0 {
			return nil, &setting.Error{Field: fmt.Sprintf("views[%d].zones", i), Want: "want zones: the backend serves none by name"}
		}
		v.Zones, learnt = zones, true
	}
	if !learnt {
		return f, nil
	}
	return &filled, filled.Validate()
}

// found is what the DNSZones bring to the views of a configuration; nil when none of them asks for it. It begins to
// follow them for the first configuration that does, for the life of the program.
func (w *webhook) found(f *config.File) (func() (map[string][]zonesource.Zone, error), error) {
	if !f.FindsZones() {
		return nil, nil
	}
	if w.cluster == nil {
		i := slices.IndexFunc(f.Views, func(v config.View) bool { return v.ZonesFrom != nil })
		return nil, &setting.Error{Field: fmt.Sprintf("views[%d].zonesFrom", i), Want: "want kubernetes.enabled: DNSZones are read from the API server"}
	}
	if w.zones == nil {
		source, err := follow.New(w.cluster, w.log)
		if err != nil {
			return nil, err
		}
		w.zones = source
		go source.Run(w.life)
	}
	source, views := w.zones, f.ZoneViews()
	return func() (map[string][]zonesource.Zone, error) {
		objects, err := source.Objects()
		if err != nil {
			return nil, err
		}
		return zonesource.Assign(views, objects), nil
	}, nil
}

// writeZones lists the zones of all views for people.
func (w *webhook) writeZones(to io.Writer) error {
	if p := w.current.Provider(); p != nil {
		return p.WriteZones(to)
	}
	_, err := io.WriteString(to, "no configuration is in use yet\n")
	return err
}

// useFirst is use for the first configuration: a service that has to say which zones it serves may come up
// after us, as containers of one pod do in any order. Calls are answered with 503 until then.
func (w *webhook) useFirst(ctx context.Context, f *config.File) error {
	err := w.use(ctx, f, false)
	var of *backend.Error
	if err == nil || !errors.As(err, &of) || of.Kind != backend.Temporary {
		return err
	}
	w.log.Warn("waiting for a service before anything is published", "error", err)
	go func() {
		tick := time.NewTicker(learnRetry)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			switch now := w.useIfNone(ctx, f); {
			case now == nil:
				return
			case now.Error() != err.Error():
				err = now
				w.log.Warn("still waiting for a service", "error", err)
			}
		}
	}()
	return nil
}

// useIfNone is use, unless a configuration is in use: a changed file may have brought a newer one.
func (w *webhook) useIfNone(ctx context.Context, f *config.File) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		return nil
	}
	err := w.put(ctx, f, false)
	if err == nil {
		w.log.Info("the service is there")
	}
	return err
}
