package clouddns_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
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

// httptestTLS is a server with a certificate that nobody trusts.
func httptestTLS(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}
