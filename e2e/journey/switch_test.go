package journey_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
)

// A load balancer gets a name instead of an address, and back: A and CNAME of one name change places.
// Somebody who asks all the time never hears that the name does not exist.
func TestSwitchBetweenAddressAndNameWithoutAGap(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, at server) {
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: classic}}}, stack.ExternalDNSConfig{})
		admin := ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11"}}
		s.apply(admin)
		at.answers("admin", "A", "10.1.0.11")
		s.settle()

		ctx, stop := context.WithCancel(t.Context())
		gap := make(chan error, 1)
		go func() { gap <- at.watchForGap(ctx, "admin") }()
		for range 3 {
			admin.at = []string{"lb.cloud.example.net"}
			s.apply(admin)
			at.answers("admin", "CNAME", "lb.cloud.example.net")
			at.answers("admin", "A")
			admin.at = []string{"10.1.0.11"}
			s.apply(admin)
			at.answers("admin", "A", "10.1.0.11")
			at.answers("admin", "CNAME")
		}
		stop()
		if err := <-gap; err != nil {
			t.Error(err)
		}
		s.settle()
	})
}

// watchForGap asks for the host's addresses again and again until ctx ends, and returns an error when
// an answer is empty.
func (v server) watchForGap(ctx context.Context, host string) error {
	client := &dns.Client{}
	for asked := 1; ctx.Err() == nil; asked++ {
		in, _, err := client.ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(v.name(host)), dns.TypeA), v.addr)
		switch {
		case err != nil: // no answer is not the answer that there is no such name
		case in.Rcode != dns.RcodeSuccess || len(in.Answer) == 0:
			return fmt.Errorf("question %d for %s was answered with %s and %d records",
				asked, v.name(host), dns.RcodeToString[in.Rcode], len(in.Answer))
		}
	}
	return nil
}
