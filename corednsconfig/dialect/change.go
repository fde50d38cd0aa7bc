package dialect

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// Change is what a cluster needs to forward the wanted zones, and those only.
type Change struct {
	// Edits in the order in which they are to be written, and only those that change something: none means that the cluster
	// is as it should be.
	Edits []Edit
	// Cluster is what the cluster DNS will read afterwards; nil for kube-dns, which reads no Corefile. NodeLocal is what the
	// cache on the nodes will read; nil if it needs no edit of its own.
	Cluster, NodeLocal *Candidate
	// Foreign are those who write the same objects and may revert us.
	Foreign []Owner
	// Warnings are for the people who read the plan: what the change costs or leaves undone.
	Warnings []string
}

// Writable reports whether every edit can be written by us. Those that can do not wait for those of How Report.
func (c Change) Writable() bool {
	for _, e := range c.Edits {
		if e.How == Report {
			return false
		}
	}
	return true
}

// Candidate is a configuration as the pods will read it, for the load gate and for the hash they will report:
//
//	file, err := corefile.Parse(c.Corefile, c.Process)
//	algorithm, sum, err := file.Hash(c.Site.Version)
type Candidate struct {
	Corefile []byte
	// Process with the imports as they will be.
	Process corefile.Process
	Site    corefile.Site
	// Derived: the pods read a text that somebody else makes, and that says the same in other words: the operator of
	// OpenShift, the chart, the node-local cache, which fills in addresses. Its hash cannot be known.
	Derived bool
}

// Edit is one object as it is and as it is to be.
type Edit struct {
	Ref Ref
	// Key is what changes in the object: a key of a ConfigMap's data, or a path such as "spec.servers".
	Key string
	// Before and After are its text, fit for a diff; nil: it is not there. Fields of custom resources are shown as YAML.
	Before, After []byte
	// Values is what a Report asks for, as the owner's API takes it: JSON for the configurationValues of an EKS add-on.
	Values []byte
	// ResourceVersion the plan was made of; empty: the object is not there.
	ResourceVersion string
	How             How
	// Object is what is sent: for Update the whole object, for Apply only what is ours, else nil.
	Object *unstructured.Unstructured
}

// How an edit is written.
type How string

const (
	// Update replaces the object, provided it still has ResourceVersion. For keys that others write too.
	Update How = "Update"
	// Apply is server-side apply of keys of our own, as FieldOwner, without force.
	Apply How = "Apply"
	// Delete removes an object that we created and nobody else has written to since, provided it still has ResourceVersion.
	Delete How = "Delete"
	// Report: the owner alone can do it. The edit is shown and never written.
	Report How = "Report"
)

// Ref names an object.
type Ref struct {
	schema.GroupVersionKind
	Namespace, Name string
}

// String is "ConfigMap kube-system/coredns".
func (r Ref) String() string {
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return r.Kind + " " + name
}

// Owner is somebody else who writes an object of ours.
type Owner struct {
	Ref Ref
	// Name of the field manager, or of the program that a label or annotation tells of: "eks", "addon-manager",
	// "helm-controller".
	Name string
	// Reverts: it is known to put its own text back. False: it has written the object at least once.
	Reverts bool
	// Evidence is where it says so, for example "label addonmanager.kubernetes.io/mode=Reconcile".
	Evidence string
}
