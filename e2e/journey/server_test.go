package journey_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
)

// server is one DNS server as a test asks it.
type server struct {
	*site
	addr string
}

// answers waits until the server answers for the host with exactly these values; with none, until there
// are no such records.
func (v server) answers(host, typ string, values ...string) {
	v.Helper()
	v.must(stack.Eventually(v.ctx, soon, func(ctx context.Context) error { return v.compare(ctx, host, typ, values) }))
}

// holds checks that the server answers with exactly these values now.
func (v server) holds(host, typ string, values ...string) {
	v.Helper()
	if err := v.compare(v.ctx, host, typ, values); err != nil {
		v.Error(err)
	}
}

// compare is nil when the server answers with exactly these values.
func (v server) compare(ctx context.Context, host, typ string, values []string) error {
	ask := stack.Query
	if typ == "CNAME" {
		ask = aliasOf
	}
	got, err := ask(ctx, v.addr, v.name(host), typ)
	if want := slices.Sorted(slices.Values(values)); err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("%s %s is %q, want %q", v.name(host), typ, got, want)
	}
	return err
}

// aliasOf finds the CNAME of a name where clients find it, in the answer to a question for addresses:
// the etcd plugin of CoreDNS does not answer the question for the CNAME itself.
func aliasOf(ctx context.Context, addr, name, _ string) ([]string, error) {
	in, _, err := (&dns.Client{}).ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), addr)
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, rr := range in.Answer {
		if alias, ok := rr.(*dns.CNAME); ok && alias.Hdr.Name == dns.Fqdn(name) {
			targets = append(targets, strings.TrimSuffix(alias.Target, "."))
		}
	}
	return targets, nil
}

// holdsTTL checks the TTL of the answer.
func (v server) holdsTTL(host, typ, want string) {
	v.Helper()
	ttl, err := stack.QueryTTL(v.ctx, v.addr, v.name(host), typ)
	v.must(err)
	if d, err := time.ParseDuration(want); err != nil || ttl != d {
		v.Errorf("the TTL of %s %s is %s, want %s", v.name(host), typ, ttl, want)
	}
}
