package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ErrNoCluster is what Config says where nothing tells the way to an API server.
var ErrNoCluster = errors.New("this is not a pod and no kubeconfig is given; give --kubeconfig")

// Kubernetes says how to reach an API server.
type Kubernetes struct {
	Kubeconfig string `placeholder:"FILE" group:"Kubernetes" help:"Kubeconfig file. Default: the pod's service account."`
	Context    string `name:"kube-context" placeholder:"NAME" group:"Kubernetes" help:"Context of the kubeconfig. Default: its current one."`
}

// Config is the way to the API server. Outside of a pod and without a kubeconfig it is ErrNoCluster.
func (k Kubernetes) Config(userAgent string) (*rest.Config, error) {
	cfg, err := k.load()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, ErrNoCluster
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	cfg.UserAgent = userAgent
	return cfg, nil
}

func (k Kubernetes) load() (*rest.Config, error) {
	if k.Kubeconfig == "" {
		return rest.InClusterConfig()
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(k.Kubeconfig)}
	if len(rules.Precedence) == 1 { // of several, those that are missing are left out
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: k.Kubeconfig}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: k.Context}).ClientConfig()
}

// podNamespace is where Kubernetes tells a pod its own namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Namespace is given, or the pod's own. Elsewhere it is an error that says what the namespace is for.
func Namespace(given, of string) (string, error) {
	if given != "" {
		return given, nil
	}
	own, _ := os.ReadFile(podNamespace) // there is none outside of a pod
	if namespace := strings.TrimSpace(string(own)); namespace != "" {
		return namespace, nil
	}
	return "", fmt.Errorf("--namespace: want the namespace of %s, because this is not a pod that has one of its own", of)
}

// Election says when a leader is replaced.
type Election struct {
	LeaseDuration time.Duration `default:"15s" group:"Election" help:"How long a leader that is not heard of is waited for."`
	RenewDeadline time.Duration `default:"10s" group:"Election" help:"How long the leader tries to stay it before it stops."`
	RetryPeriod   time.Duration `default:"2s" group:"Election" help:"Time from one try to the next."`
}

// Check refuses times with which two could lead at once.
func (e Election) Check() error {
	var wrong []error
	if e.LeaseDuration < time.Second {
		wrong = append(wrong, fmt.Errorf("--lease-duration: %s: want at least 1s", e.LeaseDuration))
	}
	if e.RetryPeriod <= 0 || 2*e.RetryPeriod > e.RenewDeadline {
		wrong = append(wrong, fmt.Errorf("--retry-period: %s: want at most half of --renew-deadline, %s", e.RetryPeriod, e.RenewDeadline))
	}
	if e.RenewDeadline+e.RetryPeriod > e.LeaseDuration {
		wrong = append(wrong, fmt.Errorf("--renew-deadline: %s: want it to end, with one --retry-period (%s), before --lease-duration (%s) does",
			e.RenewDeadline, e.RetryPeriod, e.LeaseDuration))
	}
	return errors.Join(wrong...)
}
