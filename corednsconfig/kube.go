package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster says how to reach an API server.
type cluster struct {
	Kubeconfig string `placeholder:"FILE" group:"Kubernetes" help:"Kubeconfig file. Default: the pod's service account."`
	Context    string `name:"kube-context" placeholder:"NAME" group:"Kubernetes" help:"Context of the kubeconfig. Default: its current one."`
}

func (c cluster) config() (*rest.Config, error) {
	cfg, err := c.load()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("this is not a pod and no kubeconfig is given; give --kubeconfig")
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	cfg.UserAgent = userAgent()
	return cfg, nil
}

func (c cluster) load() (*rest.Config, error) {
	if c.Kubeconfig == "" {
		return rest.InClusterConfig()
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(c.Kubeconfig)}
	if len(rules.Precedence) == 1 { // of several, those that are missing are left out
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		rules,
		&clientcmd.ConfigOverrides{CurrentContext: c.Context},
	).ClientConfig()
}

func userAgent() string { return "spokedns-corednsconfig/" + buildVersion() }
