package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/charts"
	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/install"
)

// newInstaller installs the chart that this program carries.
func newInstaller(platform client.Reader, namespace string, call time.Duration) (*install.Engine, error) {
	chart, err := install.OpenChart(charts.Webhook, "webhook")
	if err != nil {
		return nil, err
	}
	return install.New(install.Options{Chart: chart, Platform: platform, Namespace: namespace, Call: call}), nil
}

// fleetRights are the same in the words of package fleet.
func fleetRights(in []install.Right) (out []fleet.Right) {
	for _, r := range in {
		out = append(out, fleet.Right(r))
	}
	return out
}

// installs are the rights for what the DNSForwardings in the files install.
func (r rightsCommand) installs(ctx context.Context) ([]install.Right, error) {
	engine, err := newInstaller(nil, r.Namespace, 0)
	if err != nil {
		return nil, err
	}
	var all []install.Right
	for _, file := range r.Forwardings {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--forwarding: %w", err)
		}
		var f v1alpha1.DNSForwarding
		if err := yaml.UnmarshalStrict(text, &f); err != nil {
			return nil, fmt.Errorf("--forwarding: %s: %w", file, err)
		}
		if f.Kind != "DNSForwarding" || f.Spec.ExternalDNS == nil {
			return nil, fmt.Errorf("--forwarding: %s: want a DNSForwarding with spec.externalDNS", file)
		}
		for i, chosen := range f.Spec.ExternalDNS.Installs {
			rights, err := r.install(ctx, engine, f, chosen)
			if err != nil {
				return nil, fmt.Errorf("--forwarding: %s: spec.externalDNS.installs[%d].%w", file, i, err)
			}
			all = install.Join(all, rights)
		}
	}
	return all, nil
}

// install are the rights for one of them.
func (r rightsCommand) install(ctx context.Context, engine *install.Engine, f v1alpha1.DNSForwarding, chosen v1alpha1.Install) ([]install.Right, error) {
	w, err := install.WishOf(chosen, install.Place{
		ClusterName: r.Cluster, ClusterNamespace: r.Cluster, Environment: f.Spec.ExternalDNS.Environment, ProviderName: f.Name, ProviderNamespace: r.Namespace,
	}, 0)
	if err != nil {
		return nil, err
	}
	return engine.Rights(ctx, w)
}

// withInstalls adds those rights to others, each to what is there for its namespace.
func withInstalls(all []fleet.Right, more []install.Right) []fleet.Right {
	out := slices.Clone(all)
	for _, r := range more {
		at := slices.IndexFunc(out, func(have fleet.Right) bool { return have.Namespace == r.Namespace })
		if at < 0 {
			out = append(out, fleet.Right(r))
			continue
		}
		out[at].Rules = slices.Concat(out[at].Rules, r.Rules)
	}
	return out
}

// chartValues prints rights as the chart of this program takes them.
func chartValues(w io.Writer, rights []install.Right) error {
	var list []map[string]any
	for _, r := range rights {
		item := map[string]any{"rules": r.Rules}
		if r.Namespace != "" {
			item["namespace"] = r.Namespace
		}
		list = append(list, item)
	}
	text, err := yaml.Marshal(map[string]any{"local": map[string]any{"installRights": list}})
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
