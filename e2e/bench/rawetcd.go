package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/external-dns/endpoint"
)

// rawEtcd is the shortest client of CoreDNS's layout that still does not overwrite what others wrote:
// transactions of 128 operations, each guarded by "there is no such key", eight transactions at a time.
type rawEtcd struct{ client *clientv3.Client }

// service is the value of a key (SkyDNS's format).
type service struct {
	Host string `json:"host,omitempty"`
	Text string `json:"text,omitempty"`
	TTL  int    `json:"ttl,omitempty"`
}

func keyOf(prefix string, e *endpoint.Endpoint) string {
	labels := strings.Split(e.DNSName, ".")
	slices.Reverse(labels)
	return prefix + "/" + strings.Join(labels, "/") + "/0123abcd"
}

func (r rawEtcd) create(ctx context.Context, prefix string, eps []*endpoint.Endpoint) error {
	const operations, workers = 128, 8 // as many guards again
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for part := range slices.Chunk(eps, operations) {
		g.Go(func() error {
			var guards []clientv3.Cmp
			var puts []clientv3.Op
			for _, e := range part {
				s := service{TTL: int(e.RecordTTL)}
				if e.RecordType == endpoint.RecordTypeTXT {
					s.Text = e.Targets[0]
				} else {
					s.Host = e.Targets[0]
				}
				value, err := json.Marshal(s)
				if err != nil {
					return err
				}
				key := keyOf(prefix, e)
				guards = append(guards, clientv3.Compare(clientv3.ModRevision(key), "=", 0))
				puts = append(puts, clientv3.OpPut(key, string(value)))
			}
			answer, err := r.client.Txn(ctx).If(guards...).Then(puts...).Commit()
			if err == nil && !answer.Succeeded {
				err = fmt.Errorf("one of %d keys from %s on exists", len(part), keyOf(prefix, part[0]))
			}
			return err
		})
	}
	return g.Wait()
}

// list reads everything below the prefix in one range and merges it into endpoints through one map.
func (r rawEtcd) list(ctx context.Context, prefix string) (int, error) {
	answer, err := r.client.Get(ctx, prefix+"/", clientv3.WithPrefix())
	if err != nil {
		return 0, err
	}
	merged := make(map[string]*endpoint.Endpoint, len(answer.Kvs))
	for _, kv := range answer.Kvs {
		var s service
		if err := json.Unmarshal(kv.Value, &s); err != nil {
			return 0, err
		}
		labels := strings.Split(strings.TrimPrefix(string(kv.Key), prefix+"/"), "/")
		labels = labels[:len(labels)-1]
		slices.Reverse(labels)
		name, typ, value := strings.Join(labels, "."), endpoint.RecordTypeA, s.Host
		if s.Text != "" {
			typ, value = endpoint.RecordTypeTXT, s.Text
		}
		if e, ok := merged[name+" "+typ]; ok {
			e.Targets = append(e.Targets, value)
			continue
		}
		merged[name+" "+typ] = &endpoint.Endpoint{DNSName: name, RecordType: typ, RecordTTL: endpoint.TTL(s.TTL), Targets: endpoint.Targets{value}}
	}
	return len(merged), nil
}

// count is how many keys there are below the prefix.
func (r rawEtcd) count(ctx context.Context, prefix string) (int64, error) {
	answer, err := r.client.Get(ctx, prefix+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return answer.Count, nil
}

// fence is a linearizable read of one key: what it costs to be sure of having seen every write.
func (r rawEtcd) fence(ctx context.Context) error {
	_, err := r.client.Get(ctx, "/fence")
	return err
}
