package etcd

import clientv3 "go.etcd.io/etcd/client/v3"

// batch is one transaction: whole units, within etcd's limits.
type batch struct {
	plans                []*plan
	above                map[string]bool     // names whose guard is seen to, and whether it stands
	spans                map[string]struct{} // where its plans write, by the first key
	compares, ops, bytes int                 // what they take
}

func newBatch() *batch {
	return &batch{
		plans: make([]*plan, 0, maxOps/2), above: map[string]bool{}, spans: make(map[string]struct{}, maxOps),
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
		if _, taken := b.spans[s.first]; taken {
			return false
		}
	}
	compares, ops, bytes := p.room()
	return b.compares+compares <= maxOps && b.ops+ops <= maxOps && b.bytes+bytes <= maxBytes
}

func (b *batch) add(p *plan) {
	b.plans = append(b.plans, p)
	for _, s := range p.spans {
		b.spans[s.first] = struct{}{}
	}
	compares, ops, bytes := p.room()
	for _, a := range p.above {
		if _, seen := b.above[a.name]; !seen {
			b.above[a.name] = a.guarded
		} else if a.guarded {
			compares--
		} else {
			ops--
		}
	}
	b.compares, b.ops, b.bytes = b.compares+compares, b.ops+ops, b.bytes+bytes
}

// transaction is what the plans ask of etcd. It is put together only when it is sent, so that this is
// done for several batches at a time.
func (b *batch) transaction() ([]clientv3.Cmp, []clientv3.Op) {
	compares, ops := make([]clientv3.Cmp, 0, b.compares), make([]clientv3.Op, 0, b.ops)
	for _, p := range b.plans {
		compares, ops = p.compares(compares), p.operations(ops)
	}
	l := b.plans[0].layout
	for name, stands := range b.above {
		if stands {
			// Whoever clears it away in this moment makes the transaction fail, and the next one puts it back.
			compares = append(compares, clientv3.Compare(clientv3.CreateRevision(l.guardKey(name)), ">", 0))
		} else {
			ops = append(ops, guardOp(l, name))
		}
	}
	return compares, ops
}

func guardOp(l layout, name string) clientv3.Op {
	g := guard(name)
	return clientv3.OpPut(l.guardKey(name), g.encode())
}
