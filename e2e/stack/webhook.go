package stack

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// WebhookConfig says how our program runs.
type WebhookConfig struct {
	Name       string   // of the part, its log and its configuration file; default "webhook"
	Program    string   // path of the built program, from BuildWebhook
	ConfigYAML string   // its configuration file; empty runs it without one
	Kubeconfig string   // of the identity it reads claims with
	Args, Env  []string // in addition
	Unready    bool     // return as soon as it listens, for tests in which it cannot become ready
	APIPort    int      // 0 chooses a free port; a restarted webhook takes its predecessor's
}

// Webhook is our program, running.
type Webhook struct {
	*Part
	Program    string
	ConfigFile string // rewriting it reloads the configuration
	APIPort    int
	API        string // URL of the external-dns protocol
	Status     string // URL of metrics, health and readiness
}

// Webhook starts our program and waits until it is ready: its rules are valid and the claims are known.
func (s *Stack) Webhook(ctx context.Context, c WebhookConfig) (*Webhook, error) {
	w := &Webhook{Program: c.Program, APIPort: c.APIPort}
	var err error
	if w.APIPort == 0 {
		if w.APIPort, err = FreePort(); err != nil {
			return nil, err
		}
	}
	statusPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	api, status := fmt.Sprintf("127.0.0.1:%d", w.APIPort), fmt.Sprintf("127.0.0.1:%d", statusPort)
	w.API, w.Status = "http://"+api, "http://"+status

	name := cmp.Or(c.Name, "webhook")
	args := []string{"--listen=" + api, "--metrics-listen=" + status}
	if c.ConfigYAML != "" {
		dir := filepath.Join(s.Dir, name) // of its own: the webhook watches the whole directory
		w.ConfigFile = filepath.Join(dir, "config.yaml")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(w.ConfigFile, []byte(c.ConfigYAML), 0o600); err != nil {
			return nil, err
		}
		args = append(args, "--config="+w.ConfigFile)
	}
	if c.Kubeconfig != "" {
		args = append(args, "--kubeconfig="+c.Kubeconfig)
	}
	cmd := exec.Command(c.Program, append(args, c.Args...)...)
	cmd.Env = append(os.Environ(), c.Env...)
	path := "/readyz"
	if c.Unready {
		path = "/healthz"
	}
	w.Part, err = s.Start(ctx, name, AnswersOK(http.DefaultClient, w.Status+path), cmd)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Metrics reads the webhook's metrics.
func (w *Webhook) Metrics(ctx context.Context) (Metrics, error) {
	return Scrape(ctx, w.Status+"/metrics")
}

// Ready is nil while the webhook says it is ready, else what it says instead.
func (w *Webhook) Ready(ctx context.Context) error {
	return AnswersOK(http.DefaultClient, w.Status+"/readyz")(ctx)
}
