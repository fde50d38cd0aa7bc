// Package corefile owns the text of a Corefile: what its server blocks are, byte for byte, how blocks of ours are put
// in, changed and taken out without another byte moving, and what can be known to be wrong before CoreDNS reads it.
//
// The package is pure. Files that a Corefile imports, the environment of the CoreDNS process and its flags are values
// ([Process]); nothing is read from disk, network or the environment of the program that links it.
//
// The order of use:
//
//	file, err := corefile.Parse(src, process)       // what is there
//	site, err := file.Site()                        // what it dictates for our blocks
//	next, err := corefile.Edit(src, want, site)     // our blocks put in, or refused
//	err = corefile.Check(next, process, rules)      // the static gate
//	file, err = corefile.Parse(next, process)
//	_, hash, err := file.Hash(site.Version)         // what CoreDNS will report once it runs it
package corefile

import "net/netip"

// Forward is one thing we want: queries for Zones are sent to the Upstreams.
type Forward struct {
	// Zones are domain names: lower case, no trailing dot, for example "openmcp.cluster". Any spelling is accepted
	// and brought into that form.
	Zones []string
	// Upstreams are the DNS servers asked, the first that answers wins, in this order. Port 0 is 53.
	Upstreams []netip.AddrPort
}

// Site is what the surrounding Corefile, and the CoreDNS that reads it, dictate for a block of ours. A block with another
// port or another bind loads without complaint and is never asked.
type Site struct {
	// Port of the default block: 53, 8053 at Gardener, 5353 at OpenShift.
	Port int
	// Bind holds the arguments of the default block's bind plugin as they are written; none: no bind.
	Bind []string
	// Prometheus is the address of the default block's prometheus plugin as it is written, for example ":9153". Our
	// block repeats it, so that the roll-out can be seen as coredns_plugin_enabled{name="forward",zone="…"}. Empty: the
	// default block has none, and neither has ours.
	Prometheus string
	// Version of the CoreDNS that will read the file. It decides which options the block may use; the zero Version
	// means unknown, and then only options every CoreDNS in use understands are written. Not in the Corefile: the
	// caller fills it in from the image.
	Version Version
}

// Process is what the meaning of a Corefile depends on besides its bytes. The zero Process is a CoreDNS on port 53 that
// reads /etc/coredns/Corefile, of whose imports and environment nothing is known.
type Process struct {
	// Path is the absolute path of the Corefile in the process, the argument of -conf. Imports are relative to its
	// directory. Empty: /etc/coredns/Corefile.
	Path string
	// Port is the argument of -dns.port. 0: 53.
	Port int
	// Imports are the files that an import directive can find, by absolute path. Nil: unknown, then imports of files
	// are stepped over; not nil and a file without wildcard is not among them: a fault, as it is for CoreDNS.
	Imports map[string][]byte
	// Env is the environment for references such as {$POD_IP}. Nil: unknown, then references stay as they are; not nil:
	// a variable that is not there is empty, as it is for CoreDNS.
	Env map[string]string
}
