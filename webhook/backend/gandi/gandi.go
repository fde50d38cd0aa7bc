// Package gandi owns domains in Gandi LiveDNS.
package gandi

import (
	_ "github.com/go-gandi/go-gandi"          // until the code comes
	_ "github.com/hashicorp/go-retryablehttp" // until the code comes
)
