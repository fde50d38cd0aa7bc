package main

import (
	"net/http"
	"sync"

	"github.com/spokedns/spokedns/e2e/stack"
)

// services answer for the hosts of the clouds, in this process. Peers and ours reach them through the same
// proxy, under the services' own names and over TLS. Nothing else on the Internet can be reached.
type services struct {
	divert *stack.Divert
	dir    string

	mu    sync.Mutex
	hosts map[string]http.Handler
}

// The hosts of the APIs, and those that give tokens for them; where Google's tokens come from stands in the
// key file.
const (
	azureHost, azureLogin = "management.azure.com", "login.microsoftonline.com"
	googleHost            = "dns.googleapis.com"
	awsHost               = "route53.amazonaws.com"
	gandiHost             = "api.gandi.net"
)

// newServices must come before anything in this process reads its proxy or the authorities it trusts.
func newServices(dir string) (*services, error) {
	s := &services{dir: dir, hosts: map[string]http.Handler{}}
	hosts := map[string]http.Handler{}
	for _, host := range []string{azureHost, azureLogin, googleHost, awsHost, gandiHost} {
		hosts[host] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			h := s.hosts[host]
			s.mu.Unlock()
			if h == nil {
				http.Error(w, "nobody serves this", http.StatusNotImplemented)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	var err error
	if s.divert, err = stack.NewDivert(dir, hosts); err != nil {
		return nil, err
	}
	if err := s.divert.Adopt(); err != nil {
		s.divert.Close()
		return nil, err
	}
	return s, nil
}

// serve lets a handler answer for a host from now on.
func (s *services) serve(host string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[host] = h
}

func (s *services) close() { s.divert.Close() }
