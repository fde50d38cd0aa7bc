package zonesource_test

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/zonesource"
)

func expressing(requirements ...zonesource.Requirement) zonesource.From {
	return zonesource.From{Selector: zonesource.Selector{MatchExpressions: requirements}}
}

func TestSelects(t *testing.T) {
	labels := map[string]string{"team": "shop", "tier": "a"}
	for label, row := range map[string]struct {
		from zonesource.From
		want bool
	}{
		"everything":           {zonesource.From{}, true},
		"a namespace":          {zonesource.From{Namespaces: []string{"other", "dns"}}, true},
		"another namespace":    {zonesource.From{Namespaces: []string{"other"}}, false},
		"labels":               {*having("team=shop", "tier=a"), true},
		"one label missing":    {*having("team=shop", "stage=a"), false},
		"in":                   {expressing(zonesource.Requirement{Key: "tier", Operator: "In", Values: []string{"a", "b"}}), true},
		"in without label":     {expressing(zonesource.Requirement{Key: "stage", Operator: "In", Values: []string{"a"}}), false},
		"not in":               {expressing(zonesource.Requirement{Key: "tier", Operator: "NotIn", Values: []string{"a"}}), false},
		"not in without label": {expressing(zonesource.Requirement{Key: "stage", Operator: "NotIn", Values: []string{"a"}}), true},
		"exists":               {expressing(zonesource.Requirement{Key: "team", Operator: "Exists"}), true},
		"does not exist":       {expressing(zonesource.Requirement{Key: "team", Operator: "DoesNotExist"}), false},
		"all of them":          {expressing(zonesource.Requirement{Key: "team", Operator: "Exists"}, zonesource.Requirement{Key: "stage", Operator: "Exists"}), false},
		"what is refused":      {expressing(zonesource.Requirement{Key: "team", Operator: "Matches"}), false},
	} {
		if got := row.from.Selects("dns", labels); got != row.want {
			t.Errorf("%s: selected %t, want %t", label, got, row.want)
		}
	}
}

func TestFromValidate(t *testing.T) {
	for want, from := range map[string]zonesource.From{
		"": expressing(zonesource.Requirement{Key: "example.org/team", Operator: "In", Values: []string{"a", ""}}),
		`namespaces[1]: "Not One": want the name of a namespace`:                                             {Namespaces: []string{"dns", "Not One"}},
		`selector.matchLabels.a b: "a b": want the key of a label`:                                           *having("a b=c"),
		`selector.matchLabels.a: "b c": want the value of a label`:                                           *having("a=b c"),
		`selector.matchExpressions[0].operator: "in": want In, NotIn, Exists or DoesNotExist`:                expressing(zonesource.Requirement{Key: "a", Operator: "in"}),
		`selector.matchExpressions[0].key: want the key of a label`:                                          expressing(zonesource.Requirement{Operator: "Exists"}),
		`selector.matchExpressions[0].values: want one value or more with operator NotIn`:                    expressing(zonesource.Requirement{Key: "a", Operator: "NotIn"}),
		`selector.matchExpressions[0].values: "x, y": want none with operator DoesNotExist`:                  expressing(zonesource.Requirement{Key: "a", Operator: "DoesNotExist", Values: []string{"x", "y"}}),
		`selector.matchExpressions[0].values[1]: "-": want the value of a label: at most 63 letters, digits`: expressing(zonesource.Requirement{Key: "a", Operator: "In", Values: []string{"x", "-"}}),
	} {
		err := from.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestFromReadsAsASentence(t *testing.T) {
	from := having("team=shop", "a=b")
	from.Selector.MatchExpressions = []zonesource.Requirement{{Key: "tier", Operator: "In", Values: []string{"x", "y"}}, {Key: "z", Operator: "Exists"}}
	from.Namespaces = []string{"dns", "net"}
	if got, want := from.String(), "DNSZones with a=b and team=shop and tier In (x, y) and z Exists in dns, net"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := new(zonesource.From).String(); got != "every DNSZone" {
		t.Errorf("got %s", got)
	}
}
