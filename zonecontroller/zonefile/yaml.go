package zonefile

import (
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// WriteObjects writes a zone and its records as YAML, without what the API server fills in.
func WriteObjects(w io.Writer, z *v1alpha1.DNSZone, recs []v1alpha1.DNSRecord) error {
	if err := writeObject(w, z); err != nil {
		return err
	}
	for i := range recs {
		if err := writeObject(w, &recs[i]); err != nil {
			return err
		}
	}
	return nil
}

func writeObject(w io.Writer, o runtime.Object) error {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return err
	}
	delete(u, "status")
	if meta, ok := u["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
	}
	text, err := yaml.Marshal(u)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "---\n%s", text)
	return err
}
