// Package follow owns the live copy of the DNSZones of an API server, of which it keeps what the webhook needs.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/listwatch"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// collection is where the API server has the DNSZones of all namespaces, in the one version there is
// (zonecontroller/api/v1alpha1).
const collection = "/apis/dns.spokedns.io/v1alpha1/dnszones"

// Source follows the DNSZones. It is safe for concurrent use.
type Source struct {
	api *listwatch.Client
	log *slog.Logger

	mu      sync.Mutex
	kept    map[key]zonesource.Object
	objects []zonesource.Object // of kept; nil when that has changed
	unknown error               // why kept is not what stands now
}

// key names a DNSZone.
type key struct{ namespace, name string }

// New returns a Source that knows nothing until Run is called.
func New(cfg *rest.Config, log *slog.Logger) (*Source, error) {
	api, err := listwatch.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Source{api: api, log: log, unknown: errors.New("DNSZones have not been read yet")}, nil
}

// Objects returns the DNSZones of this moment, or why they are not known: not read yet, no right to, no definition of
// them, or not heard of for listwatch.Patience. The slice is not to be modified.
func (s *Source) Objects() ([]zonesource.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown != nil {
		return nil, s.unknown
	}
	if s.objects == nil {
		s.objects = slices.Collect(maps.Values(s.kept))
	}
	return s.objects, nil
}

// Run follows the API server until the context ends.
func (s *Source) Run(ctx context.Context) {
	listwatch.Follow(ctx, listwatch.Following{List: s.list, Watch: s.watch, Failed: s.failed})
}

func (s *Source) list(ctx context.Context) (string, error) {
	kept := map[key]zonesource.Object{}
	version, err := s.api.List(ctx, collection, nil, func(read listwatch.Decode) error {
		k, o, err := object(read)
		if err == nil {
			kept[k] = o
		}
		return err
	})
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.objects, s.unknown = kept, nil, nil
	s.log.Info("reading DNSZones", "objects", len(kept))
	return version, nil
}

func (s *Source) watch(ctx context.Context, version string, opened func()) (string, error) {
	heard := func() {
		opened()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unknown = nil
	}
	return s.api.Watch(ctx, collection, nil, version, heard, func(kind string, read listwatch.Decode) {
		k, o, err := object(read)
		if err != nil {
			s.log.Warn("unreadable change of a DNSZone", "object", k.namespace+"/"+k.name, "error", err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.objects = nil
		if kind == "DELETED" {
			delete(s.kept, k)
		} else {
			s.kept[k] = o
		}
	})
}

// failed notes why the DNSZones cannot be followed.
func (s *Source) failed(err error, brief bool) {
	switch {
	case listwatch.Refused(err, http.StatusNotFound):
		err = errors.New("the API server knows no DNSZones; install the definitions that come with zonecontroller, or remove zonesFrom")
	case listwatch.Refused(err, http.StatusForbidden, http.StatusUnauthorized):
		err = fmt.Errorf("DNSZones cannot be read: %w (needed: get, list and watch of dnszones.dns.spokedns.io)", err)
	case brief:
		s.log.Info("following DNSZones was interrupted", "error", err)
		return
	default:
		err = fmt.Errorf("DNSZones cannot be read: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown == nil || s.unknown.Error() != err.Error() {
		s.log.Warn("which zones there are is not known; nothing is published until it is", "reason", err)
	}
	s.unknown = err
}

// object reads what is kept of a DNSZone.
func object(read listwatch.Decode) (key, zonesource.Object, error) {
	var z struct {
		Metadata struct {
			Name              string            `json:"name"`
			Namespace         string            `json:"namespace"`
			Labels            map[string]string `json:"labels"`
			CreationTimestamp time.Time         `json:"creationTimestamp"`
			DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
		} `json:"metadata"`
		Spec struct {
			ZoneName string `json:"zoneName"`
		} `json:"spec"`
		Status struct {
			Conditions []struct {
				Type    string `json:"type"`
				Status  string `json:"status"`
				Message string `json:"message"`
			} `json:"conditions"`
		} `json:"status"`
	}
	err := read(&z)
	o := zonesource.Object{
		Namespace: z.Metadata.Namespace, Name: z.Metadata.Name, Labels: z.Metadata.Labels,
		Created: z.Metadata.CreationTimestamp, Leaving: z.Metadata.DeletionTimestamp != nil, Zone: z.Spec.ZoneName,
	}
	for _, c := range z.Status.Conditions {
		if c.Type == "Ready" {
			o.Ready, o.Message = c.Status == "True", c.Message
		}
	}
	return key{o.Namespace, o.Name}, o, err
}
