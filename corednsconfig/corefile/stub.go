package corefile

import (
	"errors"
	"net/netip"

	_ "github.com/coredns/caddy/caddyfile"
	_ "github.com/coredns/corefile-migration/migration"
)

// File is a parsed Corefile.
type File struct{}

// Key is one address of a server block.
type Key struct {
	// Zone in lower case without trailing dot; "" is the root, written "." in a Corefile. A CIDR such as 10.0.0.0/24 is
	// the reverse zone it stands for.
	Zone string
	// Port, with the default of the transport filled in.
	Port int
	// Transport: dns, tls, quic, grpc, https, https3.
	Transport string
}

// Block is one server block.
type Block struct {
	// Keys are its addresses.
	Keys []Key
	// File is the absolute path of the imported file it is in; empty: the Corefile itself.
	File string
	// Line of its first address, from 1.
	Line int
	// Start and End are its bytes in the Corefile: from its mark or first address to behind its closing brace. Both 0 if
	// it comes from an import or a snippet.
	Start, End int
	// Bind holds the arguments of its bind plugins, as they are written.
	Bind []string
	// Plugins are the names of its directives, in order of appearance, each once.
	Plugins []string
	// Ours is true of a block that we wrote: its mark's checksum fits its content, or, when a migration has dropped the
	// comments, its content is what we write.
	Ours bool
	// Altered is true of a block with our mark that is no longer what we wrote.
	Altered bool
}

// Parse reads a Corefile as CoreDNS would. The error is a *Fault of reason Syntax, Import or Address.
func Parse(src []byte, p Process) (*File, error) { return nil, errors.New("not there yet") }

// Blocks are the server blocks, those of imported files included, in the order in which CoreDNS sees them.
func (f *File) Blocks() []Block { return nil }

// Imports are the file patterns that the Corefile imports, as absolute paths, each once: "/etc/coredns/custom/*.server"
// at top level, "/etc/coredns/custom/*.override" in a block. Snippets are not among them.
func (f *File) Imports() []ImportPattern { return nil }

// ImportPattern is one import of files.
type ImportPattern struct {
	// Pattern is the absolute path, perhaps with a wildcard.
	Pattern string
	// TopLevel: the imported files hold server blocks; else they hold directives for the block at Line.
	TopLevel bool
	// File and Line of the import directive.
	File string
	Line int
}

// Site is what this Corefile dictates for our blocks, without the Version, which is not in it. The error is a *Fault of
// reason NoDefault or Bind.
func (f *File) Site() (Site, error) { return Site{}, errors.New("not there yet") }

// ClusterDomains are the forward zones of the kubernetes plugins in the file: "cluster.local" as a rule.
func (f *File) ClusterDomains() []string { return nil }

// Hash is what CoreDNS of version v reports for this content as coredns_reload_version_info{hash=algorithm,value=sum} and
// logs as "Running configuration". It depends on line numbers, on the paths and contents of imports, and on the
// environment; an error says that one of those is not known.
func (f *File) Hash(v Version) (algorithm, sum string, err error) {
	return "", "", errors.New("not there yet")
}

// Edit puts blocks for want into src, changes those that are there, and takes out those no longer wanted; want nil
// takes out all. Nothing else moves: with no block of ours in src,
//
//	Edit(Edit(src, want, site), nil, site) == src
//	Edit(Edit(src, want, site), want, site) == Edit(src, want, site)
//
// A src in which our blocks already say what is wanted comes back as it is. Every edit is proved with CoreDNS's own
// lexer and parser before it is handed out. An error is one or more *Fault, and then src must be left alone.
//
// src may be empty: then the result is a file of our blocks alone, as a key of a custom ConfigMap holds it.
func Edit(src []byte, want []Forward, site Site) ([]byte, error) { return nil, errors.New("not there yet") }

// Rules are what Check holds a Corefile against.
type Rules struct {
	// Want are the forwards that must be in the file, on the site's port and bind.
	Want []Forward
	// Site dictates port, bind and version.
	Site Site
	// ClusterDNS are the addresses of this cluster's own DNS: the Service, node-local caches, the pods.
	ClusterDNS []netip.Addr
	// ClusterDomain is the cluster's domain, if known; the zones of the kubernetes plugin count besides.
	ClusterDomain string
	// Plugins are known to be in this cluster's CoreDNS besides those of the release.
	Plugins []string
	// Migration: kubeadm or Cluster API may migrate this Corefile, so what they would do to our blocks counts.
	Migration bool
}

// Check is the static gate: all that can be known to be wrong with a Corefile before a CoreDNS reads it. The error joins
// one *Fault per finding (see [Faults]); nil means that nothing was found, not that CoreDNS will load it.
func Check(src []byte, p Process, rules Rules) error { return errors.New("not there yet") }
