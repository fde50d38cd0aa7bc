package landscape

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/stack"
)

// The images of the pods, made of the programs of this checkout.
const (
	webhookImage     = "localhost/spokedns/webhook"
	externalDNSImage = "localhost/external-dns"
	imageTag         = "e2e"
)

// knownAs is what the controller calls a cluster.
func knownAs(name string) string {
	if name == West {
		return "local"
	}
	return name
}

// installs is spec.externalDNS: in each cluster every LoadBalancer Service gets a name, written to the central etcd by
// the cluster's own user, whose password is copied from the platform.
func (l *Landscape) installs() string {
	var b strings.Builder
	b.WriteString("  externalDNS:\n    drainTimeout: 3m\n    installs:\n")
	for _, name := range Names() {
		fmt.Fprintf(&b, `      - clusterSelector: {matchLabels: {dns.spokedns.io/cluster: %[1]s}}
        secrets: [{source: etcd-%[2]s, target: etcd}]
        values:
          image: {repository: %[3]s, tag: %[5]s}
          secrets: [{secretName: etcd, mountPath: /etc/etcd}]
          externalDNS:
            image: {repository: %[4]s, tag: %[5]s}
            sources: [service]
            serviceTypes: [LoadBalancer]
            fqdnTemplate: "{{.Name}}.%[6]s"
            txtOwnerId: <cluster.name>
          config:
            views:
              - name: internal
                zones: [%[6]s]
                ttl: 1m
                backend: {etcd: {endpoints: [%[7]q], prefix: %[8]s, username: %[9]s, passwordFile: /etc/etcd/password}}
                rules: [{action: keep}]
`, knownAs(name), name, webhookImage, externalDNSImage, imageTag, Zone(name), l.etcdFrom(name), l.config.Path, l.config.ClusterRole(name))
	}
	return b.String()
}

// etcdFrom is where the pods of a cluster reach the central etcd.
func (l *Landscape) etcdFrom(name string) string {
	at, err := url.Parse(l.etcd.Endpoint)
	if err != nil {
		return err.Error() // the stack made it
	}
	return "http://" + l.Clusters[name].HostIP.String() + ":" + at.Port()
}

// prepareInstalls brings the images to the clusters, and the passwords to the platform.
func (l *Landscape) prepareInstalls(ctx context.Context) error {
	program, err := stack.Tool("external-dns-v0.21")
	if err != nil {
		return err
	}
	const nobody = "65532:65532"
	webhook, err := cluster.Scratch(webhookImage+":"+imageTag, map[string]string{"/webhook": l.webhook}, []string{"/webhook"}, nobody)
	if err != nil {
		return err
	}
	externalDNS, err := cluster.Scratch(externalDNSImage+":"+imageTag, map[string]string{"/external-dns": program}, []string{"/external-dns"}, nobody)
	if err != nil {
		return err
	}
	for _, name := range Names() {
		if err := l.Clusters[name].Import(ctx, webhook, externalDNS); err != nil {
			return err
		}
		if _, err := l.Clusters[West].Kubectl(ctx, "", "create", "secret", "generic", "etcd-"+name, "--namespace="+Platform, "--from-literal=password="+password); err != nil {
			return err
		}
	}
	return nil
}

// account makes the service account of the controller in a cluster, with what "corednsconfig rights" prints and no more,
// and returns the path of its kubeconfig.
func (l *Landscape) account(ctx context.Context, name string) (string, error) {
	c := l.Clusters[name]
	args := []string{"rights"}
	if l.Installs {
		wish := filepath.Join(l.Dir, "forwarding.yaml")
		if err := os.WriteFile(wish, []byte(l.Forwarding()), 0o600); err != nil {
			return "", err
		}
		args = append(args, "--forwarding="+wish, "--cluster="+name)
	}
	rights, err := exec.CommandContext(ctx, l.program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("corednsconfig rights: %w", err)
	}
	if _, err := c.Kubectl(ctx, string(rights), "apply", "--filename", "-"); err != nil {
		return "", err
	}
	token, err := c.Kubectl(ctx, "", "create", "token", "spokedns-corednsconfig", "--namespace=kube-system", "--duration=2h")
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return "", err
	}
	config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo] = &clientcmdapi.AuthInfo{Token: strings.TrimSpace(token)}
	path := filepath.Join(l.Dir, name+"-account.kubeconfig")
	return path, clientcmd.WriteToFile(*config, path)
}
