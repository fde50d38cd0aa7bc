package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Query asks the server at addr (host:port) for the records of one name and type, over UDP and again
// over TCP when the answer was cut. It returns the values of that type in the answer, sorted, in the
// text of backend.Canonical; also those the server found by following a CNAME, and for a name that is
// delegated those in the referral. A name that does not exist or has no such records gives none; any
// other answer than NOERROR and NXDOMAIN is an error.
func Query(ctx context.Context, addr, name, typ string) ([]string, error) {
	in, err := exchange(ctx, addr, name, typ)
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s %s: %w", addr, name, typ, err)
	}
	var values []string
	for _, rr := range records(in, name, typ) {
		values = append(values, valueOf(rr))
	}
	set, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: name, Type: typ}, Values: values})
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s %s: %w", addr, name, typ, err)
	}
	return set.Values, nil
}

// QueryTTL asks like Query and returns the TTL of the first record of that type, or an error when
// there is none.
func QueryTTL(ctx context.Context, addr, name, typ string) (time.Duration, error) {
	in, err := exchange(ctx, addr, name, typ)
	if err != nil {
		return 0, fmt.Errorf("ask %s for %s %s: %w", addr, name, typ, err)
	}
	for _, rr := range records(in, name, typ) {
		return time.Duration(rr.Header().Ttl) * time.Second, nil
	}
	return 0, fmt.Errorf("ask %s for %s %s: no records", addr, name, typ)
}

// Eventually calls check every 20 ms until it returns nil. After the given time, or when ctx ends, it
// returns check's last error.
func Eventually(ctx context.Context, within time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", within, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// EventuallyAnswers waits until the server at addr answers name and type with exactly the values, which
// are in canonical text; none means that there are no such records.
func EventuallyAnswers(ctx context.Context, within time.Duration, addr, name, typ string, values ...string) error {
	want := slices.Sorted(slices.Values(values))
	return Eventually(ctx, within, func(ctx context.Context) error {
		got, err := Query(ctx, addr, name, typ)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%s %s is %q, want %q", name, typ, got, want)
		}
		return err
	})
}

func exchange(ctx context.Context, addr, name, typ string) (*dns.Msg, error) {
	code, ok := dns.StringToType[typ]
	if !ok {
		return nil, errors.New("unknown type")
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), code)
	m.SetEdns0(1232, false)
	in, _, err := (&dns.Client{Timeout: 2 * time.Second}).ExchangeContext(ctx, m, addr)
	if err != nil || in.Truncated {
		in, _, err = (&dns.Client{Net: "tcp", Timeout: 5 * time.Second}).ExchangeContext(ctx, m, addr)
	}
	if err != nil {
		return nil, err
	}
	if in.Rcode != dns.RcodeSuccess && in.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("the answer is %s", dns.RcodeToString[in.Rcode])
	}
	return in, nil
}

// records are the records of the type that the answer gives, or the referral that stands for one.
func records(in *dns.Msg, name, typ string) []dns.RR {
	all, referral := in.Answer, !in.Authoritative && len(in.Answer) == 0
	if referral {
		all = append(slices.Clone(in.Ns), in.Extra...)
	}
	return slices.DeleteFunc(slices.Clone(all), func(rr dns.RR) bool {
		return rr.Header().Rrtype != dns.StringToType[typ] || referral && !strings.EqualFold(rr.Header().Name, dns.Fqdn(name))
	})
}

// valueOf is the record's data as master-file text, and for TXT the plain bytes of the joined strings.
func valueOf(rr dns.RR) string {
	txt, ok := rr.(*dns.TXT)
	if !ok {
		return strings.TrimPrefix(rr.String(), rr.Header().String())
	}
	var b strings.Builder
	for _, s := range txt.Txt {
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] != '\\':
				b.WriteByte(s[i])
			case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
				b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0'))
				i += 3
			case i+1 < len(s):
				b.WriteByte(s[i+1])
				i++
			}
		}
	}
	return b.String()
}
