package rfc2136_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

const zone = "example.org"

// fake is a DNS server that answers as a test says: with any messages, or none and a closed connection.
type fake struct {
	*testing.T
	addr   string
	answer func(q *dns.Msg) []*dns.Msg // nil closes the connection
	key    rfc2136.TSIG                // signs the answers, unless it is zero
	ahead  time.Duration               // how far its clock is

	connected, most atomic.Int64 // connections now, and at once so far

	mu    sync.Mutex
	asked []*dns.Msg
}

func startFake(t *testing.T, answer func(q *dns.Msg) []*dns.Msg) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{T: t, addr: l.Addr().String(), answer: answer}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.most.Store(max(f.most.Load(), f.connected.Add(1)))
			all.Go(func() { defer f.connected.Add(-1); defer conn.Close(); f.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return f
}

func (f *fake) serve(conn net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		raw := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, raw); err != nil {
			return
		}
		q := new(dns.Msg)
		if err := q.Unpack(raw); err != nil {
			f.Errorf("the server cannot read a message: %v", err)
			return
		}
		f.mu.Lock()
		f.asked = append(f.asked, q)
		f.mu.Unlock()
		answers := f.answer(q)
		for _, m := range answers {
			m.Compress = true
			b, err := f.pack(q, m)
			if err != nil {
				f.Errorf("the server cannot pack its answer: %v", err)
				return
			}
			if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
				return
			}
		}
		if answers == nil {
			return
		}
	}
}

func (f *fake) pack(q, m *dns.Msg) ([]byte, error) {
	if f.key.Name == "" || q.IsTsig() == nil || m.IsTsig() != nil {
		return m.Pack()
	}
	m.SetTsig(dns.Fqdn(f.key.Name), dns.HmacSHA256, 300, time.Now().Add(f.ahead).Unix())
	b, _, err := dns.TsigGenerate(m, f.key.Secret, q.IsTsig().MAC, false)
	return b, err
}

// seen is what was asked so far.
func (f *fake) seen() []*dns.Msg {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// questions are what was asked so far, as "AXFR", "SOA", "UPDATE" and so on.
func (f *fake) questions() []string {
	var out []string
	for _, q := range f.seen() {
		if q.Opcode == dns.OpcodeUpdate {
			out = append(out, "UPDATE")
		} else {
			out = append(out, dns.TypeToString[q.Question[0].Qtype])
		}
	}
	return out
}

func (f *fake) open() *rfc2136.Backend {
	f.Helper()
	b, err := rfc2136.New(rfc2136.Config{Servers: []string{f.addr}, Timeout: 5 * time.Second})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := b.Close(); err != nil {
			f.Error(err)
		}
	})
	return b
}

func rcode(q *dns.Msg, code int) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetRcode(q, code)} }

// message answers q with records in master-file text; "SOA 7" is the zone's SOA with serial 7.
func message(t *testing.T, q *dns.Msg, lines ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetReply(q)
	for _, line := range lines {
		if serial, ok := strings.CutPrefix(line, "SOA "); ok {
			line = zone + ". 3600 SOA ns.example.org. hostmaster.example.org. " + serial + " 3600 600 604800 60"
		}
		rr, err := dns.NewRR("$ORIGIN example.org.\n" + line)
		if err != nil {
			t.Fatalf("a test has an impossible record %q: %v", line, err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

// rows are RRsets as text, sorted by their writer: "www.example.org A 60 192.0.2.1 192.0.2.2".
func rows(sets []backend.RRset) map[string]bool {
	out := map[string]bool{}
	for _, r := range sets {
		out[strings.Join(append([]string{r.Name, r.Type, r.TTL.String()}, r.Values...), " ")] = true
	}
	return out
}
