// Package chain owns zones behind another external-dns webhook provider.
package chain

import (
	_ "golang.org/x/sync/errgroup" // until the code comes
)
