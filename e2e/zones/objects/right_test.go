package objects

import (
	"fmt"
	"strings"
)

// zone is the spec of a DNSZone with name servers, each a name or YAML.
func zone(name string, servers ...string) string {
	var list strings.Builder
	for _, s := range servers {
		if !strings.Contains(s, ":") {
			s = "hostname: " + s
		}
		fmt.Fprintf(&list, "- {%s}\n", s)
	}
	return "zoneName: " + name + "\nsoa: {primaryNS: ns1.example.net, adminEmail: hostmaster@example.org}\nserverSelector: {matchLabels: {dns: main}}\nnameServers:\n" + list.String()
}

// record is the spec of a DNSRecord; values are YAML.
func record(name, typ string, values ...string) string {
	return fmt.Sprintf("zone: {name: main}\nname: %q\ntype: %s\nvalues: [%s]\n", name, typ, strings.Join(values, ", "))
}

func primary(rest string) string { return "address: 10.0.0.53\nrole: Primary\n" + rest }

// right are specs that are taken, by kind.
func right() map[string]map[string]string {
	long := strings.Repeat("a", 63)
	name := strings.Join([]string{long, long, long, strings.Repeat("b", 57)}, ".")
	list := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return strings.Join(all, ", ")
	}
	const otherSOA = "zoneName: example.org\nnameServers: [{hostname: ns1.example.net}]\nserverSelector: {matchLabels: {dns: main}}\n"
	least := zone("example.org", "ns1.example.net")
	return map[string]map[string]string{
		"DNSServer": {
			"least":          "address: 10.0.0.53\nrole: Primary",
			"port":           "address: 10.0.0.53:5353\nrole: Secondary\ntransferAddress: '[2001:db8::53]:5353'",
			"IPv6":           "address: 2001:db8::53\nrole: Primary",
			"host name":      "address: ns1.dns.svc.cluster.local:53\nrole: Primary",
			"rndc":           primary("tsig: {name: main-tsig}\ncontrol: {rndc: {address: 10.0.0.53, key: {name: main-rndc}, view: inside}}"),
			"rndc with port": primary("control: {rndc: {address: 'bind-0.bind:953', key: {name: main-rndc}}}"),
			"knot":           primary("control: {knot: {socket: /run/knot/knot.sock}}"),
			"catalog":        "address: 10.0.0.54\nrole: Secondary\ncontrol: {catalog: {zone: catalog.invalid}}",
			"namespaces":     primary("allowedNamespaces: [team-a, team-b]"),
			"all namespaces": primary("allowedNamespaces: ['*']"),
		},
		"DNSZone": {
			"least":             least,
			"glue":              zone("example.org", "hostname: ns1.example.org, ipv4Addresses: [192.0.2.53], ipv6Addresses: ['2001:DB8::53']", "hostname: NS2.Example.org., ipv4Addresses: [192.0.2.54], ttl: 86400"),
			"glue at the apex":  zone("example.org", "hostname: example.org, ipv4Addresses: [192.0.2.53]"),
			"reverse":           zone("2.0.192.in-addr.arpa", "ns1.example.net"),
			"reverse IPv6":      zone("8.b.d.0.1.0.0.2.ip6.arpa", "ns1.example.net"),
			"classless reverse": zone("0/25.2.0.192.in-addr.arpa", "ns1.example.net"),
			"one label":         zone("corp", "ns1.example.net"),
			"underscore":        zone("_tcp.example.org", "ns1.example.net"),
			"longest name":      zone(name, "ns1.example.net"),
			"SOA":               otherSOA + "soa: {primaryNS: ns1.example.net., adminEmail: first.last@example.org, serial: 4294967295, refresh: 7200, retry: 900, expire: 1209600, negativeTTL: 0, ttl: 3600}",
			"mailbox as a name": otherSOA + `soa: {primaryNS: ns1.example.net, adminEmail: 'first\.last.example.org'}`,
			"expressions": strings.Replace(least, "{matchLabels: {dns: main}}",
				"{matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b, c]}, {key: d, operator: NotIn, values: [e]}, {key: f, operator: Exists}, {key: g, operator: DoesNotExist}]}", 1),
			"lists":        least + "dnssecPolicy: default\nallowTransfer: [10.0.0.54, 10.1.0.0/16, '2001:db8::/32']\nalsoNotify: [10.0.0.54, '10.0.0.55:5353', '[2001:db8::54]:53']\nrecordNamespaces: ['*']\norphanAfter: 0s\nttl: 60",
			"sixteen":      zone("example.org", strings.Split(list(16, "ns%d.example.net"), ", ")...),
			"full of them": least + "allowTransfer: [" + list(64, "10.0.0.%d") + "]\nrecordNamespaces: [" + list(128, "team-%d") + "]",
		},
		"DNSRecord": {
			"A":               record("www", "A", "192.0.2.1", "192.0.2.2"),
			"AAAA":            record("www", "AAAA", "'2001:DB8::1'"),
			"apex":            record("@", "A", "192.0.2.1"),
			"whole name":      record("www.example.org.", "A", "192.0.2.1"),
			"case":            record("WWW", "A", "192.0.2.1"),
			"wildcard":        record("*.apps", "A", "192.0.2.1"),
			"only a star":     record("*", "CNAME", "host.example.org"),
			"CNAME":           record("www", "CNAME", "Host.Example.org."),
			"CNAME to a TLD":  record("www", "CNAME", "localhost."),
			"TXT":             record("@", "TXT", "'v=spf1 -all'", `'"quoted \"text\" \200" "in two"'`, "''"),
			"long TXT":        record("@", "TXT", strings.Repeat("k", 4096)),
			"MX":              record("@", "MX", "10 mail.example.org", "20 backup.example.net."),
			"no mail":         record("@", "MX", "0 ."),
			"NS":              record("child", "NS", "ns1.child.example.org."),
			"SRV":             record("_sip._tcp", "SRV", "0 5 5060 sip.example.org.", "0 0 0 ."),
			"CAA":             record("@", "CAA", `'0 issue "ca.example; account=1"'`, `'128 iodef "mailto:a@example.org"'`, `'0 issuewild ";"'`),
			"PTR":             record("1", "PTR", "host.example.org."),
			"HTTPS":           record("@", "HTTPS", `'1 . alpn="h2,h3" ipv4hint=192.0.2.1'`, "0 other.example.org."),
			"SVCB":            record("_dns", "SVCB", "1 ns1.example.net. port=853"),
			"TLSA":            record("_443._tcp", "TLSA", "3 1 1 "+strings.Repeat("0aF9", 16)),
			"SSHFP":           record("host", "SSHFP", "4 2 "+strings.Repeat("0aF9", 16)),
			"TTL, namespace":  "zone: {name: example.org, namespace: dns}\nname: a\ntype: A\nvalues: [192.0.2.1]\nttl: 2147483647",
			"hundred values":  record("many", "A", list(100, "10.0.0.%d")),
			"hundred long":    record("many", "TXT", list(100, strings.Repeat("x", 4000)+"%d")),
			"hundred targets": record("many", "SRV", list(100, "1 1 %d "+name+".")),
		},
	}
}
