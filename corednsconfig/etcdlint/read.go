package etcdlint

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// pageSize is how many keys are asked for at a time: a page stays far below what a reply may hold, and
// smaller ones are slower.
const pageSize = 10_000

// Read reads all keys below the path as of one revision, which it returns with them.
func Read(ctx context.Context, kv clientv3.KV, path string) (keys []Key, revision int64, err error) {
	first, end := path+"/", clientv3.GetPrefixRangeEnd(path+"/")
	for {
		resp, err := kv.Get(ctx, first, clientv3.WithRange(end), clientv3.WithRev(revision), clientv3.WithLimit(pageSize))
		if err != nil {
			return nil, 0, fmt.Errorf("read the keys below %s: %w", path, err)
		}
		if revision == 0 {
			revision, keys = resp.Header.Revision, make([]Key, 0, resp.Count)
		}
		for _, k := range resp.Kvs {
			keys = append(keys, Key{Name: string(k.Key), Value: k.Value, Leased: k.Lease != 0})
		}
		if !resp.More || len(resp.Kvs) == 0 {
			return keys, revision, nil
		}
		first = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
}
