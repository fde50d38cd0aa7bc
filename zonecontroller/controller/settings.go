package controller

import (
	"encoding/json"
	"net"
	"slices"

	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// settings are those of the zone, on every server. Primaries let its secondaries transfer it, and tell them of changes.
func (t *tour) settings() nameserver.ZoneConfig {
	z := nameserver.ZoneConfig{
		Zone: t.k.name, DNSSECPolicy: t.z.Spec.DNSSECPolicy,
		AllowTransfer: slices.Clone(t.z.Spec.AllowTransfer), AlsoNotify: slices.Clone(t.z.Spec.AlsoNotify),
	}
	for _, p := range t.primaries {
		if p.link.err == nil {
			z.Primaries = append(z.Primaries, nameserver.Endpoint{Addr: p.link.config.TransferAddress, Key: p.link.config.TSIG})
		}
	}
	for _, o := range t.secondaries {
		admit(&z, o.link)
	}
	return z
}

// admit lets a secondary transfer a zone, and has it told of changes; also one whose key cannot be read now.
func admit(z *nameserver.ZoneConfig, secondary *link) {
	if secondary.config.TransferAddress == "" {
		return // nobody can say what it is
	}
	if host, _, err := net.SplitHostPort(secondary.config.TransferAddress); err == nil && !slices.Contains(z.AllowTransfer, host) {
		z.AllowTransfer = append(z.AllowTransfer, host)
	}
	if address := secondary.config.TransferAddress; !slices.Contains(z.AlsoNotify, address) {
		z.AlsoNotify = append(z.AlsoNotify, address)
	}
}

// settingsDigest tells settings apart.
func settingsDigest(z nameserver.ZoneConfig) string {
	text, err := json.Marshal(z)
	if err != nil {
		return "" // it is data only
	}
	return string(text)
}
