package dialect

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// addonEdit is what has to change in the configuration of an EKS add-on for a Corefile to change: the key corefile of
// configurationValues. Before and After stay the Corefile's text, so that they can be compared.
func addonEdit(e Edit) (Edit, error) {
	values, err := json.Marshal(map[string]string{"corefile": string(e.After)})
	if err != nil {
		return Edit{}, err
	}
	return Edit{
		Ref:    Ref{GroupVersionKind: schema.GroupVersionKind{Group: "eks.amazonaws.com", Version: "v1", Kind: "Addon"}, Name: "coredns"},
		Key:    "configurationValues",
		Before: e.Before, After: e.After, Values: values,
		How: Report,
	}, nil
}

func addonWarning(e Edit) string {
	return fmt.Sprintf("the EKS add-on puts its Corefile back, so nothing is written in the cluster; merge this into the add-on's "+
		"configurationValues (UpdateAddon, resolveConflicts PRESERVE or OVERWRITE): %s", e.Values)
}
