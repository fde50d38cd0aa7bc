package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/program"
)

// removeCommand deletes DNSForwardings and waits until what they wrote is taken back. Who uninstalls the controller first
// leaves objects that nobody can let go.
type removeCommand struct {
	program.Kubernetes `embed:""`

	Names    []string      `arg:"" name:"name" help:"DNSForwardings."`
	Patience time.Duration `default:"10m" help:"Longest time for the controller to take back what was written."`
}

func (r removeCommand) run(ctx context.Context, s streams) error {
	cfg, err := r.Config(userAgent())
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	api, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	return r.remove(ctx, api, s)
}

// lookAgain is the time from one look at what is left to the next.
const lookAgain = time.Second

func (r removeCommand) remove(ctx context.Context, api client.Client, s streams) error {
	for _, name := range r.Names {
		f := &v1alpha1.DNSForwarding{}
		f.Name = name
		if err := api.Delete(ctx, f); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete DNSForwarding %s: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	said := ""
	for {
		left, err := r.left(ctx, api)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("cannot look", "error", err)
		}
		if err == nil && len(left) == 0 {
			return nil
		}
		if text := strings.Join(left, "; "); text != said {
			s.log.Info("waiting for what was written to be taken back", "left", text)
			said = text
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("not taken back within %s: %s; is the controller running? An unreachable cluster is given up after orphanAfter of the DNSForwarding", r.Patience, said)
			}
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// left are the DNSForwardings that are still there, each with how far it is.
func (r removeCommand) left(ctx context.Context, api client.Reader) ([]string, error) {
	var left []string
	for _, name := range r.Names {
		var f v1alpha1.DNSForwarding
		switch err := api.Get(ctx, client.ObjectKey{Name: name}, &f); {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("read DNSForwarding %s: %w", name, err)
		default:
			left = append(left, fmt.Sprintf("%s in %d clusters", name, len(f.Status.Clusters)))
		}
	}
	return left, nil
}
