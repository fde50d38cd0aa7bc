package central

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// WildcardLabel is the label under which *.example.org stands in etcd: CoreDNS's etcd plugin takes a star for
// a question about all names. The etcd backend of the webhook writes it so with wildcardLabel: _wildcard.
const WildcardLabel = "_wildcard"

// Corefile is the text of the central CoreDNS's configuration. CoreDNS has to be 1.15.0 or newer.
func Corefile(l Landscape, s Server) (string, error) {
	if err := errors.Join(l.Validate(), s.Validate()); err != nil {
		return "", fmt.Errorf("central: %w", err)
	}
	s = s.withDefaults()
	f := &file{}
	f.line("# The central DNS of %s, written by spokedns.", strings.Join(l.Zones, ", "))
	f.zones(l, s)
	if zones := forward(l.Zones); s.Wildcards && len(zones) > 0 {
		f.wildcards(l, s, zones)
	}
	if len(s.Upstreams) > 0 {
		f.elsewhere(s)
	}
	return f.String(), nil
}

// zones is the server block that answers for the landscape's zones.
func (f *file) zones(l Landscape, s Server) {
	names := forward(l.Zones)
	var next []string // zones for whose missing names the wildcards are looked at
	if s.Wildcards {
		next = names
	}
	f.open("%s", origins(l.Zones, s.Port))
	f.common(s)
	if s.Health != "" {
		f.open("health %s", s.Health)
		f.line("lameduck 5s") // a replica that ends answers until everybody knows that it is no longer to be asked
		f.close()
	}
	f.lineIf(s.Ready != "", "ready %s", s.Ready)
	f.lineIf(s.Reload, "reload")
	f.line("loadbalance")
	if len(next) > 0 {
		f.line("# The etcd plugin takes these labels for a question about all names; the wildcard is what they can mean.")
		f.line(`rewrite name regex ^(?:\*|any)\.(.+)\.$ %s.{1} answer auto`, WildcardLabel)
	}
	f.cache(s)
	f.line("# Where they stand elsewhere there is no such name.")
	f.open("template IN ANY %s", strings.Join(l.Zones, " "))
	f.line(`match (^|\.)(any|\*)\.`)
	f.line("rcode NXDOMAIN")
	f.line(negativeSOA)
	f.line("fallthrough")
	f.close()
	f.line("# It knows no names but keys when asked for these, and says that names do not exist that do.")
	f.exact("CNAME", l.Zones)
	f.exact("PTR", names)
	f.etcd(l, s, next)
	if len(next) > 0 {
		f.open("forward . 127.0.0.1:%d", s.WildcardPort)
		f.line("max_fails 0")
		f.close()
	}
	f.close()
}

// negativeSOA is the authority of negative answers that do not come from the etcd plugin, as that one gives it.
const negativeSOA = `authority "{{ .Zone }} 30 IN SOA ns.dns.{{ .Zone }} hostmaster.{{ .Zone }} 1 7200 1800 86400 30"`

// exact answers NODATA to a type that no record can be found by.
func (f *file) exact(typ string, zones []string) {
	if len(zones) == 0 {
		return
	}
	f.open("template IN %s %s", typ, strings.Join(zones, " "))
	f.line("rcode NOERROR")
	f.line(negativeSOA)
	f.close()
}

// wildcards is the block that is asked for names that do not exist, and answers with what stands at the
// wildcard beside them.
func (f *file) wildcards(l Landscape, s Server, zones []string) {
	f.line("")
	f.open("%s", origins(zones, s.WildcardPort))
	f.line("bind 127.0.0.1")
	f.line("errors")
	for _, zone := range zones {
		f.line(`rewrite name regex ^[^.]+\.((?:.+\.)?%s)\.$ %s.{1} answer auto`, regexp.QuoteMeta(zone), WildcardLabel)
	}
	f.etcd(l, s, nil)
	f.close()
}

// elsewhere is the block for names outside the zones.
func (f *file) elsewhere(s Server) {
	f.line("")
	f.open("%s", origins([]string{"."}, s.Port))
	f.common(s)
	f.cache(s)
	f.line("forward . %s", strings.Join(s.Upstreams, " "))
	f.close()
}

func (f *file) common(s Server) {
	f.lineIf(len(s.Bind) > 0, "bind %s", strings.Join(s.Bind, " "))
	f.line("errors")
	f.lineIf(s.Metrics != "", "prometheus %s", s.Metrics)
}

// cache holds more answers than CoreDNS does by itself: what it does not hold cannot be answered while etcd
// is down.
func (f *file) cache(s Server) {
	f.open("cache")
	f.line("success 65536 %d", s.MaxTTL/time.Second)
	f.line("denial 9984 5")
	f.line("servfail 1s")
	f.line("serve_stale %s verify 200ms", short(s.StaleFor))
	f.close()
}

func (f *file) etcd(l Landscape, s Server, next []string) {
	f.open("etcd %s", strings.Join(l.allZones(), " "))
	f.line("path %s", l.Path)
	f.line("endpoint %s", strings.Join(s.Etcd.Endpoints, " "))
	switch e := s.Etcd; {
	case e.CertFile != "":
		f.line("tls %s %s %s", e.CertFile, e.KeyFile, e.CAFile)
	case e.CAFile != "":
		f.line("tls %s", e.CAFile)
	case strings.HasPrefix(e.Endpoints[0], "https://"):
		f.line("tls")
	}
	f.lineIf(s.Etcd.User != "", "credentials %s {$%s}", s.Etcd.User, s.Etcd.PasswordEnv)
	f.lineIf(len(next) > 0, "fallthrough %s", strings.Join(next, " "))
	f.close()
}

func origins(zones []string, port int) string {
	var out []string
	for _, zone := range zones {
		out = append(out, fmt.Sprintf("%s:%d", zone, port))
	}
	return strings.Join(out, " ")
}

// forward are the zones that are no trees of addresses.
func forward(zones []string) []string { return slices.DeleteFunc(slices.Clone(zones), reverse) }

// short is the duration without the zeros at its end.
func short(d time.Duration) string {
	return strings.Replace(strings.Replace(d.String(), "m0s", "m", 1), "h0m", "h", 1)
}
