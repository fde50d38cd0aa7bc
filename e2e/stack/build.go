package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildWebhook builds the webhook from this checkout into dir, as the Makefile does for releases, and
// returns its path.
func BuildWebhook(ctx context.Context, dir string) (string, error) { return build(ctx, dir, "webhook") }

// BuildIPController is BuildWebhook for the ipcontroller.
func BuildIPController(ctx context.Context, dir string) (string, error) {
	return build(ctx, dir, "ipcontroller")
}

// BuildCorednsconfig is BuildWebhook for corednsconfig.
func BuildCorednsconfig(ctx context.Context, dir string) (string, error) {
	return build(ctx, dir, "corednsconfig")
}

// BuildZonecontroller is BuildWebhook for the zonecontroller.
func BuildZonecontroller(ctx context.Context, dir string) (string, error) {
	return build(ctx, dir, "zonecontroller")
}

func build(ctx context.Context, dir, program string) (string, error) {
	path := filepath.Join(dir, "spokedns-"+program)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w:\n%s", program, err, out)
	}
	return path, nil
}
