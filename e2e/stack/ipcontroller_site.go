package stack

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect/detecttest"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// SiteConfig says who there is to be asked for the site's address.
type SiteConfig struct {
	Family wanip.Family // default IPv4
	Host   string       // address the operators listen at; default 127.0.0.1, or ::1
	Kinds  []string     // one operator each: text, json, trace, doh, dot, dns or stun; default: as the ipcontroller's own five
	Router bool         // and a router, asked each second by NAT-PMP
}

// Site is a site's way to the Internet: operators that really serve HTTPS, DNS over TLS and STUN and see it
// come from the address that was set, some of which may lie, dawdle or break.
type Site struct {
	Router *detecttest.Router // nil without one
	CAFile string             // authority of their certificates

	config    SiteConfig
	operators []*detecttest.Operator

	mu     sync.Mutex
	addr   netip.Addr
	broken map[int]bool // those that Set does not touch
}

// NewSite starts the operators, which see a first address; the certificate of their authority goes into dir.
func NewSite(dir string, c SiteConfig, addr netip.Addr) (*Site, error) {
	host := "127.0.0.1"
	if c.Family = wanip.Family(cmp.Or(uint8(c.Family), uint8(wanip.IPv4))); c.Family == wanip.IPv6 {
		host = "::1"
	}
	c.Host = cmp.Or(c.Host, host)
	if len(c.Kinds) == 0 {
		c.Kinds = []string{"trace", "stun", "dot", "text", "text"}
	}
	ca, err := detecttest.NewCA()
	if err != nil {
		return nil, err
	}
	s := &Site{CAFile: filepath.Join(dir, "operators-ca.pem"), config: c, broken: map[int]bool{}}
	if err := os.WriteFile(s.CAFile, ca.PEM, 0o600); err != nil {
		return nil, err
	}
	for range c.Kinds {
		o, err := detecttest.Start(ca, c.Host)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.operators = append(s.operators, o)
	}
	if c.Router {
		if s.Router, err = detecttest.StartRouter(); err != nil {
			s.Close()
			return nil, err
		}
	}
	s.Set(addr)
	return s, nil
}

// Close ends the operators.
func (s *Site) Close() {
	for _, o := range s.operators {
		o.Close()
	}
	if s.Router != nil {
		s.Router.Close()
	}
}

// Operator is what an operator is called in settings, metrics and reports.
func (s *Site) Operator(k int) string { return fmt.Sprintf("op%d", k) }

// Args are the ipcontroller's flags for asking these operators.
func (s *Site) Args() []string {
	args := []string{"--ca-file=" + s.CAFile}
	for k, kind := range s.config.Kinds {
		args = append(args, fmt.Sprintf("--%s-sources=%s=%s", s.config.Family, s.Operator(k), s.source(k, kind)))
	}
	if s.Router != nil {
		args = append(args, "--router=natpmp://"+s.Router.PortMap())
	}
	return args
}

// source is the URL of an operator's service.
func (s *Site) source(k int, kind string) string {
	o := s.operators[k]
	switch kind {
	case "json":
		return "json+" + o.URL() + "/json#client.address"
	case "trace":
		return "trace+" + o.URL() + "/cdn-cgi/trace"
	case "doh":
		return "dns+" + o.URL() + "/dns-query#myip.opendns.com"
	case "dot":
		return "dns+tls://" + o.DoT() + "#myip.opendns.com"
	case "dns":
		return "dns+udp://" + o.DNS() + "#o-o.myaddr.l.google.com/TXT"
	case "stun":
		return "stun://" + o.STUN()
	}
	return o.URL() + "/"
}

// Set moves the site to another address: all see it but those that lie or are broken.
func (s *Site) Set(addr netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = addr
	for k, o := range s.operators {
		if !s.broken[k] {
			o.Say(addr)
		}
	}
	if s.Router != nil {
		s.Router.Say(addr)
	}
}

// each does something to operators, all of them when none are named.
func (s *Site) each(which []int, do func(k int, o *detecttest.Operator)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, o := range s.operators {
		for i := range max(1, len(which)) {
			if len(which) == 0 || which[i] == k {
				do(k, o)
			}
		}
	}
}

// Heal makes operators honest, quick and well; all of them when none are named.
func (s *Site) Heal(which ...int) {
	s.each(which, func(k int, o *detecttest.Operator) {
		delete(s.broken, k)
		o.Say(s.addr)
	})
}

// Lie makes operators say this address, whatever is true, until they are healed.
func (s *Site) Lie(addr netip.Addr, which ...int) {
	s.each(which, func(k int, o *detecttest.Operator) {
		s.broken[k] = true
		o.Say(addr)
	})
}

// Slow makes operators wait before they answer, until they are healed.
func (s *Site) Slow(d time.Duration, which ...int) {
	s.each(which, func(k int, o *detecttest.Operator) {
		s.broken[k] = true
		o.Delay(d)
	})
}

// Down makes operators take queries and never answer, or hang up, until they are healed.
func (s *Site) Down(which ...int) {
	s.each(which, func(k int, o *detecttest.Operator) {
		s.broken[k] = true
		o.AnswerHTTP(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		o.AnswerPackets(func([]byte) [][]byte { return nil })
	})
}

// Answer makes those that serve HTTPS answer in another way, until they are healed.
func (s *Site) Answer(h http.HandlerFunc, which ...int) {
	s.each(which, func(k int, o *detecttest.Operator) {
		s.broken[k] = true
		o.AnswerHTTP(h)
	})
}

// AnswerPackets makes those that serve DNS or STUN send other packets than their reply, until they are healed.
func (s *Site) AnswerPackets(f func(reply []byte) [][]byte, which ...int) {
	s.each(which, func(k int, o *detecttest.Operator) {
		s.broken[k] = true
		o.AnswerPackets(f)
	})
}

// Asked is how many queries each operator has got.
func (s *Site) Asked() []int {
	var out []int
	for _, o := range s.operators {
		out = append(out, o.Asked())
	}
	return out
}
