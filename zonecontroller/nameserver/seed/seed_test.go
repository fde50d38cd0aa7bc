package seed_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/seed"
)

const (
	zone   = "example.org"
	secret = "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="
	other  = "YW5vdGhlcg=="
)

func key() keyfile.Key { return keyfile.Key{Name: "k", Algorithm: "hmac-sha256", Secret: secret} }

func start(t *testing.T) *seed.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := seed.New(ctx, seed.Config{Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func set(name, typ string, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: time.Minute, Values: values}
}

func content(hosts int) []backend.RRset {
	all := []backend.RRset{set(zone, "NS", "ns.example.net"), set(zone, "SOA", "ns.example.net. hostmaster.example.org. 42 3600 600 604800 60")}
	for i := range hosts {
		all = append(all, set(fmt.Sprintf("h%d.%s", i, zone), "TXT", strings.Repeat("x", i%600)))
	}
	return all
}

func offer(t *testing.T, s *seed.Server, content []backend.RRset) *seed.Offer {
	t.Helper()
	o, err := s.Offer(zone, content, key())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Release)
	return o
}

// transfer fetches all records and counts the messages.
func transfer(addr, secret string) (records []dns.RR, messages int, err error) {
	tr := &dns.Transfer{TsigSecret: map[string]string{"k.": secret}}
	m := new(dns.Msg).SetAxfr(zone + ".")
	if secret != "" {
		m.SetTsig("k.", dns.HmacSHA256, 300, time.Now().Unix())
	}
	in, err := tr.In(m, addr)
	if err != nil {
		return nil, 0, err
	}
	for e := range in {
		if e.Error != nil {
			err = e.Error
			continue
		}
		messages++
		records = append(records, e.RR...)
	}
	return records, messages, err
}

func TestTransfer(t *testing.T) {
	for _, hosts := range []int{0, 1, 12_000} {
		t.Run(fmt.Sprint(hosts), func(t *testing.T) {
			s := start(t)
			o := offer(t, s, content(hosts))
			records, messages, err := transfer(s.Address(), secret)
			if err != nil || len(records) != hosts+3 {
				t.Fatalf("%d records, %v; want %d", len(records), err, hosts+3)
			}
			if hosts > 1000 && messages < 2 {
				t.Errorf("%d messages; want several", messages)
			}
			first, ok := records[0].(*dns.SOA)
			last, also := records[len(records)-1].(*dns.SOA)
			if !ok || !also || first.Serial != 42 || last.Serial != 42 {
				t.Errorf("it begins with %v and ends with %v; want the SOA", records[0], records[len(records)-1])
			}
			select {
			case <-o.Fetched():
			case <-time.After(10 * time.Second):
				t.Error("nobody is told that it was fetched")
			}
		})
	}
}

// Two servers with one key are filled at a time: each of those who wait hears of a transfer.
func TestTwoOffersOfOneZone(t *testing.T) {
	s := start(t)
	older, younger := offer(t, s, content(1)), offer(t, s, content(2))
	if _, _, err := transfer(s.Address(), secret); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*seed.Offer{"older": older, "younger": younger} {
		select {
		case <-o.Fetched():
		case <-time.After(30 * time.Second):
			t.Errorf("the %s offer has not heard of the transfer", name)
		}
	}
}

// TestTwoOffers: two servers with one key are filled at once, and the older offer is fetched from the younger.
func TestTwoOffers(t *testing.T) {
	s := start(t)
	older, younger := offer(t, s, content(1)), offer(t, s, content(1))
	if _, _, err := transfer(s.Address(), secret); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*seed.Offer{older, younger} {
		select {
		case <-o.Fetched():
		case <-time.After(10 * time.Second):
			t.Error("one of them is not told")
		}
	}
}

func TestSOA(t *testing.T) {
	s := start(t)
	offer(t, s, content(1))
	for _, network := range []string{"udp", "tcp"} {
		m := new(dns.Msg).SetQuestion(zone+".", dns.TypeSOA)
		m.SetTsig("k.", dns.HmacSHA256, 300, time.Now().Unix())
		c := &dns.Client{Net: network, TsigSecret: map[string]string{"k.": secret}}
		in, _, err := c.Exchange(m, s.Address())
		if err != nil || in.Rcode != dns.RcodeSuccess || !in.Authoritative || len(in.Answer) != 1 || in.Answer[0].(*dns.SOA).Serial != 42 {
			t.Errorf("%s: %v, %v; want the SOA with authority", network, in, err)
		}
	}
}

func TestRefused(t *testing.T) {
	s := start(t)
	offer(t, s, content(1))
	for name, secret := range map[string]string{"unsigned": "", "another secret": other} {
		if records, _, err := transfer(s.Address(), secret); err == nil || len(records) > 0 {
			t.Errorf("%s: %d records, %v; want none", name, len(records), err)
		}
	}
	ask := func(name string, typ uint16, edit func(*dns.Msg)) int {
		t.Helper()
		m := new(dns.Msg).SetQuestion(name, typ)
		edit(m)
		m.SetTsig("k.", dns.HmacSHA256, 300, time.Now().Unix())
		c := &dns.Client{Net: "tcp", TsigSecret: map[string]string{"k.": secret}}
		in, _, err := c.Exchange(m, s.Address())
		if in == nil {
			t.Fatal(err)
		}
		return in.Rcode
	}
	as := func(*dns.Msg) {}
	for name, rcode := range map[string]int{
		"another zone":   ask("example.net.", dns.TypeSOA, as),
		"a name of it":   ask("h0.example.org.", dns.TypeSOA, as),
		"another type":   ask("example.org.", dns.TypeNS, as),
		"an update":      ask("example.org.", dns.TypeSOA, func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }),
		"a notification": ask("example.org.", dns.TypeSOA, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
		"an old signature": func() int {
			m := new(dns.Msg).SetQuestion(zone+".", dns.TypeSOA)
			m.SetTsig("k.", dns.HmacSHA256, 300, time.Now().Add(-time.Hour).Unix())
			in, _, err := (&dns.Client{Net: "tcp", TsigSecret: map[string]string{"k.": secret}}).Exchange(m, s.Address())
			if in == nil {
				t.Fatal(err)
			}
			return in.Rcode
		}(),
	} {
		if rcode != dns.RcodeRefused {
			t.Errorf("%s: %s; want REFUSED", name, dns.RcodeToString[rcode])
		}
	}
}

func TestRelease(t *testing.T) {
	s := start(t)
	o := offer(t, s, content(1))
	o.Release()
	o.Release()
	if records, _, err := transfer(s.Address(), secret); err == nil {
		t.Errorf("released, and %d records are handed out", len(records))
	}
	young := content(0)
	young[1].Values = []string{"ns.example.net. hostmaster.example.org. 43 3600 600 604800 60"}
	older := offer(t, s, content(0))
	offer(t, s, young)
	if records, _, err := transfer(s.Address(), secret); err != nil || records[0].(*dns.SOA).Serial != 43 {
		t.Errorf("offered twice: %v, %v; want the younger", records, err)
	}
	select {
	case <-older.Fetched():
	case <-time.After(10 * time.Second):
		t.Error("who made the older offer is not told")
	}
}

func TestOfferRefuses(t *testing.T) {
	s := start(t)
	soa := content(0)[1]
	for name, sets := range map[string][]backend.RRset{
		"no SOA":               content(0)[:1],
		"two SOA records":      {soa, soa},
		"a name outside":       {soa, set("example.net", "A", "192.0.2.1")},
		"a value that is none": {soa, set("www."+zone, "A", "2001:db8::1")},
		"a type that is none":  {soa, set("www."+zone, "NOTYPE", "x")},
		"a value of two lines": {soa, set("www."+zone, "A", "192.0.2.1\nevil.example.org. A 192.0.2.2")},
	} {
		if _, err := s.Offer(zone, sets, key()); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	if _, err := s.Offer(zone, content(0), keyfile.Key{}); err == nil {
		t.Error("no key: want an error")
	}
}

// TestRecordsCarryEveryValue packs what backend.Canonical lets through and unpacks it again.
func TestRecordsCarryEveryValue(t *testing.T) {
	soa := content(0)[1]
	for typ, value := range map[string]string{
		"A": "192.0.2.1", "AAAA": "2001:db8::1", "CNAME": "a_b.example.net", "MX": "10 mail.example.net", "NS": "ns.example.net", "PTR": "x.example.net",
		"SRV": "1 2 3 srv.example.net", "NAPTR": `100 10 "u" "E2U+sip" "!^.*$!sip:a@example.org!" .`, "CAA": `0 issue "ca.example.net"`,
		"TLSA": "3 1 1 abcd", "SSHFP": "1 2 abcd", "HTTPS": `1 . alpn="h2"`, "SVCB": "1 svc.example.net.", "TXT": "plain",
	} {
		records, err := seed.Records(zone, []backend.RRset{soa, set("x."+zone, typ, value)})
		if err != nil || len(records) != 2 || dns.TypeToString[records[1].Header().Rrtype] != typ {
			t.Errorf("%s %q: %v, %v", typ, value, records, err)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		want := string(rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(r, "text"))
		records, err := seed.Records(zone, []backend.RRset{soa, set(zone, "TXT", want)})
		if err != nil {
			r.Fatal(err)
		}
		buf := make([]byte, 2000)
		n, err := dns.PackRR(records[1], buf, 0, nil, false)
		if err != nil {
			r.Fatal(err)
		}
		got := ""
		for data := buf[13+10 : n]; len(data) > 0; data = data[1+data[0]:] { // example.org., and the header
			got += string(data[1 : 1+data[0]])
		}
		if got != want {
			r.Fatalf("%q becomes %q", want, got)
		}
	})
}
