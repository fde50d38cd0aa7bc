package rollout

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// canonicalZone is lower case with a trailing dot, as CoreDNS's metrics write zones.
func canonicalZone(z string) string { return dns.CanonicalName(strings.TrimSpace(z)) }

// zonesOf are the zones of forwards as the metrics write them, sorted.
func zonesOf(forwards []corefile.Forward) []string {
	var zones []string
	for _, f := range forwards {
		for _, z := range f.Zones {
			zones = append(zones, canonicalZone(z))
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// minus is a without b.
func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// questions are what must resolve through the forwards: the names given, else each zone's own.
func questions(w Wish) []question {
	var all []question
	for _, name := range w.Probe {
		all = append(all, question{Name: dns.CanonicalName(name), Type: dns.TypeA, Patient: true})
	}
	if len(all) > 0 {
		return all
	}
	for _, z := range zonesOf(w.Forwards) {
		all = append(all, question{Name: z, Type: dns.TypeSOA, Patient: true})
	}
	return all
}
