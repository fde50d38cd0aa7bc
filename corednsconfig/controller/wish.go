package controller

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// revisionOf is the revision that a DNSForwarding asks for. Another text in its retry annotation makes it another one.
func revisionOf(f *v1alpha1.DNSForwarding) v1alpha1.Revision {
	r := v1alpha1.Revision{Attempt: f.Annotations[v1alpha1.RetryAnnotation]}
	for _, rule := range f.Spec.Rules {
		r.Rules = append(r.Rules, v1alpha1.RevisionRule{Zones: texts(rule.Zones), Upstreams: texts(rule.Upstreams)})
	}
	r.Name = digest(r)
	return r
}

func texts[S ~string](in []S) []string {
	var out []string
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

// digest names a value by what is in it.
func digest(v any) string {
	text, _ := json.Marshal(v) // strings, numbers and addresses cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

func zonesOf(r v1alpha1.Revision) []string {
	var zones []string
	for _, rule := range r.Rules {
		zones = append(zones, rule.Zones...)
	}
	return zones
}

// part is what one DNSForwarding contributes to the wish for one cluster.
type part struct {
	revision v1alpha1.Revision
	probes   []v1alpha1.Domain
	gate     string
}

// wish is all parts together, the first first: a zone is forwarded for the first part that has it.
func wish(parts []part) rollout.Wish {
	var w rollout.Wish
	taken := map[string]bool{}
	var attempts []string
	gate := ""
	for _, p := range parts {
		for _, rule := range p.revision.Rules {
			f := corefile.Forward{}
			for _, zone := range rule.Zones {
				if !taken[zone] {
					taken[zone] = true
					f.Zones = append(f.Zones, zone)
				}
			}
			for _, text := range rule.Upstreams {
				if upstream, err := ParseUpstream(text); err == nil { // the API server has let only such in
					f.Upstreams = append(f.Upstreams, upstream)
				}
			}
			if len(f.Zones) > 0 && len(f.Upstreams) > 0 {
				w.Forwards = append(w.Forwards, f)
			}
		}
		attempts = append(attempts, p.revision.Attempt)
		gate = stricter(gate, p.gate)
	}
	for _, p := range parts {
		for _, probe := range p.probes {
			if !slices.Contains(w.Probe, string(probe)) && within(string(probe), taken) {
				w.Probe = append(w.Probe, string(probe))
			}
		}
	}
	w.Attempt = strings.Trim(strings.Join(attempts, "\n"), "\n")
	w.Gate = gateMode(gate)
	return w
}

func within(name string, zones map[string]bool) bool {
	for {
		if zones[name] {
			return true
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		name = rest
	}
}

// stricter of two load gates; empty is none at all.
func stricter(a, b string) string {
	order := []string{"", "Off", "Auto", "Require"}
	return order[max(slices.Index(order, a), slices.Index(order, cmp.Or(b, "Auto")))]
}

func gateMode(gate string) rollout.GateMode {
	switch gate {
	case "Require":
		return rollout.GateRequire
	case "Off":
		return rollout.GateOff
	default:
		return rollout.GateAuto
	}
}

// ParseUpstream reads an upstream as it stands in a DNSForwarding; without a port it is port 53.
func ParseUpstream(text string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr, 53), nil
	}
	return netip.ParseAddrPort(text)
}

// baseDomain is the annotation for a cluster that has this revision of a DNSForwarding.
func baseDomain(f *v1alpha1.DNSForwarding, r v1alpha1.Revision, c fleet.Cluster) string {
	if template := f.Spec.BaseDomain; template != "" {
		return strings.NewReplacer("<cluster.name>", c.Name, "<cluster.namespace>", c.Namespace).Replace(template)
	}
	for _, zone := range zonesOf(r) {
		if !strings.HasSuffix(zone, ".arpa") {
			return zone
		}
	}
	return ""
}

// older orders DNSForwardings by age; of two of one age the one whose name comes first counts as older.
func older(a, b *v1alpha1.DNSForwarding) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

// taken is a zone of ours that an older one has, with the older one; empty: there is none.
func taken(ours v1alpha1.Revision, elders []*book) (zone, by string) {
	for _, elder := range elders {
		theirs := zonesOf(elder.newest)
		for _, zone := range zonesOf(ours) {
			if slices.Contains(theirs, zone) {
				return zone, elder.object.Name
			}
		}
	}
	return "", ""
}
