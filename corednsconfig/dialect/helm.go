package dialect

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// A helmTarget is the HelmChartConfig beside the chart that brings CoreDNS. There is one per chart, so its text is shared
// with the users': ours stands between marks.
type helmTarget struct {
	dialect         *Dialect
	namespace, name string
}

const valuesKey = "spec.valuesContent"

func (t *helmTarget) ref() Ref {
	return Ref{GroupVersionKind: helmChartConfigKind(), Namespace: t.namespace, Name: t.name}
}

func (t *helmTarget) rights() []Right { return []Right{ownChartConfig(t.namespace, t.name)} }

func (t *helmTarget) serves(zone string) bool { return t.dialect.Cluster.servesZone(zone) }

func (t *helmTarget) plan(want []corefile.Forward) (part, error) {
	s := &t.dialect.Cluster
	// What the chart will make of it: the same blocks, written differently.
	text, err := corefile.Edit(s.Corefile, want, s.Site)
	if err != nil {
		return part{}, err
	}
	p := part{candidate: &Candidate{Corefile: text, Process: s.Process, Site: s.Site, Derived: true}}
	if p.warnings, err = t.dialect.gate(text, s.Process, want, s.Site, false); err != nil {
		return part{}, err
	}
	there := t.dialect.facts.HelmChartConfig
	before := ""
	if there != nil {
		p.owners = owners(t.ref(), there, "f:spec", "f:valuesContent")
		before, _, _ = unstructured.NestedString(there.Object, "spec", "valuesContent")
	}
	after, copied, err := t.values(before, want)
	if err != nil {
		return part{}, inFile(err, t.ref().String()+" "+valuesKey)
	}
	if copied {
		p.warnings = append(p.warnings, t.ref().String()+": a list of servers in values replaces the chart's, so its servers are copied beside ours; "+
			"what a later chart changes in them has to be taken over by hand")
	}
	if after == before {
		return p, nil
	}
	e := Edit{Ref: t.ref(), Key: valuesKey, How: Update}
	if before != "" {
		e.Before = []byte(before)
	}
	if after != "" {
		e.After = []byte(after)
	}
	switch {
	case there == nil:
		e.How, e.Object = Apply, t.ref().created()
	case after == "" && oursAlone(there):
		e.How, e.ResourceVersion = Delete, there.GetResourceVersion()
	default:
		e.ResourceVersion, e.Object = there.GetResourceVersion(), there.DeepCopy()
		if len(want) == 0 {
			unstructured.RemoveNestedField(e.Object.Object, "metadata", "annotations", createdAnnotation)
		}
	}
	if e.Object != nil {
		err = unstructured.SetNestedField(e.Object.Object, after, "spec", "valuesContent")
	}
	p.edits = []Edit{e}
	return p, err
}

// values puts our section into the text. copied: the chart's own servers had to be copied into it.
func (t *helmTarget) values(before string, want []corefile.Forward) (after string, copied bool, err error) {
	old, there, err := findSection(before)
	if err != nil {
		return "", false, err
	}
	user := before
	if there {
		user = before[:old.start] + before[old.end:]
	}
	if len(want) == 0 {
		return user, false, nil
	}
	users, all, err := userServers(user)
	if err != nil {
		return "", false, err
	}
	ours, err := t.ours(want, users)
	if err != nil {
		return "", false, err
	}
	text, err := marshalServers(ours)
	if err != nil {
		return "", false, err
	}
	if users != nil {
		after, err = insertServers(user, text)
		return after, false, proveValues(err, after, all, append(anyList(ours), users...))
	}
	chart := old.chart
	if !old.hasChart {
		if chart, err = t.chart(); err != nil {
			return "", false, err
		}
		copied = true
	}
	after = appendSection(user, "servers:\n"+text+valuesChart+"\n"+chart)
	var copies []any
	if err := yaml.Unmarshal([]byte(chart), &copies); err != nil {
		return "", false, &corefile.Fault{Reason: corefile.Altered, Ours: true, Text: "the chart's servers in our section: " + err.Error()}
	}
	return after, copied, proveValues(nil, after, all, append(anyList(ours), copies...))
}

// ours are the values for our blocks, refused where the users' have the zone.
func (t *helmTarget) ours(want []corefile.Forward, users []any) ([]chartServer, error) {
	text, err := corefile.Edit(nil, want, t.dialect.Cluster.Site)
	if err != nil {
		return nil, err
	}
	ours, err := chartServers(text, t.tcp())
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, u := range users {
		server, _ := u.(map[string]any)
		zones, _ := server["zones"].([]any)
		for _, z := range zones {
			zone, _ := z.(map[string]any)
			name, _ := zone["zone"].(string)
			taken[strings.ToLower(strings.TrimSuffix(name, "."))] = true
		}
	}
	for _, s := range ours {
		for _, z := range s.Zones {
			if taken[z.Zone] {
				return nil, &corefile.Fault{Reason: corefile.UserZone, Ours: true,
					Text: fmt.Sprintf("zone %q is already among the servers, and they are not ours: take the server or the zone away", z.Zone)}
			}
		}
	}
	return ours, nil
}

// tcp: the Service is open for TCP today.
func (t *helmTarget) tcp() bool {
	return slices.ContainsFunc(t.dialect.facts.Service().Spec.Ports, func(p corev1.ServicePort) bool {
		return p.Port == 53 && p.Protocol == corev1.ProtocolTCP
	})
}

// chart are the chart's own servers as values, taken from what it has rendered.
func (t *helmTarget) chart() (string, error) {
	if port := t.dialect.Cluster.Site.Port; port != 53 {
		return "", &corefile.Fault{Reason: corefile.Unproven, Text: fmt.Sprintf("CoreDNS listens on port %d: how values send port 53 of the Service there is not known; "+
			"write the chart's servers into %s yourself", port, t.ref())}
	}
	plain, err := corefile.Edit(t.dialect.Cluster.Corefile, nil, t.dialect.Cluster.Site)
	if err != nil {
		return "", err
	}
	servers, err := chartServers(plain, t.tcp())
	if err != nil {
		return "", &corefile.Fault{Reason: corefile.Unproven, Text: t.dialect.Cluster.Source.String() + " cannot be put into values: " + err.Error()}
	}
	return marshalServers(servers)
}

// userServers are the users' own servers (nil: they have none), and all their values.
func userServers(user string) ([]any, map[string]any, error) {
	all := map[string]any{}
	if err := yaml.Unmarshal([]byte(user), &all); err != nil {
		return nil, nil, &corefile.Fault{Reason: corefile.Syntax, Text: "want a YAML mapping: " + err.Error()}
	}
	value, ok := all["servers"]
	if !ok {
		return nil, all, nil
	}
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return nil, nil, &corefile.Fault{Reason: corefile.Syntax, Text: "servers: want a list with at least one server"}
	}
	return list, all, nil
}

// insertServers puts our section in front of the first server of the users' list.
func insertServers(user, text string) (string, error) {
	at := 0
	for l := range strings.SplitAfterSeq(user, "\n") {
		at += len(l)
		if strings.TrimSpace(strings.SplitN(l, "#", 2)[0]) != "servers:" || l[0] != 's' {
			continue
		}
		for item := range strings.SplitAfterSeq(user[at:], "\n") {
			trimmed := strings.TrimLeft(item, " ")
			if strings.HasPrefix(trimmed, "-") {
				indent := item[:len(item)-len(trimmed)]
				return user[:at] + indented(valuesBegin+"\n"+text+valuesEnd+"\n", indent) + user[at:], nil
			}
		}
	}
	return "", &corefile.Fault{Reason: corefile.Syntax, Text: "servers: want a block list, a line \"servers:\" and below it lines that start with \"-\""}
}

func appendSection(user, body string) string {
	begin := valuesBegin
	if user != "" && !strings.HasSuffix(user, "\n") {
		user += "\n"
		begin += valuesJoined
	}
	return user + begin + "\n" + body + valuesEnd + "\n"
}

// proveValues reads the new text back: the users' values must be as they were, and the servers as intended.
func proveValues(err error, after string, users map[string]any, servers []any) error {
	if err != nil {
		return err
	}
	var got map[string]any
	if err := yaml.Unmarshal([]byte(after), &got); err != nil {
		return unproven(err.Error())
	}
	list, _ := got["servers"].([]any)
	if !reflect.DeepEqual(list, servers) {
		return unproven("the servers are not the ones intended")
	}
	delete(got, "servers")
	for key, value := range users {
		if key != "servers" && !reflect.DeepEqual(got[key], value) {
			return unproven("the value of " + key + " would change")
		}
		delete(got, key)
	}
	if len(got) > 0 {
		return unproven("there would be more values than before")
	}
	return nil
}

func unproven(why string) error {
	return &corefile.Fault{Reason: corefile.Unproven, Text: "the edit could not be proved to leave everything else as it is, so it is not made: " + why}
}

// anyList is the servers as a YAML decoder would give them.
func anyList(servers []chartServer) []any {
	text, err := marshalServers(servers)
	if err != nil {
		return nil
	}
	var list []any
	if err := yaml.Unmarshal([]byte(text), &list); err != nil {
		return nil
	}
	return list
}
