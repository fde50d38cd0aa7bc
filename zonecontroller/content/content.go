// Package content owns what objects mean in DNS: the RRsets that a DNSZone and its DNSRecords ask for, what is wrong with
// which object, and what has to change on a server. Everything here is pure.
//
// Objects are judged one after the other, the oldest first (see Older). A younger object never takes anything from an
// older one, and one that is wrong changes nothing for any other.
package content

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Fault is why an object, or a part of it, cannot be used.
type Fault struct {
	Reason  string // of the condition: one of the reasons in v1alpha1
	Field   string // path in the object: "spec.values[1]"; empty when it is about the whole
	Message string // names the value and what would be right
}

// Error reads `spec.values[1]: "mail": want …`.
func (f Fault) Error() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

func fault(reason, field, format string, args ...any) *Fault {
	return &Fault{Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Older orders objects by age: the creation, then namespace and name. The first of two is the one that keeps what both
// ask for.
func Older(a, b metav1.Object) int {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	return cmp.Or(at.Compare(bt.Time), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
}

func idOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
