// Package site_test owns the proof of the ipcontroller on real parts: replicas of the compiled program on a
// real API server with the documented rights, real operators to ask, and everything that can go wrong with
// them. What is asserted is what a user sees: the ConfigMap, Events, /raw and the metrics.
package site_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/e2e/stack"
)

// parts are what all tests share because starting them takes time.
type parts struct {
	*stack.Stack
	cluster
	program string
}

// cluster is an API server that writes down who asked it for what.
type cluster struct {
	api    *stack.APIServer
	client kubernetes.Interface // of an administrator
	audit  string               // path of its audit log
}

// together is how what TestMain ends gets to the tests that start it.
var together struct {
	sync.Once
	*parts
	err error
}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "20") // tests wait for clocks most of the time
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
	dir, err := os.MkdirTemp("", "spokedns-site-")
	if err != nil {
		return nil, err
	}
	p := &parts{Stack: stack.New(dir)}
	// No test's context: the parts outlive the test that started them.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if p.program, err = stack.BuildIPController(ctx, dir); err == nil {
		p.cluster, err = startCluster(ctx, p.Stack)
	}
	if err != nil {
		p.Close()
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

// startCluster starts an API server.
func startCluster(ctx context.Context, s *stack.Stack) (c cluster, err error) {
	policy := filepath.Join(s.Dir, "audit-policy.yaml")
	c.audit = filepath.Join(s.Dir, "audit.log")
	const all = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
	if err := os.WriteFile(policy, []byte(all), 0o600); err != nil {
		return c, err
	}
	c.api, err = s.APIServer(ctx, stack.APIServerConfig{Flags: []string{"--audit-policy-file=" + policy, "--audit-log-path=" + c.audit}})
	if err != nil {
		return c, fmt.Errorf("API server: %w", err)
	}
	c.client, err = kubernetes.NewForConfig(c.api.Config)
	return c, err
}
