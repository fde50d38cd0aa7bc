package main

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/charts"
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
