package dialect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// An openshiftTarget is the list of servers in the DNS "default" of OpenShift. The list is one value for the API server, so
// the object is replaced under resourceVersion.
type openshiftTarget struct {
	dialect *Dialect
	dns     *unstructured.Unstructured
}

// serverPrefix starts the names of our servers. A name has 15 characters at most (RFC 6335 §5.1): 6 are left for a digest.
const serverPrefix = "spokedns-"

func (t *openshiftTarget) ref() Ref {
	return Ref{GroupVersionKind: dnsKind(), Name: t.dns.GetName()}
}

func (t *openshiftTarget) rights() []Right { return []Right{updateDNS(t.dns.GetName())} }

func (t *openshiftTarget) serves(zone string) bool { return t.dialect.Cluster.servesZone(zone) }

func (t *openshiftTarget) plan(want []corefile.Forward) (part, error) {
	settled, err := settle(want)
	if err != nil {
		return part{}, err
	}
	there, err := t.servers()
	if err != nil {
		return part{}, err
	}
	var p part
	if p.candidate, p.warnings, err = t.candidate(there, want); err != nil {
		return part{}, err
	}
	p.owners = owners(t.ref(), t.dns, "f:spec", "f:servers")
	next, err := mergeServers(there, settled)
	if err != nil {
		return part{}, inFile(err, t.ref().String()+" spec.servers")
	}
	e := Edit{Ref: t.ref(), Key: "spec.servers", ResourceVersion: t.dns.GetResourceVersion(), How: Update}
	if e.Before, err = asYAML(there); err != nil {
		return part{}, err
	}
	if e.After, err = asYAML(next); err != nil {
		return part{}, err
	}
	if bytes.Equal(e.Before, e.After) {
		return p, nil
	}
	e.Object = t.dns.DeepCopy()
	if len(next) == 0 {
		unstructured.RemoveNestedField(e.Object.Object, "spec", "servers")
	} else if err = unstructured.SetNestedSlice(e.Object.Object, next, "spec", "servers"); err != nil {
		return part{}, err
	}
	p.edits = []Edit{e}
	return p, nil
}

func (t *openshiftTarget) servers() ([]any, error) {
	servers, _, err := unstructured.NestedSlice(t.dns.Object, "spec", "servers")
	if err != nil {
		return nil, &corefile.Fault{File: t.ref().String(), Reason: corefile.Syntax, Text: "spec.servers: " + err.Error()}
	}
	return servers, nil
}

// mergeServers takes out our servers and puts in those wanted, behind the others. One that says what is wanted stays as it
// is, with what the API server has filled in.
func mergeServers(there []any, want []corefile.Forward) ([]any, error) {
	var next []any
	ours := map[string]map[string]any{}
	users := map[string]string{}
	for _, s := range there {
		server, _ := s.(map[string]any)
		name, _, _ := unstructured.NestedString(server, "name")
		if strings.HasPrefix(name, serverPrefix) {
			ours[name] = server
			continue
		}
		next = append(next, s)
		zones, _, _ := unstructured.NestedStringSlice(server, "zones")
		for _, zone := range zones {
			users[strings.ToLower(strings.TrimSuffix(zone, "."))] = name
		}
	}
	for _, f := range want {
		for _, zone := range f.Zones {
			if name, taken := users[zone]; taken {
				return nil, &corefile.Fault{Reason: corefile.UserZone, Ours: true,
					Text: fmt.Sprintf("zone %q is already served by server %q, which is not ours: take the server or the zone away", zone, name)}
			}
		}
		server := openshiftServer(f)
		if old, ok := ours[server["name"].(string)]; ok && says(old, server) {
			server = old
		}
		next = append(next, server)
	}
	return next, nil
}

func openshiftServer(f corefile.Forward) map[string]any {
	sum := sha256.Sum256([]byte(strings.Join(f.Zones, " ")))
	var zones, upstreams []any
	for _, z := range f.Zones {
		zones = append(zones, z)
	}
	for _, u := range f.Upstreams {
		upstreams = append(upstreams, upstreamText(u))
	}
	return map[string]any{
		"name":          serverPrefix + hex.EncodeToString(sum[:3]),
		"zones":         zones,
		"forwardPlugin": map[string]any{"upstreams": upstreams, "policy": "Sequential"},
	}
}

// says reports whether a server has all that is wanted; it may have more.
func says(server, wanted map[string]any) bool {
	for _, path := range [][]string{{"zones"}, {"forwardPlugin", "upstreams"}} {
		a, _, _ := unstructured.NestedStringSlice(server, path...)
		b, _, _ := unstructured.NestedStringSlice(wanted, path...)
		if !slices.Equal(a, b) {
			return false
		}
	}
	policy, _, _ := unstructured.NestedString(server, "forwardPlugin", "policy")
	return policy == "Sequential"
}

// candidate is about what the operator will render: the Corefile without the blocks of our servers, with blocks of ours.
func (t *openshiftTarget) candidate(servers []any, want []corefile.Forward) (*Candidate, []string, error) {
	s := &t.dialect.Cluster
	zones := map[string]bool{}
	for _, server := range servers {
		server, _ := server.(map[string]any)
		name, _, _ := unstructured.NestedString(server, "name")
		list, _, _ := unstructured.NestedStringSlice(server, "zones")
		for _, zone := range list {
			zones[zone] = strings.HasPrefix(name, serverPrefix)
		}
	}
	file, err := corefile.Parse(s.Corefile, s.Process)
	if err != nil {
		return nil, nil, err
	}
	text := s.Corefile
	for _, b := range slices.Backward(file.Blocks()) {
		if len(b.Keys) > 0 && zones[b.Keys[0].Zone] && b.End > 0 {
			text = bytes.Join([][]byte{text[:b.Start], text[b.End:]}, nil)
		}
	}
	if text, err = corefile.Edit(text, want, s.Site); err != nil {
		return nil, nil, err
	}
	warnings, err := t.dialect.gate(text, s.Process, want, s.Site, false)
	return &Candidate{Corefile: text, Process: s.Process, Site: s.Site, Derived: true}, warnings, err
}

// asYAML is a list as text that people can compare; nil for an empty one.
func asYAML(list []any) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return yaml.Marshal(list)
}
