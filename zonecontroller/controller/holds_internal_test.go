package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// TestServersAreReplacedWithoutWaiting: one whose old connections are busy holds up nobody else.
func TestServersAreReplacedWithoutWaiting(t *testing.T) {
	busy, done := &handle{}, make(chan struct{})
	p := newPool(nil, func(nameserver.Config) (Server, error) {
		return Server{Nameserver: busy, DNS: slowToClose{busy, done}}, nil
	})
	s := &v1alpha1.DNSServer{ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: "a", UID: "1", Generation: 1}, Spec: v1alpha1.DNSServerSpec{Address: "192.0.2.1"}}
	first := p.get(t.Context(), s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		next := s.DeepCopy()
		next.Generation++
		_ = p.get(t.Context(), next)
		p.drop(types.NamespacedName{Namespace: "dns", Name: "a"})
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("everybody waits for the old connections")
	}
	close(done)
	<-ended
	if first.config.TSIG != (keyfile.Key{}) {
		t.Errorf("%+v", first.config)
	}
}

// slowToClose is busy until done is closed.
type slowToClose struct {
	DNS
	done chan struct{}
}

func (s slowToClose) Close() error { <-s.done; return nil }
