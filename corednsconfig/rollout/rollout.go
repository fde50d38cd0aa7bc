// Package rollout owns one cluster's way from the forwards it has to the forwards it should have: planned, tried,
// written, seen on every replica, and taken back when the cluster's own names stop resolving.
//
// It writes two things: the object the cluster's dialect names, and a Secret of ours beside it that remembers what was
// there before ([SecretName]). A refusal is a [Report], not an error; an error is what may be tried again as it is.
// Where this package decides it is pure; time, API server and replicas are at its ends.
package rollout

import (
	"context"
	"log/slog"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// Cluster is one cluster and the way to its API server.
type Cluster struct {
	// Name is for people: logs, messages, Events.
	Name string
	// Config reaches the API server with the rights of [Rules]. It is copied; each call gets a deadline of its own.
	Config *rest.Config
}

// Wish is what a cluster should do.
type Wish struct {
	// Forwards are the zones and where they go. None: nothing of ours is in the cluster, as after Remove.
	Forwards []corefile.Forward
	// Probe are names below the forwarded zones that exist, for example the base domain's SOA owner. They must be
	// answered, with records or NODATA, for Resolving to be true. Empty: the zones' own names are asked.
	Probe []string
	// Gate says how much the load gate counts.
	Gate GateMode
	// Attempt is any text. What was rolled back, and a foreign owner who was given way, are remembered for the
	// text they met; another text means that somebody wants it tried again.
	Attempt string
}

// GateMode says what happens when a candidate cannot be tried in the cluster.
type GateMode string

// The modes of the load gate.
const (
	// GateAuto tries the candidate where a CoreDNS can be started, and goes on without where none can. The default.
	GateAuto GateMode = ""
	// GateRequire refuses what could not be tried.
	GateRequire GateMode = "Require"
	// GateOff tries nothing; the static gate, the verification and the rollback remain.
	GateOff GateMode = "Off"
)

// Options are what engines differ in. The zero value is a good one.
type Options struct {
	// Log gets one line per decision. Nil: none.
	Log *slog.Logger
	// Notify is called once for each thing a person or a counter should know, from the goroutine that made it happen.
	Notify func(cluster string, e Event)
	// Command starts a CoreDNS on this machine for the load gate of clusters where our pod cannot run, for example
	// {"/coredns"}; "-conf FILE" is appended. Only the parts of a Corefile that need no cluster are tried then. Empty: none.
	Command []string
	// Call bounds each request to the API server. 0: 10 s.
	Call time.Duration
	// Converge bounds the wait for the replicas to load what was written. 0: 150 s.
	Converge time.Duration
	// Trial bounds a trial of the load gate, the start of its pod included. 0: 45 s.
	Trial time.Duration
	// Dial opens a TCP connection to a port of a pod of the cluster. Nil: through the API server, by port-forwarding. For
	// those who stand in the pods' network. A port where nobody listens must be an error for which
	// errors.Is(err, syscall.ECONNREFUSED) holds.
	Dial func(ctx context.Context, c Cluster, pod *corev1.Pod, port int) (net.Conn, error)
	// Planner stands in for (*dialect.Dialect).Plan. For tests that must get a fault past the static gate.
	Planner func(d *dialect.Dialect, want []corefile.Forward) (dialect.Change, error)
}

// Event is something that happened to a cluster.
type Event struct {
	Reason  EventReason
	Message string
}

// EventReason is fit for the reason of a Kubernetes Event and the value of a metric's label.
type EventReason string

// What happens to clusters.
const (
	EventWritten    EventReason = "Written"    // the forwards were put in, changed, or taken out
	EventLoaded     EventReason = "Loaded"     // every replica runs what was written
	EventRefused    EventReason = "Refused"    // a gate said no; nothing was written
	EventRolledBack EventReason = "RolledBack" // cluster names stopped resolving; the last good state is back
	EventRepaired   EventReason = "Repaired"   // somebody had undone the write; it was written again
	EventConflict   EventReason = "Conflict"   // somebody keeps undoing the write; they were given way
)

// Warning says whether somebody should look.
func (r EventReason) Warning() bool {
	return r == EventRefused || r == EventRolledBack || r == EventConflict
}

// The types of a Report's conditions. Each is in every Report, Unknown with reason NotReached when nothing got that far.
const (
	Detected  = "Detected"  // True: how this cluster's DNS is configured was found out
	Supported = "Supported" // True: it has a place for forwards that we can write
	Validated = "Validated" // True: the candidate passed the static gate and the load gate
	Applied   = "Applied"   // True: what is wanted is written in the cluster
	Loaded    = "Loaded"    // True: every replica runs it
	Resolving = "Resolving" // True: the forwarded zones resolve in the cluster. False: the upstreams do not answer; no edit follows
	Conflict  = "Conflict"  // True: another owner keeps undoing our write and was given way
	Degraded  = "Degraded"  // True: the cluster's own names do not resolve, or a rollback could not be completed
)

// Report is what was found and done.
type Report struct {
	// Dialect names how the cluster takes forwards; empty: not detected.
	Dialect string
	// Conditions has one of each type above, in that order, without times and generation.
	Conditions []metav1.Condition
	// Hash is what each replica should report for its configuration, "sha512:…"; empty: it cannot be predicted.
	Hash string
	// Replicas are the CoreDNS pods seen, and LoadedReplicas those that run what is wanted.
	Replicas, LoadedReplicas int
	// RTT of the last answered probe of a forwarded zone; 0: none was answered.
	RTT time.Duration
	// Changed is true when this call wrote the cluster's configuration, a rollback included.
	Changed bool
	// Drifted is true when the configuration is not what is wanted; Apply would write.
	Drifted bool
	// RolledBack says why this candidate was taken back, by this call or by an earlier one; empty: it was not.
	RolledBack string
	// Converged is the time from the write until every replica ran it; 0: it did not happen in this call.
	Converged time.Duration
	// Restored is the time from the detection of a broken cluster DNS until the last good state was written back and the
	// cluster's names resolved again; 0: it did not happen in this call.
	Restored time.Duration
}

// Plan is what Apply would write.
type Plan struct {
	Report
	// Diff is a unified diff, empty when nothing would change. Its file names are "namespace/name/key".
	Diff string
	// Warnings say what the change costs or leaves undone.
	Warnings []string
}

// Removed is the reason of Applied, whose status is False then, when nothing of ours is in the cluster any more.
const Removed = "Removed"

// SecretName is the Secret, in the namespace of the cluster's DNS, that remembers what was there before us.
const SecretName = "spokedns-corednsconfig"
