package rollout

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// Replicas are asked one by one, at their pods. Clients ask an address: that of the Service, or a node-local one, and what
// lies between can fail by itself. So a roll-out ends with a CoreDNS in a pod that asks those addresses as clients
// do, and is asked by us.

// clientsFailing is the reason where replicas answer and their clients get no answers.
const clientsFailing = "ClientsFailing"

// askAsClients asks every address that clients have, remembers what failed, and judges Resolving anew. Where no pod can
// be run, or none is wanted, nothing is found out. It never leads to an edit: the replicas answer.
func (v *visit) askAsClients(ctx context.Context) error {
	if v.wish.Gate == GateOff || !v.report.Is(Resolving) && v.report.Condition(Resolving).Reason != clientsFailing {
		return nil
	}
	parent := ctx
	ctx, cancel := context.WithTimeout(parent, v.e.opts.Trial)
	defer cancel()
	addrs := v.d.Cluster.Addresses
	if v.d.NodeLocal != nil {
		addrs = append(addrs[:len(addrs):len(addrs)], v.d.NodeLocal.Addresses...)
	}
	why := make([]string, len(addrs))
	var g errgroup.Group
	for i, addr := range addrs {
		g.Go(func() error {
			f, err := v.tryInPod(ctx, v.clientOf(addr))
			if err != nil {
				v.log.Info("clients' way to cluster DNS not tried", "address", addr, "err", err)
				return nil
			}
			why[i] = unanswered(addr, f)
			return nil
		})
	}
	_ = g.Wait()
	if err := parent.Err(); err != nil {
		return err
	}
	var failed []string
	for _, w := range why {
		if w != "" {
			failed = append(failed, w)
		}
	}
	before := v.memory.Unanswered
	if v.memory.Unanswered = strings.Join(failed, "; "); v.memory.Unanswered == before {
		return nil
	}
	v.judgeClients()
	return v.remember(parent)
}

func (v *visit) judgeClients() {
	switch {
	case v.memory.Unanswered != "" && v.wish.Gate != GateOff:
		v.report.no(Resolving, clientsFailing, "the replicas answer, and their clients get no answers: %s", v.memory.Unanswered)
	case v.report.Condition(Resolving).Reason == clientsFailing:
		v.report.yes(Resolving, "Resolving", "clients are answered again")
	}
}

// clientOf is a CoreDNS that hands everything on to one address, over UDP as clients do, although we ask it over TCP.
func (v *visit) clientOf(addr netip.Addr) trial {
	forwarded := questions(v.wish)[0]
	return trialOf(dialect.Candidate{
		Corefile: fmt.Appendf(nil, ".:%d {\n    errors\n    forward . %s {\n        prefer_udp\n        max_fails 0\n    }\n}\n", portOf(v.d.Cluster), addr),
		Process:  corefile.Process{Path: v.d.Cluster.Process.Path},
	}, cmp.Or(v.d.ClusterDomain, fallbackDomain), &forwarded)
}

// unanswered is what a client of the address misses; empty: nothing, or it is not known.
func unanswered(addr netip.Addr, f finding) string {
	switch {
	case !f.Loaded:
		return ""
	case !f.Cluster.OK:
		return fmt.Sprintf("%s does not answer the cluster's own names: %s", addr, f.Cluster.Why)
	case !f.Forwarded.OK:
		return fmt.Sprintf("%s does not answer what is forwarded: %s", addr, f.Forwarded.Why)
	}
	return ""
}
