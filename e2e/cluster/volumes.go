package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// addVolumes makes persistent volumes of the node's disk, as an administrator of a cluster without a provisioner does.
func (c *Cluster) addVolumes(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	var manifest strings.Builder
	for i := range n {
		name := fmt.Sprintf("volume-%d", i)
		path := filepath.Join(c.Dir, "volumes", name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		fmt.Fprintf(&manifest, `---
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  capacity: {storage: 8Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  local: {path: %q}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]}}
`, name, path, c.Name)
	}
	_, err := c.Kubectl(ctx, manifest.String(), "apply", "--server-side", "--filename", "-")
	return err
}
