//go:build !linux

package program

// unmapProgram does nothing where it is not known how.
func unmapProgram() {}
