package etcd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// limitsOf is what CoreDNS's etcd plugin answers truly, found by asking CoreDNS 1.15.
func limitsOf(cfg Config) backend.Limits {
	return backend.Limits{
		Types:     []string{"A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT"},
		ApexTypes: []string{"A", "AAAA", "MX", "TXT"},
		Missing: map[string]string{
			"NS":    "CoreDNS's etcd plugin has no delegations; the zone's own name servers are the addresses of ns.dns.<zone>",
			"CAA":   "CoreDNS's etcd plugin does not answer for it",
			"NAPTR": "CoreDNS's etcd plugin does not answer for it",
			"DNAME": "CoreDNS's etcd plugin does not answer for it",
			"DS":    "CoreDNS's etcd plugin does not answer for it",
			"HTTPS": "CoreDNS's etcd plugin does not answer for it",
			"SVCB":  "CoreDNS's etcd plugin does not answer for it",
			"TLSA":  "CoreDNS's etcd plugin does not answer for it",
		},
		MinTTL:     time.Second,
		DefaultTTL: cfg.DefaultTTL,
		MaxText:    maxText,
		// A unit of up to 128 keys changes in one transaction. A larger one changes in several: first
		// all that is added, then what goes.
		Atomic:   backend.AtomicUnit,
		Wildcard: cfg.WildcardLabel != "",
		Refuse:   cfg.refuse,
	}
}

// maxText leaves room for the rest of an answer, which ends at 64 KiB.
const maxText = 60_000

// refuse says why CoreDNS could not answer for the RRset, or would answer something else.
func (c Config) refuse(zone string, r backend.RRset) error {
	labels := strings.Split(r.Name, ".")
	wild := c.WildcardLabel != "" && labels[0] == "*"
	if wild {
		labels = labels[1:]
	}
	switch {
	case wild && reverse(r.Name):
		return fmt.Errorf("the addresses of in-addr.arpa and ip6.arpa have no wildcards: CoreDNS finds PTR records at their own name only")
	case c.WildcardLabel != "" && slices.Contains(labels, c.WildcardLabel):
		return fmt.Errorf("the label %s stands for the star of a wildcard in etcd", c.WildcardLabel)
	case slices.Contains(labels, "any"), slices.Contains(labels, "*"):
		return fmt.Errorf("CoreDNS takes the label any, like *, for a question about all names below")
	case strings.Contains(r.Name, "/"):
		return fmt.Errorf("the labels of a name are the segments of a key, which cannot hold a slash")
	case backend.InZone(r.Name, "apex.dns."+zone):
		return fmt.Errorf("CoreDNS keeps the zone's own addresses at apex.dns.%s", zone)
	}
	text := 0
	for _, v := range r.Values {
		if text += len(v); r.Type == "TXT" && text > maxText {
			return fmt.Errorf("texts of %d bytes and more, at most %d fit into an answer", text, maxText)
		}
		if err := refuseValue(zone, r.Name, typeOf(r.Type), v); err != nil {
			return err
		}
	}
	if r.Type == "PTR" && !reverse(r.Name) {
		return fmt.Errorf("CoreDNS would give it in answer to questions about the name above, except in in-addr.arpa and ip6.arpa")
	}
	if r.Type == "PTR" && len(r.Values) > 1 {
		return fmt.Errorf("CoreDNS finds PTR records at one key only, so there can be one, not %d", len(r.Values))
	}
	return nil
}

func refuseValue(zone, name string, t rrType, v string) error {
	host := v[strings.LastIndexByte(v, ' ')+1:]
	switch t {
	case typeCNAME:
		if backend.InZone(host, name) {
			return fmt.Errorf("CoreDNS takes an alias to %s, at or below the name itself, for a loop", host)
		}
	case typeMX:
		if !backend.InZone(host, zone) {
			return fmt.Errorf("the mail host %s is not in zone %s: CoreDNS would give it as an alias of the name too", host, zone)
		}
	case typeSRV:
		if !backend.InZone(host, zone) && !strings.HasPrefix(name, "_") {
			return fmt.Errorf("the host %s is not in zone %s: CoreDNS would give it as an alias of the name too, which matters unless the name begins with an underscore", host, zone)
		}
	case typeTXT:
		_, err := escapeText(v)
		return err
	}
	return nil
}
