package e2e_test

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// Whatever the other webhook does, external-dns meets a failure that it survives, the view beside gets
// what it is asked for, and when the other one is well again so are we.
func TestABrokenPeerBreaksNothingElse(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]http.HandlerFunc{
		"garbage":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>sign in</html>") },
		"half":       func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[{"dnsName":"www.exa`) },
		"refusing":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"denying":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"throttling": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"failing":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"closing":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hanging": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ill atomic.Bool
			peer := chaintest.New()
			peer.Replace = func(w http.ResponseWriter, r *http.Request) bool {
				if ill.Load() {
					broken(w, r)
				}
				return ill.Load()
			}
			url := serve(t, peer)
			first := true
			p := inMemory(t, func(healthy backend.Backend) backend.Backend {
				if first {
					first = false
					return openChain(t, chain.Config{URL: url, Timeout: 300 * time.Millisecond})
				}
				return healthy
			}, "chained", "healthy")
			client := dialWebhook(t, protocolHandler(p))
			if _, err := client.Records(t.Context()); err != nil {
				t.Fatal(err)
			}
			wanted := func(view string) *endpoint.Endpoint {
				return endpoint.NewEndpoint("www.example.org", "A", "192.0.2.1").WithSetIdentifier(view)
			}
			ill.Store(true)
			for call, err := range callAll(client) {
				if !errors.Is(err, provider.SoftError) {
					t.Errorf("%s ends external-dns: %v", call, err)
				}
			}
			changes := &plan.Changes{Create: []*endpoint.Endpoint{wanted("chained"), wanted("healthy")}}
			if err := client.ApplyChanges(t.Context(), changes); !errors.Is(err, provider.SoftError) {
				t.Errorf("apply ends external-dns: %v", err)
			}
			if n := len(peer.Held()); n != 0 {
				t.Errorf("the broken peer holds %d records", n)
			}
			ill.Store(false)
			got, err := client.Records(t.Context())
			if err != nil || len(got) != 1 || got[0].SetIdentifier != "healthy" {
				t.Errorf("records after it: %s, %v; want the one of the healthy view", asJSON(t, got), err)
			}
			if err := client.ApplyChanges(t.Context(), changes); err != nil || len(peer.Held()) != 1 {
				t.Errorf("once it is well again: %v", err)
			}
		})
	}
}
