package chartdoc

import (
	"fmt"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// definitions are the schemas of types of Kubernetes' API that the values of a chart use, by the type's name.
type definitions map[string]any

// named are the types a @schema line may name.
func named(name string) reflect.Type {
	for _, example := range []any{
		corev1.Affinity{}, corev1.Container{}, corev1.EnvVar{}, corev1.LocalObjectReference{},
		corev1.PersistentVolumeClaimSpec{}, corev1.PodSecurityContext{}, corev1.ResourceRequirements{}, corev1.Toleration{},
		corev1.TopologySpreadConstraint{}, corev1.Volume{}, corev1.VolumeMount{},
		appsv1.DeploymentStrategy{}, rbacv1.PolicyRule{},
		networkingv1.NetworkPolicyPeer{}, networkingv1.NetworkPolicyEgressRule{}, networkingv1.NetworkPolicyIngressRule{},
	} {
		if t := reflect.TypeOf(example); t.Name() == name {
			return t
		}
	}
	return nil
}

func (d definitions) ref(name string) (map[string]any, error) {
	t := named(name)
	if t == nil {
		return nil, fmt.Errorf("@schema: kubernetes: %q: is no type known here", name)
	}
	return d.of(t), nil
}

// of is the schema of a type. Structs are defined once and referred to.
func (d definitions) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return map[string]any{"type": []string{"string", "number"}}
	case reflect.TypeFor[intstr.IntOrString]():
		return map[string]any{"type": []string{"string", "integer"}}
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[[]byte]():
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.of(t.Elem())
	case reflect.Struct:
		if _, ok := d[t.Name()]; !ok {
			d[t.Name()] = nil // a type that holds itself ends here
			properties := map[string]any{}
			d.fields(t, properties)
			d[t.Name()] = map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
		}
		return map[string]any{"$ref": "#/definitions/" + t.Name()}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": d.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": d.of(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	default:
		return map[string]any{"type": "integer"}
	}
}

func (d definitions) fields(t reflect.Type, properties map[string]any) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case strings.Contains(rest, "inline"):
			d.fields(field.Type, properties)
		case name != "" && name != "-":
			properties[name] = d.of(field.Type)
		}
	}
}
