package rollout

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// server is a set of replicas and what each of them is to show.
type server struct {
	dialect.Server
	expect  expectation
	domain  string // of the cluster's own names; empty: these pods are not asked for them
	figures bool   // metrics can be had
}

// fallbackDomain is what nearly every cluster calls itself.
const fallbackDomain = "cluster.local"

// servers are the sets of replicas that are to run want, written at the given time over what is in old.
func servers(d, old *dialect.Dialect, change dialect.Change, want []corefile.Forward, written time.Time) []server {
	domain := cmp.Or(d.ClusterDomain, fallbackDomain)
	all := []server{{
		Server: d.Cluster, domain: domain, figures: metricsPort(d.Cluster) != 0,
		expect: expect(d.Cluster, old.Cluster, change.Cluster, want, written),
	}}
	if d.NodeLocal != nil {
		before := dialect.Server{}
		if old.NodeLocal != nil {
			before = *old.NodeLocal
		}
		all = append(all, server{
			Server: *d.NodeLocal, figures: metricsPort(*d.NodeLocal) != 0,
			expect: expect(*d.NodeLocal, before, change.NodeLocal, want, written),
		})
	}
	return all
}

// metricsPort is where a pod serves metrics; through its tunnel also those for itself alone can be had. 0: nowhere.
func metricsPort(s dialect.Server) int {
	if s.MetricsPort != 0 {
		return s.MetricsPort
	}
	_, port, err := net.SplitHostPort(s.Site.Prometheus)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}

// expect is what the replicas of a server show once they run the candidate.
func expect(now, old dialect.Server, candidate *dialect.Candidate, want []corefile.Forward, written time.Time) expectation {
	e := expectation{Hash: predict(candidate), Written: written}
	if now.Site.Prometheus == "" && candidate != nil {
		return e // blocks without metrics show no zones
	}
	before := forwarded(old)
	e.Zones = zonesOf(want)
	after := e.Zones
	if candidate != nil {
		after = slices.Concat(after, forwardedBy(candidate.Corefile, candidate.Process))
	}
	e.Gone = minus(before, after)
	e.Telling = len(minus(e.Zones, before)) > 0 || len(e.Gone) > 0
	return e
}

// predict is the hash the candidate will be reported with; empty: it cannot be known.
func predict(c *dialect.Candidate) string {
	if c == nil || c.Derived {
		return ""
	}
	file, err := corefile.Parse(c.Corefile, c.Process)
	if err != nil {
		return ""
	}
	algorithm, sum, err := file.Hash(c.Site.Version)
	if err != nil {
		return ""
	}
	return algorithm + ":" + sum
}

func forwarded(s dialect.Server) []string { return forwardedBy(s.Corefile, s.Process) }

// forwardedBy are the zones with a forward plugin beside a prometheus plugin, as the metrics write them.
func forwardedBy(src []byte, p corefile.Process) []string {
	if src == nil {
		return nil
	}
	file, err := corefile.Parse(src, p)
	if err != nil {
		return nil
	}
	var zones []string
	for _, b := range file.Blocks() {
		if !slices.Contains(b.Plugins, "forward") || !slices.Contains(b.Plugins, "prometheus") {
			continue
		}
		for _, k := range b.Keys {
			zones = append(zones, canonicalZone(k.Zone))
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}
