package stack

import (
	"context"
	"fmt"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spokedns/spokedns/e2e/pki"
)

// Identity makes a user that may do what the rules allow, in every namespace, and nothing else; it
// returns the path of its kubeconfig file. Called again with the same name it replaces the rules.
func (a *APIServer) Identity(ctx context.Context, name string, rules []rbacv1.PolicyRule) (string, error) {
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      rules,
	}
	binding := &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
		RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: rbacv1.GroupName, Name: name},
	}
	if err := a.Apply(ctx, role, binding); err != nil {
		return "", fmt.Errorf("identity %s: %w", name, err)
	}
	cfg, err := a.clientConfig(a.Config.Host, pki.Subject{Name: name})
	if err != nil {
		return "", err
	}
	return a.writeKubeconfig(name, cfg)
}

// ConfigFor reads a kubeconfig file, as a program given it would.
func ConfigFor(kubeconfig string) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.QPS = -1
	return cfg, nil
}

// becomeAdmin prepares the administrator's credentials and clients for the server at that URL.
func (a *APIServer) becomeAdmin(url string) error {
	cfg, err := a.clientConfig(url, pki.Subject{Name: "admin", Groups: []string{"system:masters"}})
	if err != nil {
		return err
	}
	a.Config = cfg
	if a.Kubeconfig, err = a.writeKubeconfig("admin", cfg); err != nil {
		return err
	}
	if a.Dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return err
	}
	found, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return err
	}
	a.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	return nil
}

func (a *APIServer) clientConfig(url string, who pki.Subject) (*rest.Config, error) {
	pair, err := a.ca.Issue(who)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            url,
		TLSClientConfig: rest.TLSClientConfig{CAData: a.ca.PEM, CertData: pair.Cert, KeyData: pair.Key},
		QPS:             -1,
		WarningHandler:  rest.NoWarnings{}, // deprecations of what a test installs on purpose
	}, nil
}

func (a *APIServer) writeKubeconfig(name string, cfg *rest.Config) (string, error) {
	path := filepath.Join(a.dir, name+".kubeconfig")
	return path, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			"stack": {Server: cfg.Host, CertificateAuthorityData: cfg.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			name: {ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData},
		},
		Contexts:       map[string]*clientcmdapi.Context{"stack": {Cluster: "stack", AuthInfo: name}},
		CurrentContext: "stack",
	}, path)
}
