package cluster

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spokedns/spokedns/e2e/pki"
	"github.com/spokedns/spokedns/e2e/stack"
)

// writeKubeconfigs writes one kubeconfig per client, and makes the administrator's the cluster's own.
func (c *Cluster) writeKubeconfigs(ca *pki.Authority, clients map[string]pki.Subject) error {
	server := "https://" + net.JoinHostPort(c.NodeIP.String(), "6443")
	for file, who := range clients {
		p, err := ca.Issue(who)
		if err != nil {
			return err
		}
		err = clientcmd.WriteToFile(clientcmdapi.Config{
			Clusters:       map[string]*clientcmdapi.Cluster{c.Name: {Server: server, CertificateAuthorityData: ca.PEM}},
			AuthInfos:      map[string]*clientcmdapi.AuthInfo{who.Name: {ClientCertificateData: p.Cert, ClientKeyData: p.Key}},
			Contexts:       map[string]*clientcmdapi.Context{c.Name: {Cluster: c.Name, AuthInfo: who.Name}},
			CurrentContext: c.Name,
		}, c.kubeconfig(file))
		if err != nil {
			return err
		}
	}
	c.Kubeconfig = c.kubeconfig("admin")
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	c.Config = config
	return nil
}

func (c *Cluster) kubeconfig(client string) string {
	return filepath.Join(c.Dir, "kubeconfig", client)
}

// serves asks the API server's /readyz.
func (c *Cluster) serves(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return err
	}
	return answersOK(ctx, client, c.Config.Host+"/readyz")
}

// Kubectl runs kubectl, of the cluster's own version, as the administrator and returns what it wrote to
// standard output. The text given is its standard input, a manifest for `apply -f -`. An error holds
// what it wrote to standard error.
func (c *Cluster) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	program, err := stack.Tool("kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := output(cmd)
	if err != nil {
		return out, fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
