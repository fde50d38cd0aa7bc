package central_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
)

// row is a question, what the CoreDNS plugin k8s_gateway answers with the same objects in the cluster, and what
// we answer when that is something else, with the reason.
type row struct{ what, ask, plugin, ours, why string }

// rows are relative to the cluster's zone: "@" is its own name, and {} stands for it in answers.
func rows() []row {
	return []row{
		{"Ingress, IPv4", "web A", "web.{} A 192.0.2.10", "", ""},
		{"Ingress, IPv6", "web AAAA", "web.{} AAAA 2001:db8::10", "", ""},
		{"Ingress, its second host", "second A", "second.{} A 192.0.2.11", "", ""},
		{"other case", "WEB A", "web.{} A 192.0.2.10", "", ""},
		{"the other family, IPv6", "v4 AAAA", "NODATA", "", ""},
		{"the other family, IPv4", "v6 A", "NODATA", "", ""},
		{"another type", "v4 HTTPS", "NODATA", "", ""},
		{"alias asked for", "v4 CNAME", "NODATA", "", ""},
		{"text where there is an address", "v4 TXT", "NXDOMAIN", "NODATA", "the name exists; NXDOMAIN would deny its address too (RFC 2308 §2.1)"},
		{"unknown name", "nobody A", "NXDOMAIN", "", ""},
		{"unknown name, IPv6", "nobody AAAA", "NXDOMAIN", "", ""},
		{"unknown name, another type", "nobody HTTPS", "NODATA", "NXDOMAIN", "a name that does not exist does not for any type (RFC 2308 §2.1)"},
		{"Ingress class filter", "private A", "NXDOMAIN", "", ""},
		{"Ingress without class", "classless A", "no answer", "NXDOMAIN", "with a class filter the plugin dereferences nil; external-dns leaves the Ingress out"},
		{"ignore label", "ignored A", "NXDOMAIN", "", ""},
		{"Ingress at a cloud's host name", "cloud A", "cloud.{} A 198.51.100.7", "cloud.{} CNAME lb-1.cloud.example.net | lb-1.cloud.example.net A 198.51.100.7", "the alias is published and looked up by CoreDNS; the address is the same"},

		{"Service by name and namespace", "db.shop A", "db.shop.{} A 192.0.2.30", "", ""},
		{"Service by name and namespace, IPv6", "db.shop AAAA", "db.shop.{} AAAA 2001:db8::30", "", ""},
		{"Service with external IPs", "external.shop A", "external.shop.{} A 192.0.2.31", "", ""},
		{"Service by annotation", "queue A", "queue.{} A 192.0.2.33", "", ""},
		{"Service by annotation, wildcard", "x.queue A", "x.queue.{} A 192.0.2.33", "", ""},
		{"…and then not by name and namespace", "named.shop A", "NXDOMAIN", "", ""},
		{"Service by coredns.io/hostname", "old A", "old.{} A 192.0.2.34", "", ""},
		{"Service resolved to its ready endpoints", "echo.shop A", "echo.shop.{} A 10.0.0.5", "", ""},
		{"Service that does not ask for it", "quiet.shop A", "NXDOMAIN", "", ""},

		{"HTTPRoute", "http A", "http.{} A 192.0.2.20", "", ""},
		{"GRPCRoute", "grpc A", "grpc.{} A 192.0.2.20", "", ""},
		{"TLSRoute", "tls A", "tls.{} A 192.0.2.20", "", ""},
		{"Gateway class filter", "route A", "NXDOMAIN", "", ""},

		{"wildcard", "x.apps A", "x.apps.{} A 192.0.2.15", "", ""},
		{"wildcard, the other family", "x.apps AAAA", "NODATA", "", ""},
		{"a name of its own beside a wildcard", "own.apps A", "own.apps.{} A 192.0.2.20", "", ""},
		{"two labels below a wildcard", "y.x.apps A", "NXDOMAIN", "", ""},
		{"the wildcard itself", "*.apps A", "*.apps.{} A 192.0.2.15", "", ""},
		{"above a wildcard", "apps A", "NXDOMAIN", "NODATA", "names stand below it, so it exists (RFC 8020)"},

		{"DNSEndpoint", "one A", "one.{} A 192.0.2.41 | one.{} A 192.0.2.42", "one.{} A 192.0.2.41", "the plugin answers with all addresses in the object, also other names'"},
		{"DNSEndpoint, text", "note TXT", `note.{} TXT "v=spf1 -all"`, "", ""},
		{"host of two kinds", "contested A", "contested.{} A 192.0.2.18", "contested.{} A 192.0.2.18 | contested.{} A 192.0.2.48", "the plugin takes the kind that is configured first; external-dns publishes what all of them ask for"},

		{"Node", "n1 A", "n1.{} A 192.0.2.51", "", ""},
		{"Node with an external address, too", "n2 A", "n2.{} A 192.0.2.52", "n2.{} A 198.51.100.52", "external-dns takes the external address if there is one; the plugin the type it is told"},

		{"zone, SOA", "@ SOA", "{} SOA dns1.kube-system.{}", "{} SOA ns.dns.{}", "CoreDNS's etcd plugin has the name; it resolves to the central DNS"},
		{"zone, NS", "@ NS", "{} NS dns1.kube-system.{}", "{} NS ns1.ns.dns.{} | {} NS ns2.ns.dns.{}", "the central DNS serves the zone, by its addresses"},
		{"address of the name server", "ns1.ns.dns A", "NXDOMAIN", "ns1.ns.dns.{} A 192.0.2.53", "the plugin's is dns1.kube-system"},
		{"address of the SOA's name server", "ns.dns A", "NXDOMAIN", "ns.dns.{} A 192.0.2.53", "the plugin's is dns1.kube-system"},
		{"Ingress at the zone's own name", "@ A", "{} A 192.0.2.16", "", ""},
		{"zone, IPv6", "@ AAAA", "NODATA", "", ""},

		{"TTL by annotation", "v4 TTL", "1m0s", "20s", "the plugin has one TTL for all"},
		{"TTL by default", "web TTL", "1m0s", "30s", "the view's 1m0s, but an answer is kept, and given out, for 30s at most: a change shows after that"},
	}
}

// A cluster's objects come out of the central DNS as the plugin would answer from the cluster itself, or
// otherwise for a reason.
func TestRowsOfThePlugin(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	c.server.Upstreams = []string{cloudDNS(t)}
	c.startCoreDNS()
	k := c.newCluster("c1")
	c.must(k.api.ApplyYAML(t.Context(), manifest(k.zone)))
	start := time.Now()
	k.publish()
	t.Logf("everything is published %s after external-dns started", time.Since(start).Round(time.Millisecond))
	differ := 0
	for _, r := range rows() {
		want := r.ours
		if want == "" {
			want = r.plugin
		}
		if (r.ours == "") != (r.why == "") {
			t.Errorf("%s: a difference needs a reason, and a reason a difference", r.what)
		}
		name, typ, _ := strings.Cut(r.ask, " ")
		got := k.row(name, typ)
		verdict := "as the plugin"
		if r.ours != "" {
			differ++
			verdict = "the plugin: " + r.plugin + "; " + r.why
		}
		t.Logf("%-40s %-16s %s  (%s)", r.what, r.ask, strings.ReplaceAll(got, k.zone, "{}"), strings.ReplaceAll(verdict, k.zone, "{}"))
		if want = strings.ReplaceAll(want, "{}", k.zone); got != want {
			t.Errorf("%s: %s is answered\n\t%s, want\n\t%s", r.what, r.ask, got, want)
		}
	}
	t.Logf("%d rows, %d otherwise than the plugin", len(rows()), differ)

	// What the linter finds in a landscape that runs is nothing.
	k.lintClean()
}

// row is the answer to one question in one line.
func (k *cluster) row(name, typ string) string {
	k.Helper()
	full := name + "." + k.zone
	if name == "@" {
		full = k.zone
	}
	if typ == "TTL" {
		ttl := k.ask(full, "A").Answer
		if len(ttl) == 0 {
			return "no answer"
		}
		return (time.Duration(ttl[0].Header().Ttl) * time.Second).String()
	}
	in := k.ask(full, typ)
	if !in.Authoritative && in.Rcode != dns.RcodeServerFailure {
		k.Errorf("the answer to %s %s does not say that it is authoritative", full, typ)
	}
	for _, rr := range in.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return fmt.Sprintf("%s SOA %s", strings.TrimSuffix(soa.Hdr.Name, "."), strings.TrimSuffix(soa.Ns, "."))
		}
	}
	return answer(in)
}

// cloudDNS is a DNS server that knows the cloud's load balancer.
func cloudDNS(t *testing.T) string {
	t.Helper()
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		if r.Question[0].Name == "lb-1.cloud.example.net." && r.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(198, 51, 100, 7)}}
		}
		_ = w.WriteMsg(m)
	})
	for _, network := range []string{"udp", "tcp"} {
		s := &dns.Server{Addr: addr, Net: network, Handler: handler}
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ListenAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return addr
}
