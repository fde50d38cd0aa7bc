package install

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// Choose returns the first of the installs that selects a cluster with these labels from this source; -1: none does. An
// error is a selector that cannot be read, by its path in the spec.
func Choose(installs []v1alpha1.Install, source v1alpha1.Source, has map[string]string) (int, error) {
	for i, install := range installs {
		s := install.ClusterSelector
		if s == nil {
			return i, nil
		}
		if len(s.Sources) > 0 && !slices.Contains(s.Sources, source) {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(&s.LabelSelector)
		if err != nil {
			return -1, fmt.Errorf("spec.externalDNS.installs[%d].clusterSelector: %w", i, err)
		}
		if selector.Matches(labels.Set(has)) {
			return i, nil
		}
	}
	return -1, nil
}
