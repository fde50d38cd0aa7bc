package stack

import (
	"context"
	"os/exec"
)

// Restart starts the API server again, at the same address and on the data it had; it must have ended.
func (a *APIServer) Restart(ctx context.Context, s *Stack) error {
	cmd := exec.Command(a.cmd.Path, a.cmd.Args[1:]...)
	cmd.Dir = a.dir
	part, err := s.Start(ctx, a.Name, a.ready(), cmd)
	if err == nil {
		a.Part = part
	}
	return err
}
