package corefile

import (
	"errors"
	"fmt"
)

// Reason says what kind of thing is wrong. The values are fit for the reason of a Kubernetes condition.
type Reason string

const (
	// Syntax: CoreDNS cannot parse the file, or we cannot tell how it would.
	Syntax Reason = "Syntax"
	// Import: an import that CoreDNS cannot carry out.
	Import Reason = "Import"
	// Address: the address of a server block (zone, port, transport) is not one.
	Address Reason = "Address"
	// Duplicate: one zone on one port is served twice; CoreDNS does not start.
	Duplicate Reason = "Duplicate"
	// UserZone: a zone we are to forward is already served by a block that is not ours.
	UserZone Reason = "UserZone"
	// Altered: a block carries our mark, is no longer what we wrote, and serves a zone nobody asked us to forward.
	Altered Reason = "Altered"
	// Port: our block listens on another port than the default block, so it would never be asked.
	Port Reason = "Port"
	// Bind: our block is bound to other addresses than the default block, so it would never be asked.
	Bind Reason = "Bind"
	// Missing: a zone we are to forward is in no block.
	Missing Reason = "Missing"
	// Plugin: a directive that the CoreDNS of this version does not have.
	Plugin Reason = "Plugin"
	// Option: an option or an argument that the plugin of this version does not have, or refuses.
	Option Reason = "Option"
	// ClusterDomain: a zone we are to forward overlaps the cluster's own names.
	ClusterDomain Reason = "ClusterDomain"
	// Zone: a zone we are to forward is no domain name, or appears twice.
	Zone Reason = "Zone"
	// Upstream: an address that cannot be forwarded to.
	Upstream Reason = "Upstream"
	// Loop: an upstream that is this cluster's own DNS.
	Loop Reason = "Loop"
	// Migration: kubeadm's and Cluster API's migration of Corefiles would refuse or spoil our block.
	Migration Reason = "Migration"
	// NoDefault: there is no block for "." whose port and bind ours could follow.
	NoDefault Reason = "NoDefault"
	// Unproven: the edit could not be proved to leave everything else as it was. A bug of ours; nothing was written.
	Unproven Reason = "Unproven"
)

// Fault is one finding, with its place.
type Fault struct {
	// File is the absolute path of the imported file it is in; empty: the Corefile itself.
	File string
	// Line counts from 1; 0: the finding has no line, for example a wanted zone that is no domain name.
	Line   int
	Reason Reason
	// Ours: the finding is about a wish or a block of ours; else about what is in the Corefile without us.
	Ours bool
	// Text says what is wrong and what would be right.
	Text string
}

// Error is "Corefile:12: text", or "file:12: text" in an import.
func (f *Fault) Error() string {
	file := f.File
	if file == "" {
		file = "Corefile"
	}
	if f.Line == 0 {
		return file + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", file, f.Line, f.Text)
}

// Faults lists the faults joined in err, in their order. An error of another kind is not among them.
func Faults(err error) []*Fault {
	var fault *Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Fault
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
		return all
	}
	if errors.As(err, &fault) {
		return []*Fault{fault}
	}
	return nil
}
