package journey_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Nobody keeps the ConfigMap: the webhook finds the address out itself, by the same quorum. It never writes, and
// believes the ConfigMap as soon as there is one.
func TestTheWebhookDetectsWhileNobodyElseDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dns := bind(s)
	operators, err := stack.NewSite(s.own.Dir, stack.SiteConfig{}, netip.MustParseAddr(firstWAN4))
	s.must(err)
	t.Cleanup(operators.Close)
	operators.Lie(netip.MustParseAddr("1.2.3.4"), 1) // one of five, which must not matter
	var sources []string
	for _, arg := range operators.Args() {
		if source, ok := strings.CutPrefix(arg, "--ipv4-sources="); ok {
			sources = append(sources, "'"+source+"'")
		}
	}
	s.apply(oneShop())
	s.startAtWAN(atWAN{
		backend: s.bind(), detect: "{sources: [" + strings.Join(sources, ", ") + "]}",
		env: []string{"SSL_CERT_FILE=" + operators.CAFile},
	}, stack.ExternalDNSConfig{})
	dns.answers("shop", "A", firstWAN4)
	s.settle()
	s.staysSettled(2)

	s.wan(secondWAN4, "", time.Now())
	dns.answers("shop", "A", secondWAN4)
	s.settle()

	s.alive()
	asked := 0
	for _, n := range operators.Asked() {
		asked += n
	}
	if rounds := asked / len(operators.Asked()); rounds > 3 {
		t.Errorf("the operators were asked in %d rounds, want two for a first address", rounds)
	}
}
