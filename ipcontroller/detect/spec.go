package detect

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// A source is written OPERATOR[/NAME]=URL. The scheme says the kind, the fragment what else is to be known:
//
//	ipify=https://api.ipify.org/                                     the body is the address
//	acme=json+https://ip.example/v1#client.ip                        a member of the body is
//	cloudflare=trace+https://www.cloudflare.com/cdn-cgi/trace        Cloudflare's trace
//	cisco=dns+tls://dns.opendns.com#myip.opendns.com                 A or AAAA over TLS
//	google=dns+udp://ns1.google.com#o-o.myaddr.l.google.com/TXT      TXT over UDP
//	cloudflare/whoami=dns+https://cloudflare-dns.com/dns-query#whoami.cloudflare/TXT/CH
//	google=stun://stun.l.google.com:19302

// parseSource reads a source.
func parseSource(text string, trust Trust) (Source, error) {
	who, where, ok := strings.Cut(text, "=")
	operator, name, named := strings.Cut(who, "/")
	if !named {
		name = operator
	}
	if !ok || !label(operator) || !label(name) {
		return nil, errors.New("want OPERATOR=URL or OPERATOR/NAME=URL, for example ipify=https://api.ipify.org/")
	}
	u, err := url.Parse(where)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("want a URL after the =, for example https://api.ipify.org/")
	}
	if known := runBy(u.Hostname()); known != "" && known != operator {
		return nil, fmt.Errorf("want %s as its operator, who runs %s: an operator has one vote", known, u.Hostname())
	}
	id := Identity{Name: name, Operator: operator, Via: ViaHTTPS}
	fragment := u.Fragment
	u.Fragment, u.RawFragment = "", ""
	kind, carrier, _ := strings.Cut(u.Scheme, "+")
	switch u.Scheme {
	case "https", "json+https", "trace+https", "dns+https":
		u.Scheme = "https"
	}
	switch kind {
	case "https":
		return &Text{ID: id, URL: u.String(), Trust: trust}, nil
	case "json":
		if u.Scheme != "https" || fragment == "" {
			return nil, errors.New("want json+https://HOST/PATH#MEMBER, for example json+https://ip.example/#client.ip")
		}
		return &JSON{ID: id, URL: u.String(), Path: fragment, Trust: trust}, nil
	case "trace":
		if u.Scheme != "https" {
			break
		}
		return &Trace{ID: id, URL: u.String(), Trust: trust}, nil
	case "dns":
		id.Via = ViaDNS
		s := &DNS{ID: id, Carrier: Carrier(carrier), Trust: trust}
		return s, s.read(u, fragment)
	case "stun":
		id.Via = ViaSTUN
		if carrier == "" && u.Path == "" {
			return &STUN{ID: id, Server: withPort(u, "3478")}, nil
		}
	}
	return nil, errors.New("want a URL of https, json+https, trace+https, dns+https, dns+tls, dns+udp or stun")
}

// read takes the server from the URL and the question, NAME[/TXT[/CH]], from its fragment.
func (s *DNS) read(u *url.URL, question string) error {
	switch s.Carrier {
	case HTTPS:
		s.Server = u.String()
	case TLS:
		s.Server = withPort(u, "853")
	case UDP:
		s.Server = withPort(u, "53")
	default:
		return errors.New("want dns+https, dns+tls or dns+udp")
	}
	name, kind, more := strings.Cut(question, "/")
	s.Name = name
	if more {
		kind, class, chaos := strings.Cut(kind, "/")
		s.Text, s.Chaos = true, chaos
		if kind != "TXT" || chaos && class != "CH" {
			return errors.New("want the question as NAME, NAME/TXT or NAME/TXT/CH")
		}
	}
	if _, _, err := s.query(0, IPv4); err != nil || name == "" {
		return errors.New("want the question after a #, for example #myip.opendns.com or #whoami.cloudflare/TXT/CH")
	}
	return nil
}

// parseRouter reads how to ask the router: natpmp://192.168.1.1 (and PCP), upnp+http://192.168.1.1:5000/rootDesc.xml,
// or ssdp://239.255.255.250:1900 to search for the latter.
func parseRouter(text string) (Source, error) {
	id := Identity{Name: "router", Operator: "router", Via: ViaRouter}
	u, err := url.Parse(text)
	if err == nil && u.Hostname() != "" && u.User == nil && u.Fragment == "" {
		bare := u.Path == "" && u.RawQuery == ""
		switch u.Scheme {
		case "natpmp":
			if bare {
				return &PortMap{ID: id, Server: withPort(u, "5351")}, nil
			}
		case "ssdp":
			if bare {
				return &IGD{ID: id, Search: withPort(u, "1900")}, nil
			}
		case "upnp+http":
			u.Scheme = "http"
			return &IGD{ID: id, Description: u.String()}, nil
		}
	}
	return nil, errors.New("want natpmp://ADDRESS, upnp+http://ADDRESS:PORT/PATH or ssdp://ADDRESS:1900, for example natpmp://192.168.1.1")
}

// withPort is host:port of a URL.
func withPort(u *url.URL, port string) string {
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// label says whether a name fits into metrics and logs as it is.
func label(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// runBy is who runs a well-known host, so that nobody votes twice by another name. icanhazip.com is
// Cloudflare's since 2021.
func runBy(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		return map[string]string{"1.1.1.1": "cloudflare", "1.0.0.1": "cloudflare", "8.8.8.8": "google", "8.8.4.4": "google",
			"208.67.222.222": "cisco", "208.67.220.220": "cisco"}[a.String()]
	}
	for _, known := range []struct{ domain, operator string }{
		{"cloudflare.com", "cloudflare"}, {"cloudflare-dns.com", "cloudflare"}, {"one.one.one.one", "cloudflare"}, {"icanhazip.com", "cloudflare"},
		{"amazonaws.com", "amazon"}, {"api.aws", "amazon"},
		{"google.com", "google"}, {"dns.google", "google"},
		{"opendns.com", "cisco"}, {"umbrella.com", "cisco"},
		{"ipify.org", "ipify"},
	} {
		if host = strings.ToLower(strings.TrimSuffix(host, ".")); host == known.domain || strings.HasSuffix(host, "."+known.domain) {
			return known.operator
		}
	}
	return ""
}

// defaultSources are five operators, one source each, that are asked when none are named. Three speak HTTPS,
// one DNS over TLS and one STUN, so that a proxy shows.
func defaultSources(family Family) []string {
	both := []string{
		"cloudflare=trace+https://www.cloudflare.com/cdn-cgi/trace",
		"google=stun://stun.l.google.com:19302",
		"cisco=dns+tls://dns.opendns.com#myip.opendns.com",
	}
	if family == IPv6 {
		return append(both, "amazon=https://checkip.global.api.aws/", "ipify=https://api6.ipify.org/")
	}
	return append(both, "amazon=https://checkip.amazonaws.com/", "ipify=https://api.ipify.org/")
}
