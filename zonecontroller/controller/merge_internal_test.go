package controller

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

type sets = map[backend.Key]*backend.RRset

func anySets(t *rapid.T, label string) sets {
	all := sets{}
	for name := range rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), rapid.Bool()).Draw(t, label) {
		set := rrset(name+".example.org", "A", rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, label+name))
		all[set.Key] = &set
	}
	return all
}

func apply(has sets, changes []backend.Change) sets {
	next := maps.Clone(has)
	for _, c := range changes {
		if c.New == nil {
			delete(next, c.Key())
		} else {
			next[c.Key()] = c.New
		}
	}
	return next
}

// TestRestoration: a server that went back has afterwards what its peer has, and a second time there is nothing to do. One
// that was filled without a peer loses nothing.
func TestRestoration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		has, peer := anySets(t, "has"), anySets(t, "peer")
		after := apply(has, restoration(has, peer, true))
		if d := differences([]map[backend.Key]*backend.RRset{after, peer}); len(d) > 0 {
			t.Errorf("%v differ", d)
		}
		if again := restoration(after, peer, true); len(again) > 0 {
			t.Errorf("again: %v", again)
		}
		filled := apply(has, restoration(has, peer, false))
		for key, set := range has {
			if filled[key] != set {
				t.Errorf("%s is not what it was", key)
			}
		}
		for key := range peer {
			if filled[key] == nil {
				t.Errorf("%s is missing", key)
			}
		}
		if (len(differences([]map[backend.Key]*backend.RRset{has, peer})) == 0) != (len(restoration(has, peer, true)) == 0) {
			t.Error("differences and what removes them do not agree")
		}
	})
}

// TestHigher: of two serials the later one, in the arithmetic of RFC 1982; none is before all.
func TestHigher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b")
		h := higher(a, b)
		if h != a && h != b || a != 0 && rfc2136.Newer(a, h) || b != 0 && a != b-1<<31 && rfc2136.Newer(b, h) {
			t.Errorf("higher(%d, %d) is %d", a, b, h)
		}
	})
}

// TestOvertakingTheEndOfSerials: 0 is no serial.
func TestOvertakingTheEndOfSerials(t *testing.T) {
	for ahead, want := range map[uint32]uint32{7: 8, 4294967294: 4294967295, 4294967295: 1} {
		tour := &tour{k: &zone{seen: ahead - 2}, secondaries: []*stop{{place: &place{serial: ahead}}}}
		if tour.overtake(); tour.k.seen != want {
			t.Errorf("beyond %d is %d, want %d", ahead, tour.k.seen, want)
		}
	}
}

// TestChoose: all ways to select, and the gate of namespaces.
func TestChoose(t *testing.T) {
	server := func(name, namespace string, allowed []string, labels ...string) v1alpha1.DNSServer {
		s := v1alpha1.DNSServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{}}, Spec: v1alpha1.DNSServerSpec{AllowedNamespaces: allowed}}
		for i := 0; i < len(labels); i += 2 {
			s.Labels[labels[i]] = labels[i+1]
		}
		return s
	}
	servers := []v1alpha1.DNSServer{
		server("b", "dns", nil, "tier", "public"), server("a", "dns", nil, "tier", "internal", "site", "x"),
		server("other", "infra", []string{"dns"}, "tier", "public"), server("closed", "infra", nil, "tier", "public"), server("bare", "dns", nil),
	}
	expression := func(key string, op metav1.LabelSelectorOperator, values ...string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: op, Values: values}}}
	}
	for _, c := range []struct {
		selector          metav1.LabelSelector
		chosen, forbidden string
		wrong             bool
	}{
		{metav1.LabelSelector{}, "", "", false},
		{metav1.LabelSelector{MatchLabels: map[string]string{"tier": "public"}}, "dns/b infra/other ", "infra/closed ", false},
		{expression("tier", metav1.LabelSelectorOpIn, "internal", "x"), "dns/a ", "", false},
		{expression("tier", metav1.LabelSelectorOpNotIn, "public"), "dns/a dns/bare ", "", false},
		{expression("site", metav1.LabelSelectorOpExists), "dns/a ", "", false},
		{expression("tier", metav1.LabelSelectorOpDoesNotExist), "dns/bare ", "", false},
		{expression("tier", "Like", "p"), "", "", true},
	} {
		z := &v1alpha1.DNSZone{ObjectMeta: metav1.ObjectMeta{Namespace: "dns"}, Spec: v1alpha1.DNSZoneSpec{ServerSelector: c.selector}}
		got, err := choose(z, servers)
		chosen, forbidden := "", ""
		for _, s := range got.servers {
			chosen += keyOf(s).String() + " "
		}
		for _, name := range got.forbidden {
			forbidden += name + " "
		}
		if chosen != c.chosen || forbidden != c.forbidden || (err != nil) != c.wrong {
			t.Errorf("%+v: chosen %q, forbidden %q, %v; want %q, %q", c.selector, chosen, forbidden, err, c.chosen, c.forbidden)
		}
	}
}

// TestAddresses: with a port and without, and what is none.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.53": "10.0.0.53:53", "10.0.0.53:5353": "10.0.0.53:5353", "2001:db8::53": "[2001:db8::53]:53", "[2001:db8::53]": "[2001:db8::53]:53",
		"[2001:db8::53]:5353": "[2001:db8::53]:5353", "ns1.example.org:53": "ns1.example.org:53", "ns1.example.org": "ns1.example.org:53",
		"": "", "10.0.0.53:x": "", "10.0.0.53:0": "", "10.0.0.53:70000": "", "http://x": "",
	} {
		if got, err := withPort(in, "53"); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}
