// Package knot owns Knot DNS's control tool: its commands, run as a program.
package knot

// Unreachable says that the tool got no answer at the control socket.
type Unreachable struct {
	Socket string
	Err    error
}

// Error reads "knotc: /run/knot/knot.sock is not reached: …".
func (e *Unreachable) Error() string {
	return "knotc: " + e.Socket + " is not reached: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

type Tool struct{}

func New(program, socket string) *Tool { return &Tool{} }
