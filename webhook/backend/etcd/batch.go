package etcd

import clientv3 "go.etcd.io/etcd/client/v3"

// batch is one transaction: whole units, within etcd's limits.
type batch struct {
	plans    []*plan
	compares []clientv3.Cmp
	ops      []clientv3.Op
	above    map[string]struct{} // names whose guard is seen to
	spans    map[span]struct{}   // where its plans write
	bytes    int
}

func newBatch() *batch {
	return &batch{
		above: map[string]struct{}{}, spans: map[span]struct{}{},
		compares: make([]clientv3.Cmp, 0, maxOps), ops: make([]clientv3.Op, 0, maxOps),
	}
}

// room is what a plan takes in a transaction of its own.
func (p *plan) room() (compares, ops, bytes int) {
	compares = len(p.spans) + len(p.fresh) + len(p.dels) + len(p.keeps)
	ops = len(p.puts) + len(p.dels)
	for _, a := range p.above {
		if a.guarded {
			compares++
		} else {
			ops++
		}
	}
	for _, w := range p.puts {
		bytes += len(w.key) + len(w.value) + 64
	}
	return compares, ops, bytes
}

// large reports whether the plan needs more than one transaction.
func (p *plan) large() bool {
	compares, ops, bytes := p.room()
	return compares > maxOps || ops > maxOps || bytes > maxBytes
}

// fits reports whether there is room for the plan, and no other plan for the same name: the conditions
// of a transaction are looked at before any of it is done, so those two would not see each other.
func (b *batch) fits(p *plan) bool {
	for _, s := range p.spans {
		if _, taken := b.spans[s]; taken {
			return false
		}
	}
	compares, ops, bytes := p.room()
	return len(b.compares)+compares <= maxOps && len(b.ops)+ops <= maxOps && b.bytes+bytes <= maxBytes
}

func (b *batch) add(p *plan) {
	_, _, bytes := p.room()
	b.bytes += bytes
	b.plans = append(b.plans, p)
	for _, s := range p.spans {
		b.spans[s] = struct{}{}
	}
	b.compares = p.compares(b.compares)
	b.ops = p.operations(b.ops)
	for _, a := range p.above {
		if _, seen := b.above[a.name]; seen {
			continue
		}
		b.above[a.name] = struct{}{}
		if a.guarded {
			// Whoever clears it away in this moment makes the transaction fail, and the next one puts it back.
			b.compares = append(b.compares, clientv3.Compare(clientv3.CreateRevision(p.guardKey(a.name)), ">", 0))
		} else {
			b.ops = append(b.ops, guardOp(p.layout, a.name))
		}
	}
}

func guardOp(l layout, name string) clientv3.Op {
	g := guard(name)
	return clientv3.OpPut(l.guardKey(name), g.encode())
}
