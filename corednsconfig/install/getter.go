package install

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// getter tells Helm how to reach a cluster: by a config, and by nothing that lies on this machine.
type getter struct {
	config    *rest.Config
	namespace string
	finder    discovery.CachedDiscoveryInterface
	mapper    meta.RESTMapper
}

func newGetter(config *rest.Config, namespace string) *getter {
	g := &getter{config: config, namespace: namespace}
	if finder, err := discovery.NewDiscoveryClientForConfig(config); err == nil { // with an error, the typed clients have it too
		g.finder = memory.NewMemCacheClient(finder)
		g.mapper = restmapper.NewDeferredDiscoveryRESTMapper(g.finder)
	}
	return g
}

// ToRESTConfig implements Helm's RESTClientGetter.
func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

// ToDiscoveryClient implements Helm's RESTClientGetter.
func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.finder, nil
}

// ToRESTMapper implements Helm's RESTClientGetter.
func (g *getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

// ToRawKubeConfigLoader implements Helm's RESTClientGetter. Only the namespace is asked for.
func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}}
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}
