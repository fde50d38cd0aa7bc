package stack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// WebhookServerURL is where external-dns serves the webhook protocol; it has no setting for it.
const WebhookServerURL = "http://" + webhookServerAddress

const webhookServerAddress = "127.0.0.1:8888"

// WebhookServerConfig says which provider an external-dns serves as a webhook.
type WebhookServerConfig struct {
	Version string   // of external-dns: "v0.21" (the default) or "v0.20"
	Args    []string // the provider and its settings
}

// RFC2136Provider is external-dns's own provider for DNS servers, on a BIND.
func RFC2136Provider(n *Named, zones ...string) []string {
	host, port, _ := net.SplitHostPort(n.Addr)
	args := []string{
		"--provider=rfc2136", "--rfc2136-host=" + host, "--rfc2136-port=" + port, "--rfc2136-tsig-axfr",
		"--rfc2136-tsig-keyname=" + n.Key.Name, "--rfc2136-tsig-secret=" + n.Key.Secret, "--rfc2136-tsig-secret-alg=" + n.Key.Algorithm,
	}
	for _, zone := range zones {
		args = append(args, "--rfc2136-zone="+zone, "--domain-filter="+zone)
	}
	return args
}

// WebhookServer starts the real external-dns as a webhook server and waits until it answers at
// WebhookServerURL. The port is fixed, so there is one at a time on a machine: a lock that the process
// holds for its life makes others wait.
func (s *Stack) WebhookServer(ctx context.Context, c WebhookServerConfig) (*Part, error) {
	version := c.Version
	if version == "" {
		version = "v0.21"
	}
	program, err := Tool("external-dns-" + version)
	if err != nil {
		return nil, err
	}
	turn, err := takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer turn.Close() // the process keeps its own
	l, err := net.Listen("tcp", webhookServerAddress)
	if err != nil {
		return nil, fmt.Errorf("external-dns --webhook-server has to listen on %s, which another program does: %w", webhookServerAddress, err)
	}
	_ = l.Close()
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	args := []string{"--webhook-server", "--source=fake", fmt.Sprintf("--metrics-address=127.0.0.1:%d", port)}
	cmd := exec.Command(program, append(args, c.Args...)...)
	cmd.ExtraFiles = []*os.File{turn}
	return s.Start(ctx, "webhook-server", AnswersOK(http.DefaultClient, WebhookServerURL+"/"), cmd)
}

// takeTurn waits for the lock of the fixed port. It is free when the returned file is closed in every
// process that has it.
func takeTurn(ctx context.Context) (*os.File, error) {
	path := filepath.Join(os.TempDir(), "spokedns-e2e-webhook-server.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for the webhook server of another test (%s): %w", path, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
