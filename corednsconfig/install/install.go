// Package install owns external-dns in a cluster: it installs the webhook's chart there, keeps it as it is wished, and
// takes it out again once its records are withdrawn.
//
// What is wished is rendered and checked against the chart's schema before a cluster is touched. What to do next is
// decided by [Decide], a pure function of what is wished and what was found; one call of [Engine.Step] does one thing and
// says when to come again, so that nobody waits for a drain.
package install

import (
	"cmp"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// Cluster is one cluster and the way to its API server.
type Cluster struct {
	// Name is for people.
	Name string
	// Config reaches the API server with the rights of [Rights]. It is copied.
	Config *rest.Config
}

// Wish is what should be in a cluster.
type Wish struct {
	// Namespace and Release are where it is, and what Helm calls it.
	Namespace, Release string
	// Values of the chart, rendered by [Values]. Nil: nothing is wished, and what is there is drained and taken out.
	Values map[string]any
	// Secrets are copied into the namespace before anything else.
	Secrets []v1alpha1.SecretCopy
	// DrainTimeout is how long records may take to be withdrawn.
	DrainTimeout time.Duration
}

// WishOf is the wish for a cluster that an install was chosen for. With an error in its values it has none.
func WishOf(chosen v1alpha1.Install, place Place, drain time.Duration) (Wish, error) {
	var raw []byte
	if chosen.Values != nil {
		raw = chosen.Values.Raw
	}
	values, err := Values(raw, place)
	return Wish{
		Namespace: cmp.Or(chosen.Namespace, v1alpha1.InstallName), Release: cmp.Or(chosen.ReleaseName, v1alpha1.InstallName),
		Values: values, Secrets: chosen.Secrets, DrainTimeout: drain,
	}, err
}

// State is how far a cluster is.
type State string

// The states.
const (
	Installed  State = "Installed"  // it runs as is wished
	Installing State = "Installing" // it was written, and is not up yet
	Draining   State = "Draining"   // records are being withdrawn
	Removing   State = "Removing"   // it is being taken out
	Gone       State = "Gone"       // nothing of ours is there
	Failed     State = "Failed"     // see Reason; what was there stays
)

// Reason is fit for the reason of a condition and of an Event.
type Reason string

// Why an installation failed.
const (
	BadValues      Reason = "BadValues"      // the chart does not take them
	ForeignRelease Reason = "ForeignRelease" // somebody else's release has the name
	SecretMissing  Reason = "SecretMissing"  // one that is to be copied is not there
	SecretTaken    Reason = "SecretTaken"    // somebody else's Secret has the name of a copy
	SecretRefused  Reason = "SecretRefused"  // one that must not leave the platform
	HelmFailed     Reason = "HelmFailed"     // the API server did not take an object
	Unhealthy      Reason = "Unhealthy"      // it was written, and does not come up
	Busy           Reason = "Busy"           // somebody is at work on the release
)

// Report is what was found and done.
type Report struct {
	State  State
	Reason Reason // of Failed
	// Message is for people.
	Message string
	// Did is what was changed, in a word for an Event; empty: nothing.
	Did Step
	// Left says that records may have been left behind.
	Left bool
	// NamespaceReady says that the namespace is there.
	NamespaceReady bool
	// Again is when to come again. 0: when there is a reason.
	Again time.Duration
}

// Labels on a release's Secrets and on what belongs to it.
const (
	managedBy   = "app.kubernetes.io/managed-by"
	manager     = "spokedns-corednsconfig"
	digestLabel = v1alpha1.Group + "/install"     // digest of the wish that a release was made of
	drainLabel  = v1alpha1.Group + "/drain-since" // Unix time at which the withdrawal of its records began
	copyLabel   = v1alpha1.Group + "/copy-for"    // release that a copied Secret belongs to
)
