// Package fleet owns the tests of the compiled corednsconfig on real API servers.
package fleet

import (
	"path/filepath"

	"github.com/spokedns/spokedns/e2e/stack"
)

// definition is the path of the definition of DNSForwarding.
func definition() string {
	return filepath.Join(stack.Root(), "corednsconfig", "api", "v1alpha1", "dns.spokedns.io_dnsforwardings.yaml")
}
