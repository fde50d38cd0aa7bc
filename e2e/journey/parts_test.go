package journey_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

// parts are what all tests share because starting them takes time: an API server with the definitions
// tests need, BIND, etcd and CoreDNS, and our program, built once. Every test takes zones of its own.
type parts struct {
	*stack.Stack
	api      *stack.APIServer
	bind     *stack.Named
	etcd     *stack.Etcd
	coreDNS  *stack.CoreDNS
	program  string
	zones    chan string
	identity struct{ webhook, externalDNS string }
}

// zoneCount is how many zones are there to be taken; more than the tests need.
const zoneCount = 80

// together is how what TestMain ends gets to the tests that start it.
var together struct {
	sync.Once
	*parts
	err error
}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "6") // tests wait for other programs most of the time
	}
	code := m.Run() // returning ends the program with it
	if together.parts != nil {
		together.Close()
		if code != 0 {
			together.PrintLogs(os.Stderr, 15)
		}
		_ = os.RemoveAll(together.Dir)
	}
}

// shared starts the shared parts for the first test that asks.
func shared(t *testing.T) *parts {
	t.Helper()
	together.Do(func() { together.parts, together.err = startParts() })
	if together.err != nil {
		t.Fatalf("start the shared parts: %v", together.err)
	}
	return together.parts
}

func startParts() (*parts, error) {
	dir, err := os.MkdirTemp("", "spokedns-e2e-")
	if err != nil {
		return nil, err
	}
	p := &parts{Stack: stack.New(dir), zones: make(chan string, zoneCount)}
	var zones []string
	for i := range zoneCount {
		zone := fmt.Sprintf("z%02d.example.org", i)
		zones = append(zones, zone)
		p.zones <- zone
	}
	// No test's context: the parts outlive the test that started them.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := p.start(ctx, zones); err != nil {
		p.Close()
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

func (p *parts) start(ctx context.Context, zones []string) (err error) {
	if p.program, err = stack.BuildWebhook(ctx, p.Dir); err != nil {
		return err
	}
	if p.bind, err = p.Named(ctx, stack.NamedConfig{Zones: zones}); err != nil {
		return err
	}
	if p.etcd, err = p.Etcd(ctx, stack.EtcdConfig{}); err != nil {
		return err
	}
	if p.coreDNS, err = p.CoreDNS(ctx, stack.CoreDNSConfig{Zones: zones, Etcd: p.etcd}); err != nil {
		return err
	}
	return p.startCluster(ctx)
}

func (p *parts) startCluster(ctx context.Context) (err error) {
	if p.api, err = p.APIServer(ctx, stack.APIServerConfig{}); err != nil {
		return err
	}
	gatewayAPI, err := stack.GatewayAPICRDs("standard")
	if err != nil {
		return err
	}
	dnsEndpoint, err := stack.DNSEndpointCRD()
	if err != nil {
		return err
	}
	if err := p.api.ApplyCRDs(ctx, gatewayAPI, dnsEndpoint); err != nil {
		return err
	}
	if p.identity.webhook, err = p.api.WebhookIdentity(ctx); err != nil {
		return err
	}
	p.identity.externalDNS, err = p.api.ExternalDNSIdentity(ctx)
	return err
}

func (p *parts) takeZone(t *testing.T) string {
	t.Helper()
	select {
	case zone := <-p.zones:
		return zone
	default:
		t.Fatal("all zones are taken: raise zoneCount")
		return ""
	}
}
