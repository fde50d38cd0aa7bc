package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSForwardingStatus is what was found and done.
type DNSForwardingStatus struct {
	// ObservedGeneration is the generation of the spec that the rest speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the whole: Accepted, Ready, Halted.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Zones are those of the rules, for people.
	// +optional
	Zones string `json:"zones,omitempty"`
	// Ready is how many clusters are, of those selected: "3/5".
	// +optional
	Ready string `json:"ready,omitempty"`
	// Stage is how far the roll-out is.
	// +optional
	Stage Stage `json:"stage,omitempty"`
	// Summary counts the clusters by their state.
	// +optional
	Summary Summary `json:"summary,omitempty"`

	// Revision names the newest rules. A new one begins a new roll-out.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Revisions are the rules that clusters have, the newest and those before it.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	Revisions []Revision `json:"revisions,omitempty"`

	// Clusters are those selected, and those that have something of this DNSForwarding to be taken back.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	Clusters []ClusterStatus `json:"clusters,omitempty"`
}

// Stage is how far a roll-out is.
type Stage string

// The stages.
const (
	StagePlan     Stage = "Plan"     // nothing is written
	StageCanary   Stage = "Canary"   // the first step
	StagePart     Stage = "Part"     // the second
	StageRest     Stage = "Rest"     // the last
	StageDone     Stage = "Done"     // all that can be done is done
	StageHalted   Stage = "Halted"   // a cluster had to be rolled back
	StageRefused  Stage = "Refused"  // the DNSForwarding cannot be used
	StageRemoving Stage = "Removing" // it is being deleted
)

// Summary counts clusters. The states add up to Selected, but for clusters that are being left.
type Summary struct {
	Selected    int32 `json:"selected"`    // clusters
	Ready       int32 `json:"ready"`       // resolve the zones
	Progressing int32 `json:"progressing"` // wait for their turn or are under way
	Failed      int32 `json:"failed"`      // need somebody to look: refused, not supported, not reached, not resolving, rolled back
}

// Revision is a set of rules that was rolled out, or is.
type Revision struct {
	// Name is a digest of the rest.
	Name string `json:"name"`
	// Attempt is the text of the annotation dns.spokedns.io/retry.
	// +optional
	Attempt string `json:"attempt,omitempty"`
	// +listType=atomic
	Rules []RevisionRule `json:"rules"`
}

// RevisionRule is a Rule as it was.
type RevisionRule struct {
	// +listType=atomic
	Zones []string `json:"zones"`
	// +listType=atomic
	Upstreams []string `json:"upstreams"`
}

// ClusterStatus is one cluster.
type ClusterStatus struct {
	// Name is unique: "local", or the source in lower case with namespace and name, "kubeconfig/dns/spoke-1".
	Name string `json:"name"`
	// State in a word.
	State State `json:"state"`
	// Revision is what was handed to the cluster last. Empty: nothing was.
	// +optional
	Revision string `json:"revision,omitempty"`
	// Dialect is how the cluster takes zones: corefile, custom-configmap, openshift, …
	// +optional
	Dialect string `json:"dialect,omitempty"`
	// Hash is what CoreDNS reports for the configuration.
	// +optional
	Hash string `json:"hash,omitempty"`
	// Replicas are the DNS pods, LoadedReplicas those that run what is wished.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// +optional
	LoadedReplicas int32 `json:"loadedReplicas,omitempty"`
	// ProbeMilliseconds is the time of the last answered question for a zone, rounded up.
	// +optional
	ProbeMilliseconds int32 `json:"probeMilliseconds,omitempty"`
	// RolledBack says why Revision was taken back.
	// +optional
	RolledBack string `json:"rolledBack,omitempty"`
	// Conditions: Detected, Supported, Validated, Applied, Loaded, Resolving, Conflict, Degraded; Reachable besides, and
	// Orphaned for a cluster that could not be cleaned.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Diff is what would be written, in mode Plan. A long one is cut; corednsconfig plan prints all of it.
	// +optional
	Diff string `json:"diff,omitempty"`
	// ExternalDNS is what of external-dns is in the cluster, or is being put there.
	// +optional
	ExternalDNS *InstallStatus `json:"externalDNS,omitempty"`
	// InstallDiff is what would change of external-dns, in mode Plan.
	// +optional
	InstallDiff string `json:"installDiff,omitempty"`
	// LeavingSince is when the cluster was no longer selected, or the DNSForwarding deleted.
	// +optional
	LeavingSince *metav1.Time `json:"leavingSince,omitempty"`
}

// State is a cluster's state in a word.
type State string

// The states.
const (
	StatePending     State = "Pending"     // waits for its turn
	StateUnderWay    State = "UnderWay"    // is being written to, or loads
	StateReady       State = "Ready"       // resolves the zones
	StatePlanned     State = "Planned"     // mode Plan: see diff
	StateRefused     State = "Refused"     // the configuration would not do, or the zone is taken; nothing was written
	StateUnsupported State = "Unsupported" // has no place for zones of ours; nothing was written
	StateUnreachable State = "Unreachable" // its API server, or the way to it, does not do
	StateUnresolved  State = "Unresolved"  // written, but not loaded by every replica or not answered
	StateConflict    State = "Conflict"    // somebody else keeps undoing what is written
	StateRolledBack  State = "RolledBack"  // cluster names stopped resolving; the last good configuration is back
	StateLeaving     State = "Leaving"     // what was written is being taken out
	StateOrphaned    State = "Orphaned"    // could not be reached to take it out
)

// Conditions of the whole.
const (
	// Accepted is True when the spec can be used.
	Accepted = "Accepted"
	// Ready is True when every selected cluster resolves the zones.
	Ready = "Ready"
	// Halted is True when a rollback has stopped the roll-out.
	Halted = "Halted"
)

// Conditions of a cluster besides those of package rollout.
const (
	// Reachable is True when the cluster's credentials do and its API server answers.
	Reachable = "Reachable"
	// Orphaned is True when something of ours was left in a cluster that could not be reached in time.
	Orphaned = "Orphaned"
)
