package zonesource

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/spokedns/spokedns/webhook/setting"
)

// From says which DNSZones are zones of a view.
type From struct {
	Selector   Selector `yaml:"selector" help:"labels of the DNSZones; without it all of them"`
	Namespaces []string `yaml:"namespaces" help:"namespaces they are taken from; without it all. Who may write DNSZones there decides what is published"`
}

// Selector finds objects by their labels, as selectors of Kubernetes do: everything in it must hold.
type Selector struct {
	MatchLabels      map[string]string `yaml:"matchLabels" help:"labels with the values they must have"`
	MatchExpressions []Requirement     `yaml:"matchExpressions" help:"what else must hold"`
}

// Requirement is one condition on a label.
type Requirement struct {
	Key      string   `yaml:"key" help:"the label"`
	Operator string   `yaml:"operator" help:"In, NotIn, Exists or DoesNotExist"`
	Values   []string `yaml:"values" help:"the values of In and NotIn"`
}

// operator is the operator as the labels package spells it.
func (r Requirement) operator() (op selection.Operator, ok bool) {
	switch r.Operator {
	case "In":
		return selection.In, true
	case "NotIn":
		return selection.NotIn, true
	case "Exists":
		return selection.Exists, true
	case "DoesNotExist":
		return selection.DoesNotExist, true
	}
	return "", false
}

// Validate reports everything that is wrong, as *setting.Error values.
func (f From) Validate() error {
	var errs []error
	for i, ns := range f.Namespaces {
		if wrong := validation.IsDNS1123Label(ns); len(wrong) > 0 {
			errs = append(errs, &setting.Error{Field: fmt.Sprintf("namespaces[%d]", i), Value: ns, Want: "want the name of a namespace: small letters, digits and hyphens"})
		}
	}
	for key, value := range f.Selector.MatchLabels {
		field := "selector.matchLabels." + key
		if wrong := validation.IsQualifiedName(key); len(wrong) > 0 {
			errs = append(errs, &setting.Error{Field: field, Value: key, Want: "want the key of a label, like team or example.org/team"})
		}
		errs = append(errs, labelValue(field, value))
	}
	for i, r := range f.Selector.MatchExpressions {
		errs = append(errs, setting.Under(fmt.Sprintf("selector.matchExpressions[%d]", i), r.validate()))
	}
	return errors.Join(errs...)
}

func (r Requirement) validate() error {
	var errs []error
	if wrong := validation.IsQualifiedName(r.Key); len(wrong) > 0 {
		errs = append(errs, &setting.Error{Field: "key", Value: r.Key, Want: "want the key of a label, like team or example.org/team"})
	}
	op, ok := r.operator()
	listed := op == selection.In || op == selection.NotIn
	switch {
	case !ok:
		errs = append(errs, &setting.Error{Field: "operator", Value: r.Operator, Want: "want In, NotIn, Exists or DoesNotExist"})
	case listed && len(r.Values) == 0:
		errs = append(errs, &setting.Error{Field: "values", Want: "want one value or more with operator " + r.Operator})
	case !listed && len(r.Values) > 0:
		errs = append(errs, &setting.Error{Field: "values", Value: strings.Join(r.Values, ", "), Want: "want none with operator " + r.Operator})
	}
	for i, v := range r.Values {
		errs = append(errs, labelValue(fmt.Sprintf("values[%d]", i), v))
	}
	return errors.Join(errs...)
}

func labelValue(field, value string) error {
	if len(validation.IsValidLabelValue(value)) == 0 {
		return nil
	}
	return &setting.Error{Field: field, Value: value, Want: "want the value of a label: at most 63 letters, digits, -, _ and ."}
}

// Selects reports whether an object in that namespace with these labels is one of them. What Validate refuses
// selects nothing.
func (f *From) Selects(namespace string, of map[string]string) bool {
	if len(f.Namespaces) > 0 && !slices.Contains(f.Namespaces, namespace) {
		return false
	}
	if !labels.SelectorFromSet(f.Selector.MatchLabels).Matches(labels.Set(of)) {
		return false
	}
	for _, r := range f.Selector.MatchExpressions {
		op, _ := r.operator()
		requirement, err := labels.NewRequirement(r.Key, op, r.Values)
		if err != nil || !requirement.Matches(labels.Set(of)) {
			return false
		}
	}
	return true
}

// String reads "DNSZones with team=shop, tier In (a, b) in namespaces dns".
func (f *From) String() string {
	var parts []string
	for key, value := range f.Selector.MatchLabels {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	for _, r := range f.Selector.MatchExpressions {
		part := r.Key + " " + r.Operator
		if len(r.Values) > 0 {
			part += " (" + strings.Join(r.Values, ", ") + ")"
		}
		parts = append(parts, part)
	}
	text := "every DNSZone"
	if len(parts) > 0 {
		text = "DNSZones with " + strings.Join(parts, " and ")
	}
	if len(f.Namespaces) > 0 {
		text += " in " + strings.Join(f.Namespaces, ", ")
	}
	return text
}
