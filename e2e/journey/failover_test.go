package journey_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

const thirdWAN4 = "149.112.112.10"

// rarely is an external-dns that looks when it starts and not again while a test runs: what changes
// afterwards was not its doing.
const rarely = time.Hour

// hundredHosts is an Ingress with a hundred hosts.
func hundredHosts(number int) ingress {
	i := ingress{name: fmt.Sprintf("shops%d", number), class: "nginx", at: []string{"10.1.0.10"}}
	for n := range 100 {
		i.hosts = append(i.hosts, fmt.Sprintf("shop%d", 100*number+n))
	}
	return i
}

// looked waits until external-dns has ended a loop in which it had nothing to do, or something.
func (s *site) looked(idle, applies float64) {
	s.Helper()
	s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error {
		l, err := s.dns.Loops(ctx)
		if err == nil && (l.Idle < idle || l.Applies < applies) {
			err = fmt.Errorf("external-dns has not looked yet: %+v", l)
		}
		return err
	}))
}

// A thousand names follow the site's address without a loop of external-dns, and those of another cluster in
// the same zone do not. After a restart of everything it is the same.
func TestNamesMoveWithoutALoop(t *testing.T) {
	t.Parallel()
	const names = 1000 // as told in the Event below
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		// The other cluster's webhook waits for its loop, so whatever moves its names is not its own doing.
		other := newSite(t)
		other.zone = s.zone
		other.apply(ingress{name: "theirs", class: "nginx", hosts: []string{"theirs"}, at: []string{"10.1.0.10"}})
		other.wan(firstWAN4, "", time.Now())
		other.startWebhookAtWAN(atWAN{backend: home.backend(s), options: "failover: false\n"})
		other.startExternalDNS(stack.ExternalDNSConfig{Owner: "other", Interval: rarely})
		dns.answers("theirs", "A", firstWAN4)

		s.wan(firstWAN4, "", time.Now())
		s.apply(
			ingress{name: "both", class: "nginx", hosts: []string{"theirs"}, at: []string{"10.1.0.10"}},
			ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{firstWAN4}},
		)
		for i := range names / 100 {
			s.apply(hundredHosts(i))
		}
		s.startAtWAN(atWAN{backend: home.backend(s)}, stack.ExternalDNSConfig{Interval: rarely})
		last := fmt.Sprintf("shop%d", names-1)
		for _, host := range []string{"shop0", last, "admin"} {
			dns.answers(host, "A", firstWAN4)
		}
		s.looked(0, 1)

		took := s.moved(dns, secondWAN4, "shop0", last)
		t.Logf("%s: %d names follow the ConfigMap within %s", home.name, names, took)
		for n := range names {
			dns.holds(fmt.Sprintf("shop%d", n), "A", secondWAN4)
		}
		dns.holds("theirs", "A", firstWAN4)
		dns.holds("admin", "A", firstWAN4)
		if left := s.counted("spokedns_failover_records_left"); left != 1 {
			t.Errorf("%g records are left to external-dns, want the one that is another's", left)
		}
		s.told("Normal", "FailedOver", "1000 records")
		if loops := s.loops(); loops.Begun != 1 {
			t.Errorf("external-dns looked %g times, want once, at the start", loops.Begun)
		}

		// Everything starts anew: external-dns finds nothing to do, and the next change is followed as well.
		s.dns.Stop()
		s.webhook.Kill()
		s.startAtWAN(atWAN{backend: home.backend(s)}, stack.ExternalDNSConfig{Name: "external-dns-again", Interval: rarely})
		s.looked(1, 0)
		if l := s.loops(); l.Applies != 0 {
			t.Errorf("after the failover external-dns had %g changes to make, want none", l.Applies)
		}
		s.moved(dns, thirdWAN4, "shop0", last)
		dns.holds("theirs", "A", firstWAN4)
		s.alive()
	})
}

// moved changes the site's address and waits until the hosts have it.
func (s *site) moved(dns server, to string, hosts ...string) time.Duration {
	s.Helper()
	start := time.Now()
	s.wan(to, "", start)
	for _, host := range hosts {
		s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error { return dns.compare(ctx, host, "A", []string{to}) }))
	}
	return time.Since(start)
}
