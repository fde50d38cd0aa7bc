package dialect

import (
	"context"
	"errors"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// Read looks at a cluster with the rights of [ReadRights], and no others. An object or a kind that is not there is a fact; a
// right that is missing is a *[Forbidden] naming it; any other error says what could not be read. No list goes beyond
// the namespaces of cluster DNS, and neither ConfigMaps nor Secrets are listed.
func Read(ctx context.Context, r client.Reader) (Facts, error) {
	return Facts{}, errors.New("not there yet")
}

// Forbidden says which right is missing.
type Forbidden struct {
	Right Right
	Err   error
}

func (f *Forbidden) Error() string { return f.Err.Error() }

func (f *Forbidden) Unwrap() error { return f.Err }

// Detect finds how the cluster takes a zone. It is pure. The error is an *[Unsupported].
func Detect(f Facts) (*Dialect, error) { return nil, errors.New("not there yet") }

// Plan says what has to be written so that the zones of want, and no others of ours, are forwarded; want nil takes out
// everything of ours and leaves the bytes that were there before us. It is pure. What it returns has passed
// [corefile.Check]. An error joins one *[corefile.Fault] per finding, and then nothing may be written.
func (d *Dialect) Plan(want []corefile.Forward) (Change, error) {
	return Change{}, errors.New("not there yet")
}

// Pending are the zones of want that the configuration the pods have been given does not serve yet, for example because an
// operator or a chart has yet to render it. Read and Detect again, and ask again.
func (d *Dialect) Pending(want []corefile.Forward) []string { return nil }

// Write sends the edit to the cluster. A state other than the one the plan was made of comes back as an error for which
// apierrors.IsConflict is true: read, detect and plan again. An edit of How Report is an error.
func (e Edit) Write(ctx context.Context, w client.Writer) error { return errors.New("not there yet") }

// Right is a set of rules in one namespace; Namespace empty: for the cluster, in a ClusterRole.
type Right struct {
	Namespace string
	Rules     []rbacv1.PolicyRule
}

// ReadRights are what [Read] needs, whatever the cluster is.
func ReadRights() []Right { return nil }

// WriteRights are what [Edit.Write] needs besides for a cluster of the given kind; with nodeLocal also for the cache on its
// nodes. Objects are named as their distributions name them; [Dialect.WriteRights] names those of one cluster.
func WriteRights(k Kind, nodeLocal bool) []Right { return nil }

// WriteRights are what [Edit.Write] needs in this cluster.
func (d *Dialect) WriteRights() []Right { return nil }
