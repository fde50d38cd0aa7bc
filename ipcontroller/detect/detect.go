// Package detect owns how a site finds out its public addresses: by asking several independent operators
// and believing only what enough of them agree on.
package detect

import (
	_ "github.com/pion/stun/v3"         // until the code comes
	_ "golang.org/x/net/dns/dnsmessage" // until the code comes
)
