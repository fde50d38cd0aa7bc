// Package fleet owns which clusters there are and how each is reached.
package fleet

import (
	_ "sigs.k8s.io/controller-runtime"
	_ "sigs.k8s.io/controller-runtime/pkg/client/fake"
)
