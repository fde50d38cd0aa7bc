package cluster

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spokedns/spokedns/e2e/pki"
)

// lifetime of certificates is a month: a cluster for hand work may stay up for a while.
const lifetime = 30 * 24 * time.Hour

// writePKI writes every certificate and key of the cluster to <Dir>/pki and a kubeconfig for each client
// to <Dir>/kubeconfig.
func (c *Cluster) writePKI() error {
	ca, err := pki.New("kubernetes-ca", lifetime)
	if err != nil {
		return err
	}
	caKey, err := ca.Key()
	if err != nil {
		return err
	}
	private, public, err := pki.Keys()
	if err != nil {
		return err
	}
	serving, err := ca.Issue(pki.Subject{Name: "kube-apiserver", Hosts: []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + Domain,
		"localhost", "127.0.0.1", c.NodeIP.String(), c.ServiceCIDR.Addr().Next().String(),
	}})
	if err != nil {
		return err
	}
	toKubelet, err := ca.Issue(pki.Subject{Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.crt": ca.PEM, "ca.key": caKey, "sa.key": private, "sa.pub": public,
		"apiserver.crt": serving.Cert, "apiserver.key": serving.Key,
		"kubelet-client.crt": toKubelet.Cert, "kubelet-client.key": toKubelet.Key,
	} {
		if err := os.WriteFile(filepath.Join(c.Dir, "pki", name), content, 0o600); err != nil {
			return err
		}
	}
	return c.writeKubeconfigs(ca, map[string]pki.Subject{
		"admin":                   {Name: "admin", Groups: []string{"system:masters"}},
		string(ControllerManager): {Name: "system:kube-controller-manager"},
		string(Scheduler):         {Name: "system:kube-scheduler"},
		string(Kubelet):           {Name: "system:node:" + c.Name, Groups: []string{"system:nodes"}},
		string(KubeProxy):         {Name: "system:kube-proxy"},
	})
}
