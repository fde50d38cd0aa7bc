package etcd

import (
	"context"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// tidy takes away the guards of names below which nothing stands any more, the deepest first. It is a
// service to readers of the keys; what it cannot do is left for the next time.
func (a *apply) tidy(ctx context.Context) {
	if len(a.freed) == 0 || a.zone.reach(ctx, a.conn, a.rev) != nil {
		return
	}
	for _, level := range a.zone.idleGuards(a.freed) {
		for names := range slices.Chunk(level, maxOps/2) {
			var compares []clientv3.Cmp
			var ops []clientv3.Op
			for _, name := range names {
				key, dir := a.zone.guardKey(name), a.zone.path(name)
				for _, empty := range []span{{dir + "/", key}, {key + "\x00", dir + "0"}} {
					compares = append(compares, clientv3.Compare(clientv3.CreateRevision(empty.first).WithRange(empty.end), "=", 0))
				}
				ops = append(ops, clientv3.OpDelete(key))
			}
			if _, err := a.conn.commit(ctx, compares, ops); err != nil {
				return
			}
		}
	}
}

// idleGuards are the guards at and above the names that guard nothing, by depth, the deepest first.
func (z *zone) idleGuards(names []string) [][]string {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.replica == nil {
		return nil
	}
	depths := map[int][]string{}
	seen := map[string]bool{}
	consider := func(name string) {
		if _, stands := z.replica.guards[name]; stands && !seen[name] && !z.replica.needsGuard(name) {
			depth := strings.Count(name, ".")
			depths[depth] = append(depths[depth], name)
		}
		seen[name] = true
	}
	for _, name := range names {
		consider(name)
		z.guarded(name, typeA, consider)
	}
	var out [][]string
	for depth := 128; depth >= 0; depth-- {
		if len(depths[depth]) > 0 {
			out = append(out, depths[depth])
		}
	}
	return out
}
