// Package fleet owns which clusters there are and how each is reached.
//
// A cluster that cannot be reached as it is described is a fact about that cluster and no error: it is listed with what
// is wrong. What cannot be listed at all is said by source, so that nobody takes clusters for gone that were not seen.
package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// Cluster is one cluster.
type Cluster struct {
	// ID is unique: "local", or the source in lower case with namespace and name, "openmcp/landscape/platform".
	ID     string
	Source v1alpha1.Source
	// Namespace and Name are those of the object that stands for the cluster; only a name for the local one.
	Namespace, Name string
	// Labels are the object's, with those that every cluster has.
	Labels map[string]string
	// Config reaches the cluster's API server. Nil: Err says why there is none.
	Config *rest.Config
	Err    *Unusable
	// BaseDomain is the annotation as it was read; HasObject: there is an object to annotate.
	BaseDomain string
	HasObject  bool

	object objectRef
}

type objectRef struct {
	gvk schema.GroupVersionKind
	uid types.UID
}

// Unusable says why a cluster cannot be worked on.
type Unusable struct {
	Reason Reason
	// Text says what was found and what would be right.
	Text string
}

func (u *Unusable) Error() string { return string(u.Reason) + ": " + u.Text }

// Reason is fit for the reason of a condition Reachable=False.
type Reason string

// Why a cluster cannot be worked on.
const (
	NoKubeconfig  Reason = "NoKubeconfig"  // there is no Secret, or it lacks the key
	BadKubeconfig Reason = "BadKubeconfig" // it is no kubeconfig, or lacks something
	Unsafe        Reason = "Unsafe"        // it would run a program here, read a file here, or trust anybody
	Expired       Reason = "Expired"       // the certificate or the token in it is no longer valid
	AccessPending Reason = "AccessPending" // the AccessRequest is not granted yet
	AccessDenied  Reason = "AccessDenied"  // it never will be
	NotRequested  Reason = "NotRequested"  // no access was asked for: nobody selects the cluster
	Ignored       Reason = "Ignored"       // an annotation says to leave it alone
	SameCluster   Reason = "SameCluster"   // another cluster in the list has the same API server
)

// Right is a set of rules in one namespace; Namespace empty: for the whole cluster.
type Right struct {
	Namespace string
	Rules     []rbacv1.PolicyRule
}

// Options are what a Fleet needs to know.
type Options struct {
	// Local is the cluster whose API server knows of the others, "platform" elsewhere.
	Local *rest.Config
	// Client reads and writes there, without a cache.
	Client client.Client
	// Sources that are looked at; none: all.
	Sources []v1alpha1.Source
	// Namespace of labelled kubeconfig Secrets.
	Namespace string
	// Rights that are asked for in an AccessRequest.
	Rights []Right
	// More are rights that are asked for besides in one cluster. Nil: none. If they are not known, what was asked for
	// before stays.
	More func(Cluster) (rights []Right, known bool)
	// Annotation is the key of the base domain on Cluster objects. Empty: "dns.openmcp.cloud/base-domain".
	Annotation string
	// UserAgent of requests to clusters.
	UserAgent string
	// Now is the time that expiry is judged by. Nil: time.Now.
	Now func() time.Time
}

// Fleet lists clusters. It is safe for use by many goroutines.
type Fleet struct{ opts Options }

// DefaultAnnotation is the key of the annotation with the base domain.
const DefaultAnnotation = "dns.openmcp.cloud/base-domain"

// New returns a Fleet.
func New(opts Options) *Fleet {
	if opts.Annotation == "" {
		opts.Annotation = DefaultAnnotation
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if len(opts.Sources) == 0 {
		opts.Sources = AllSources()
	}
	return &Fleet{opts: opts}
}

// AllSources are the sources there are, in the order in which the first wins where two name one cluster.
func AllSources() []v1alpha1.Source {
	return []v1alpha1.Source{v1alpha1.Local, v1alpha1.Kubeconfig, v1alpha1.ClusterAPI, v1alpha1.OpenMCP}
}

// Listing is what was found.
type Listing struct {
	// Clusters by ID.
	Clusters map[string]Cluster
	// Failed are the sources that could not be listed: their clusters are not known.
	Failed map[v1alpha1.Source]error
}

// List looks at all sources. Access is requested for the clusters that are wanted, and given back for others; wanted is
// asked with everything but Config and Err.
func (f *Fleet) List(ctx context.Context, wanted func(Cluster) bool) Listing {
	out := Listing{Clusters: map[string]Cluster{}, Failed: map[v1alpha1.Source]error{}}
	hosts := map[string]string{}
	for _, source := range AllSources() {
		if !slices.Contains(f.opts.Sources, source) {
			continue
		}
		found, err := f.list(ctx, source, wanted)
		if err != nil {
			out.Failed[source] = fmt.Errorf("list clusters of source %s: %w", source, err)
			continue
		}
		slices.SortFunc(found, func(a, b Cluster) int { return strings.Compare(a.ID, b.ID) })
		for _, c := range found {
			if c.Config != nil {
				c = f.prepare(c, hosts)
			}
			out.Clusters[c.ID] = c
		}
	}
	return out
}

func (f *Fleet) list(ctx context.Context, source v1alpha1.Source, wanted func(Cluster) bool) ([]Cluster, error) {
	switch source {
	case v1alpha1.Local:
		return []Cluster{f.cluster(source, "", "local", nil).reachedBy(rest.CopyConfig(f.opts.Local), nil)}, nil
	case v1alpha1.Kubeconfig:
		return f.secrets(ctx)
	case v1alpha1.ClusterAPI:
		return f.clusterAPI(ctx)
	default:
		return f.openMCP(ctx, wanted)
	}
}

// cluster is one without a way to reach it.
func (f *Fleet) cluster(source v1alpha1.Source, namespace, name string, labels map[string]string) Cluster {
	c := Cluster{ID: id(source, namespace, name), Source: source, Namespace: namespace, Name: name, Labels: maps.Clone(labels)}
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	c.Labels[v1alpha1.SourceLabel] = strings.ToLower(string(source))
	c.Labels[v1alpha1.ClusterLabel] = name
	return c
}

func id(source v1alpha1.Source, namespace, name string) string {
	if source == v1alpha1.Local {
		return "local"
	}
	return strings.ToLower(string(source)) + "/" + namespace + "/" + name
}

// SourceOf is the source in the ID of a cluster.
func SourceOf(id string) v1alpha1.Source {
	first, _, _ := strings.Cut(id, "/")
	for _, source := range AllSources() {
		if strings.EqualFold(string(source), first) {
			return source
		}
	}
	return ""
}

func (c Cluster) reachedBy(cfg *rest.Config, err *Unusable) Cluster {
	c.Config, c.Err = cfg, err
	return c
}

// prepare sets what is the same for all, and sets aside a cluster that is in the list already: two at work on one would
// undo each other.
func (f *Fleet) prepare(c Cluster, hosts map[string]string) Cluster {
	if first, known := hosts[c.Config.Host]; known {
		return c.reachedBy(nil, &Unusable{SameCluster, fmt.Sprintf("its API server %s is that of cluster %s; want each cluster from one source", c.Config.Host, first)})
	}
	hosts[c.Config.Host] = c.ID
	c.Config.UserAgent = f.opts.UserAgent
	// Requests to one cluster are few, and one that answers slowly slows down nobody else.
	c.Config.QPS, c.Config.Burst = 50, 100
	return c
}
