package central

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Seed writes the landscape's own keys where they are missing or differ, and deletes name servers of its
// zones that are no longer asked for. It returns the keys it wrote or deleted. kv has the rights of root.
func Seed(ctx context.Context, kv clientv3.KV, l Landscape) ([]string, error) {
	if err := l.Validate(); err != nil {
		return nil, fmt.Errorf("central: %w", err)
	}
	var changed []string
	keys := l.Keys()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		// One step, so that two who do this at a time write it once.
		resp, err := kv.Txn(ctx).If(clientv3.Compare(clientv3.Value(key), "=", keys[key])).Else(clientv3.OpPut(key, keys[key])).Commit()
		if err != nil {
			return changed, fmt.Errorf("central: write %s: %w", key, err)
		}
		if !resp.Succeeded {
			changed = append(changed, key)
		}
	}
	for _, zone := range l.allZones() {
		dir := l.keyPath(zone) + nameServers
		stands, err := kv.Get(ctx, dir, clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			return changed, fmt.Errorf("central: read %s: %w", dir, err)
		}
		for _, kv1 := range stands.Kvs {
			key := string(kv1.Key)
			if _, wanted := keys[key]; wanted || strings.Trim(key[len(dir):], "0123456789") != "" {
				continue
			}
			if _, err := kv.Delete(ctx, key); err != nil {
				return changed, fmt.Errorf("central: delete %s: %w", key, err)
			}
			changed = append(changed, key)
		}
	}
	return changed, nil
}
