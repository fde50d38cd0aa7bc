package clouddns_test

import (
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

// TestMain sets the metadata server to nowhere before anybody asks whether there is one: the libraries
// remember the answer.
func TestMain(m *testing.M) {
	_ = os.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	m.Run()
}

// observed is what an apicall.Observer was told.
type observed struct {
	mu    sync.Mutex
	calls []string
}

func (o *observed) saw(operation string, result apicall.Result, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, operation+" "+string(result))
}

func (o *observed) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls
}

// secured is the server behind a certificate that nobody trusts without being told.
func secured(t *testing.T, s *clouddnstest.Server) *httptest.Server {
	t.Helper()
	target, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	return front
}
