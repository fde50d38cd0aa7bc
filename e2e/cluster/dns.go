package cluster

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/spokedns/spokedns/e2e/stack"
)

//go:embed coredns.yaml
var corednsManifest string

// The references kubeadm 1.36 uses.
const (
	pauseRef   = "registry.k8s.io/pause:3.10.2"
	corednsRef = "registry.k8s.io/coredns/coredns:v1.15.0"
)

// ownImages are those without which no pod, or no name, is to be had. The sandboxes of pods have the same
// first process as the node.
func ownImages(init string) ([]Image, error) {
	pause, err := Scratch(pauseRef, map[string]string{"/pause": init}, []string{"/pause"}, "65535:65535")
	if err != nil {
		return nil, err
	}
	program, err := stack.Tool("coredns")
	if err != nil {
		return nil, err
	}
	coredns, err := Scratch(corednsRef, map[string]string{"/coredns": program}, []string{"/coredns"}, "65532:65532")
	return []Image{pause, coredns}, err
}

// applyDNS installs cluster DNS.
func (c *Cluster) applyDNS(ctx context.Context) error {
	manifest := strings.NewReplacer("IMAGE", corednsRef, "DNS_IP", c.DNSIP.String(), "DOMAIN", Domain).Replace(corednsManifest)
	_, err := c.Kubectl(ctx, manifest, "apply", "--server-side", "-f", "-")
	return err
}

// dnsReady waits for every replica, and then for the Service: kube-proxy learns of them a moment later.
// (That a Deployment is Available says nothing here: kubeadm allows one of two to be missing.)
func (c *Cluster) dnsReady(ctx context.Context) error {
	_, err := c.Kubectl(ctx, "", "--namespace", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")
	if err != nil {
		return err
	}
	want := c.ServiceCIDR.Addr().Next().String()
	return await(ctx, nil, func(ctx context.Context) error {
		out, err := c.Exec(ctx, "dig", "+short", "+time=1", "+tries=1", "@"+c.DNSIP.String(), "kubernetes.default.svc."+Domain)
		if err == nil && strings.TrimSpace(out) != want {
			err = fmt.Errorf("kubernetes.default.svc.%s: got %q, want %s", Domain, strings.TrimSpace(out), want)
		}
		return err
	})
}
