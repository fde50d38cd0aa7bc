package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

const selecting = `views:
- name: public
  zonesFrom:
    selector:
      matchLabels: {publish: public}
      matchExpressions:
      - {key: tier, operator: In, values: [a, b]}
    namespaces: [dns]
  backend: {memory: {}}
- name: internal
  zones: [Corp.Example.Org.]
  zonesFrom: {}
  backend: {shelf: {servers: [s]}}
- name: other
  zones: [example.net]
  backend: {shelf: {servers: [s]}}
`

func TestZonesFromObjects(t *testing.T) {
	f, err := decode(selecting)
	if err != nil {
		t.Fatal(err)
	}
	want := []zonesource.View{
		{Name: "public", Zones: []string{}, Backend: 0, From: &zonesource.From{
			Selector: zonesource.Selector{
				MatchLabels:      map[string]string{"publish": "public"},
				MatchExpressions: []zonesource.Requirement{{Key: "tier", Operator: "In", Values: []string{"a", "b"}}},
			}, Namespaces: []string{"dns"},
		}},
		{Name: "internal", Zones: []string{"corp.example.org"}, Backend: 1, From: &zonesource.From{}},
		{Name: "other", Zones: []string{"example.net"}, Backend: 1},
	}
	if diff := cmp.Diff(want, f.ZoneViews()); diff != "" {
		t.Error(diff)
	}
	if !f.FindsZones() {
		t.Error("no view is said to find zones")
	}
	text, err := f.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := decode(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(f, again); diff != "" {
		t.Errorf("printed and read again: %s", diff)
	}
	for _, sentence := range []string{
		"view public publishes the zones of DNSZones with publish=public and tier In (a, b) in dns to memory",
		"view internal publishes Corp.Example.Org. and the zones of every DNSZone to shelf",
	} {
		if got := f.Describe(); !strings.Contains(got, sentence) {
			t.Errorf("described as\n%s\nwant %s", got, sentence)
		}
	}
	if plain, err := decode(good); err != nil || plain.FindsZones() {
		t.Errorf("a view without zonesFrom finds zones: %v", err)
	}
}

func TestWrongZonesFrom(t *testing.T) {
	for given, want := range map[string]string{
		"{selektor: {}}": "config.yaml:3:15: views[0].zonesFrom.selektor: unknown setting; did you mean selector?",
		"{selector: {matchExpressions: [{key: a, operator: in}]}}": `config.yaml:3:64: views[0].zonesFrom.selector.matchExpressions[0].operator: "in": want In, NotIn, Exists or DoesNotExist`,
		"{namespaces: [Not_One]}":                                  `views[0].zonesFrom.namespaces[0]: "Not_One": want the name of a namespace`,
		"[dns]":                                                    "views[0].zonesFrom: want a mapping",
	} {
		_, err := decode("views:\n- name: public\n  zonesFrom: " + given + "\n  backend: {memory: {}}\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", given, err, want)
		}
	}
	var none *config.File
	if none, _ = decode("views: [{name: a, zonesFrom: , backend: {memory: {}}}]\n"); none != nil {
		t.Error("zonesFrom without a value stands for zones")
	}
}
