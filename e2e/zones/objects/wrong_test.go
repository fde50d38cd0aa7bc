package objects

import (
	"fmt"
	"strings"
)

// refused is a spec with what has to be said of it.
type refused struct {
	spec string
	says []string
}

// wrong are specs that are refused, by kind.
func wrong() map[string]map[string]refused {
	return map[string]map[string]refused{"DNSServer": wrongServers(), "DNSZone": wrongZones(), "DNSRecord": wrongRecords()}
}

func wrongServers() map[string]refused {
	cases := map[string]refused{
		"no address":         {"role: Primary", []string{"spec.address", "Required"}},
		"no role":            {"address: 10.0.0.53", []string{"spec.role"}},
		"role":               {"address: 10.0.0.53\nrole: Master", []string{"spec.role", "Master", "Primary", "Secondary"}},
		"empty control":      {primary("control: {}"), []string{"spec.control", "none of rndc, knot and catalog: want exactly one"}},
		"two controls":       {primary("control: {knot: {socket: /run/knot.sock}, rndc: {address: 10.0.0.53, key: {name: a}}}"), []string{"spec.control", "more than one of rndc, knot and catalog"}},
		"catalog on primary": {primary("control: {catalog: {zone: catalog.invalid}}"), []string{"spec.control", "catalog on a primary: want it on secondaries"}},
		"catalog zone":       {"address: 10.0.0.53\nrole: Secondary\ncontrol: {catalog: {zone: Catalog.}}", []string{"spec.control.catalog.zone", `"Catalog.": want a domain name in lower case`}},
		"relative socket":    {primary("control: {knot: {socket: knot.sock}}"), []string{"spec.control.knot.socket", `"knot.sock": want the absolute path`}},
		"rndc key":           {primary("control: {rndc: {address: 10.0.0.53, key: {name: A_B}}}"), []string{"spec.control.rndc.key.name", `"A_B": want the name of an object`}},
		"rndc without key":   {primary("control: {rndc: {address: 10.0.0.53}}"), []string{"spec.control.rndc.key", "Required"}},
		"rndc address":       {primary("control: {rndc: {address: '10.0.0.53:x', key: {name: a}}}"), []string{"spec.control.rndc.address", `"10.0.0.53:x": want an IP address`, ":953"}},
		"view":               {primary("control: {rndc: {address: 10.0.0.53, key: {name: a}, view: 'a; b'}}"), []string{"spec.control.rndc.view", `"a; b": want the name of a view`}},
		"tsig":               {primary("tsig: {name: ''}"), []string{"spec.tsig.name"}},
		"namespace":          {primary("allowedNamespaces: [team-a, Team_B]"), []string{"spec.allowedNamespaces", `"Team_B": want the name of a namespace, or "*"`}},
		"namespace twice":    {primary("allowedNamespaces: [a, a]"), []string{"spec.allowedNamespaces[1]", "Duplicate"}},
	}
	for _, a := range []string{"10.0.0", "10.0.0.256", "10.0.0.53:0", "10.0.0.53:65536", "ns1.example.org", "2001:db8::53:x", "[2001:db8::53]", "[10.0.0.53]:53", "tcp://10.0.0.53", "10.0.0.0/24", "a b:53"} {
		cases["address "+a] = refused{fmt.Sprintf("address: %q\nrole: Primary", a), []string{"spec.address", `"` + a + `": want an IP address, with or without a port`}}
	}
	return cases
}

func wrongZones() map[string]refused {
	least := zone("example.org", "ns1.example.net")
	soa := func(fields string) string {
		return "zoneName: example.org\nnameServers: [{hostname: ns1.example.net}]\nserverSelector: {matchLabels: {dns: main}}\nsoa: {" + fields + "}"
	}
	const names = "primaryNS: ns1.example.net, adminEmail: a@example.org"
	selector := func(s string) string {
		return strings.Replace(least, "{matchLabels: {dns: main}}", s, 1)
	}
	const expression = "{matchExpressions: [{key: tier, operator: %s}]}"
	cases := map[string]refused{
		"no SOA":              {"zoneName: example.org\nnameServers: [{hostname: ns1.example.net}]\nserverSelector: {matchLabels: {a: b}}", []string{"spec.soa", "Required"}},
		"no name servers":     {zone("example.org") + "  []", []string{"spec.nameServers", "at least 1"}},
		"name server twice":   {zone("example.org", "ns1.example.net", "ns1.example.net"), []string{"spec.nameServers[1]", "Duplicate"}},
		"name server address": {zone("example.org", "192.0.2.53"), []string{"spec.nameServers[0].hostname", `"192.0.2.53" is an address: want the name`}},
		"name server label":   {zone("example.org", "ns1"), []string{"spec.nameServers[0].hostname", `"ns1": want the whole name`}},
		"no glue":             {zone("example.org", "ns1.example.org"), []string{"spec.nameServers", `"ns1.example.org" lies in the zone: want its addresses`}},
		"no glue, with a dot": {zone("example.org", "NS1.example.org."), []string{"spec.nameServers", `"NS1.example.org." lies in the zone: want its addresses`}},
		"glue outside":        {zone("example.org", "hostname: ns1.example.net, ipv4Addresses: [192.0.2.53]"), []string{"spec.nameServers", `"ns1.example.net" lies outside the zone example.org: want no addresses`}},
		"glue outside, alike": {zone("example.org", "hostname: ns1.notexample.org, ipv4Addresses: [192.0.2.53]"), []string{`"ns1.notexample.org" lies outside the zone`}},
		"glue family":         {zone("example.org", "hostname: ns1.example.org, ipv4Addresses: ['2001:db8::1']"), []string{"spec.nameServers[0].ipv4Addresses", `"2001:db8::1": want an IPv4 address`}},
		"glue family 6":       {zone("example.org", "hostname: ns1.example.org, ipv6Addresses: [192.0.2.1]"), []string{"spec.nameServers[0].ipv6Addresses", `"192.0.2.1": want an IPv6 address`}},
		"glue TTL":            {zone("example.org", "hostname: ns1.example.org, ipv4Addresses: [192.0.2.1], ttl: 0"), []string{"spec.nameServers[0].ttl", "greater than or equal to 1"}},
		"TTL":                 {least + "ttl: 2147483648", []string{"spec.ttl", "less than or equal to 2147483647"}},
		"serial 0":            {soa(names + ", serial: 0"), []string{"spec.soa.serial", "greater than or equal to 1"}},
		"serial":              {soa(names + ", serial: 4294967296"), []string{"spec.soa.serial", "less than or equal to 4294967295"}},
		"refresh":             {soa(names + ", refresh: -1"), []string{"spec.soa.refresh", "greater than or equal to 1"}},
		"retry":               {soa(names + ", retry: 0"), []string{"spec.soa.retry", "greater than or equal to 1"}},
		"negative TTL":        {soa(names + ", negativeTTL: -1"), []string{"spec.soa.negativeTTL", "greater than or equal to 0"}},
		"expire":              {soa(names + ", refresh: 3600, expire: 3600"), []string{"spec.soa.expire", "want more than refresh"}},
		"primary":             {soa("primaryNS: 192.0.2.53, adminEmail: a@example.org"), []string{"spec.soa.primaryNS", `"192.0.2.53" is an address`}},
		"email":               {soa("primaryNS: ns1.example.net, adminEmail: nobody"), []string{"spec.soa.adminEmail", `"nobody": want an address of e-mail like hostmaster@example.org`}},
		"email with a space":  {soa("primaryNS: ns1.example.net, adminEmail: 'a b@example.org'"), []string{"spec.soa.adminEmail", `"a b@example.org"`}},
		"empty selector":      {selector("{}"), []string{"spec.serverSelector", "selects nothing: want matchLabels or matchExpressions"}},
		"operator":            {selector(fmt.Sprintf(expression, "Like")), []string{"spec.serverSelector.matchExpressions", "want every operator to be In, NotIn, Exists or DoesNotExist"}},
		"In without values":   {selector(fmt.Sprintf(expression, "In")), []string{"spec.serverSelector.matchExpressions", "want values with the operators In and NotIn"}},
		"Exists with values":  {selector(fmt.Sprintf(expression, "Exists, values: [a]")), []string{"spec.serverSelector.matchExpressions", "want values with the operators In and NotIn, and none with Exists"}},
		"policy":              {least + "dnssecPolicy: 'a\"; b'", []string{"spec.dnssecPolicy", "want the name of a dnssec-policy"}},
		"allow-transfer":      {least + "allowTransfer: [any]", []string{"spec.allowTransfer", `"any": want an address or a network`}},
		"also-notify":         {least + "alsoNotify: [10.0.0.54, ns2.example.org]", []string{"spec.alsoNotify", `"ns2.example.org": want an IP address`}},
		"record namespaces":   {least + "recordNamespaces: ['team-*']", []string{"spec.recordNamespaces", `"team-*": want the name of a namespace`}},
		"orphan after":        {least + "orphanAfter: 169h", []string{"spec.orphanAfter", `"169h": want a time from 0s to 168h`}},
	}
	for _, z := range []string{"Example.org", "example.org.", ".", "-a.org", "a-.org", "a..org", "*.example.org", "a b", "ü.example", "$a.org", strings.Repeat("a", 64) + ".org"} {
		cases["name "+z] = refused{zone(fmt.Sprintf("%q", z), "ns1.example.net"), []string{"spec.zoneName", `"` + z + `": want a domain name in lower case without a dot at the end`}}
	}
	cases["name 192.0.2.0"] = refused{zone("192.0.2.0", "ns1.example.net"), []string{"spec.zoneName", `"192.0.2.0" is an address`, "in-addr.arpa"}}
	return cases
}

func wrongRecords() map[string]refused {
	values := "spec.values"
	cases := map[string]refused{
		"no zone":           {"name: www\ntype: A\nvalues: [192.0.2.1]", []string{"spec.zone", "Required"}},
		"zone name":         {"zone: {name: Example.org}\nname: www\ntype: A\nvalues: [192.0.2.1]", []string{"spec.zone.name", `"Example.org": want the name of an object`}},
		"zone namespace":    {"zone: {name: a, namespace: b.c}\nname: www\ntype: A\nvalues: [192.0.2.1]", []string{"spec.zone.namespace", `"b.c": want the name of a namespace`}},
		"type":              {record("www", "SOA", "x"), []string{"spec.type", "SOA", "CNAME"}},
		"no values":         {record("www", "A"), []string{values, "at least 1"}},
		"too many values":   {record("www", "TXT", strings.Split(strings.Repeat("x ", 101), " ")[:101]...), []string{values, "at most 100"}},
		"value too long":    {record("www", "TXT", strings.Repeat("x", 4097)), []string{"spec.values[0]", "may not be more than 4096"}},
		"TTL 0":             {record("www", "A", "192.0.2.1") + "ttl: 0", []string{"spec.ttl", "greater than or equal to 1"}},
		"TTL":               {record("www", "A", "192.0.2.1") + "ttl: 2147483648", []string{"spec.ttl", "less than or equal to 2147483647"}},
		"CNAME twice":       {record("www", "CNAME", "a.example.org", "b.example.org"), []string{values, "several values: want one, a CNAME has no more"}},
		"CNAME at the apex": {record("@", "CNAME", "a.example.org"), []string{"spec.name", `"@": want A or AAAA`}},
		"NS at the apex":    {record("@", "NS", "a.example.org"), []string{"spec.name", `"@": want the name servers of the zone itself in spec.nameServers`}},
		"NS at a wildcard":  {record("*.a", "NS", "a.example.org"), []string{"spec.name", `"*.a": want no wildcard`}},
		"heritage":          {record("a-www", "TXT", "'heritage=external-dns,external-dns/owner=a'"), []string{values, "want this left to external-dns"}},
		"quoted heritage":   {record("a-www", "TXT", `'"heritage=external-dns,external-dns/owner=a"'`), []string{values, "want this left to external-dns"}},
	}
	for _, n := range []string{"", "a..b", ".a", "-a", "a-", "a.*.b", "a*", "w w", "ü", "@.a", "a@b", "$a", strings.Repeat("a", 64)} {
		says := `"` + n + `": want a name relative to the zone`
		if n == "" {
			says = "at least 1"
		}
		cases["name "+n] = refused{record(n, "A", "192.0.2.1"), []string{"spec.name", says}}
	}
	for typ, bad := range map[string]map[string]string{
		"A":     {"host.example.org": "an IPv4 address", "2001:db8::1": "an IPv4 address", "192.0.2.01": "an IPv4 address", "192.0.2.1/32": "an IPv4 address", "::ffff:192.0.2.1": "an IPv4 address", "": "an IPv4 address"},
		"AAAA":  {"192.0.2.1": "an IPv6 address", "fe80::1%eth0": "an IPv6 address", "2001:db8::g": "an IPv6 address"},
		"CNAME": {"192.0.2.1": "never to an address", "2001:db8::1": "never to an address", "host": "a whole name", "a b.org": "a whole name", ".": "a whole name"},
		"PTR":   {"host": "a whole name", "192.0.2.1": "never to an address"},
		"NS":    {"192.0.2.53": "never to an address", "ns1": "a whole name"},
		"MX":    {"mail.example.org": "a preference from 0 to 65535", "10": "a preference", "65536 mail.example.org": "a preference", "-1 mail.example.org": "a preference", "10 192.0.2.1": "never to an address", "10 2001:db8::1": "never to an address", "10 mail": "a whole name"},
		"SRV":   {"0 5 sip.example.org": "priority, weight and port", "0 5 70000 sip.example.org": "priority, weight and port", "0 5 5060 192.0.2.1": "never to an address", "0 5 5060 sip.example.org more": "priority"},
		"CAA":   {"issue ca.example": "a flag from 0 to 255", `256 issue "ca.example"`: "a flag from 0 to 255", "0 issue ca.example": "a value in quotes"},
		"TLSA":  {"3 1 1 xyz": "the data in hex", "3 1 1 abc": "the data in hex", "256 1 1 ab": "usage, selector", "3 1 ab": "usage, selector"},
		"SSHFP": {"4 2 xyz": "the fingerprint in hex", "4 ab": "algorithm and fingerprint type", "4 300 ab": "algorithm"},
		"HTTPS": {". alpn=h2": "a priority from 0 to 65535", "70000 .": "a priority", "1": "a priority"},
	} {
		for v, says := range bad {
			shown := `"` + v + `"`
			cases[typ+" "+v] = refused{record("www", typ, "'"+v+"'"), []string{values, shown, says}}
		}
	}
	return cases
}
