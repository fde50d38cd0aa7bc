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

// since is when the candidate was written, and from when on no process can have read anything older.
type since struct{ written, safe time.Time }

// staleMount is how long a container that was started again may see an old file: the kubelet refreshes what is mounted
// in a pod that it already has once a minute or so.
const staleMount = 2 * time.Minute

// sinceWritten is for a candidate that not every replica is known to have loaded.
func sinceWritten(t time.Time) since { return since{t, t.Add(staleMount)} }

// sinceLoaded is for what the memory knows: once every replica has loaded it, the mounts are up to date.
func sinceLoaded(m *memory) since {
	if m.Phase == settled && !m.Loaded.IsZero() {
		return since{m.Written, m.Loaded}
	}
	return sinceWritten(m.Written)
}

// servers are the sets of replicas that are to run the change, made over what is in old.
func servers(d, old *dialect.Dialect, change dialect.Change, since since) []server {
	domain := cmp.Or(d.ClusterDomain, fallbackDomain)
	all := []server{{
		Server: d.Cluster, domain: domain, figures: metricsPort(d.Cluster) != 0,
		expect: expect(d.Cluster, old.Cluster, change.Cluster, since),
	}}
	if d.NodeLocal != nil {
		before := dialect.Server{}
		if old.NodeLocal != nil {
			before = *old.NodeLocal
		}
		all = append(all, server{
			Server: *d.NodeLocal, figures: metricsPort(*d.NodeLocal) != 0,
			expect: expect(*d.NodeLocal, before, change.NodeLocal, since),
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
func expect(now, old dialect.Server, candidate *dialect.Candidate, since since) expectation {
	e := expectation{Hash: predict(candidate), Written: since.written, Safe: since.safe}
	if now.Site.Prometheus == "" || candidate == nil {
		return e // blocks without metrics show no zones, and what somebody else will render is not known
	}
	before := shownZones(old.Corefile, old.Process)
	e.Zones = shownZones(candidate.Corefile, candidate.Process)
	e.Gone = minus(before, e.Zones)
	e.Telling = len(e.Gone) > 0 || len(minus(e.Zones, before)) > 0
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

// shownZones are the zones that the metrics show with a forward plugin: of each block with a prometheus plugin the first.
func shownZones(src []byte, p corefile.Process) []string {
	if src == nil {
		return nil
	}
	file, err := corefile.Parse(src, p)
	if err != nil {
		return nil
	}
	var zones []string
	for _, b := range file.Blocks() {
		if len(b.Keys) > 0 && slices.Contains(b.Plugins, "forward") && slices.Contains(b.Plugins, "prometheus") {
			zones = append(zones, canonicalZone(b.Keys[0].Zone))
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}
