package wire_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

const secret = "secret secret secret secret"

func sprint(args ...any) string { return strings.TrimSuffix(fmt.Sprintln(args...), "\n") }

func newKey(t testing.TB, algorithm string) *wire.Key {
	t.Helper()
	k, err := wire.NewKey("key.example", algorithm, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func query(t testing.TB) []byte {
	t.Helper()
	msg, err := wire.AppendQuery(nil, 4711, "example.org", wire.AXFR, nil)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// encoded is the secret as miekg/dns takes it.
func encoded() string { return base64.StdEncoding.EncodeToString([]byte(secret)) }

func TestAnotherImplementationAcceptsOurSignature(t *testing.T) {
	for _, algorithm := range []string{"hmac-sha256", "hmac-sha384", "hmac-sha512"} {
		k := newKey(t, algorithm)
		unsigned := query(t)
		signed, _ := k.Sign(query(t), time.Now())
		if err := dns.TsigVerify(signed, encoded(), "", false); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if got := len(signed) - len(unsigned); got != k.Overhead() {
			t.Errorf("%s: Overhead is %d, the signature has %d bytes", algorithm, k.Overhead(), got)
		}
	}
}

// signedAnswers are n messages of one answer, signed by another implementation as a server would.
func signedAnswers(t testing.TB, request []byte, n int) [][]byte {
	t.Helper()
	var q dns.Msg
	if err := q.Unpack(request); err != nil {
		t.Fatal(err)
	}
	mac := q.IsTsig().MAC
	var out [][]byte
	for i := range n {
		m := new(dns.Msg).SetReply(&q)
		m.SetTsig("key.example.", dns.HmacSHA256, 300, time.Now().Unix())
		b, next, err := dns.TsigGenerate(m, encoded(), mac, i > 0)
		if err != nil {
			t.Fatal(err)
		}
		mac = next
		out = append(out, b)
	}
	return out
}

func TestAnswersOfManyMessages(t *testing.T) {
	signed, v := newKey(t, "hmac-sha256").Sign(query(t), time.Now())
	for i, msg := range signedAnswers(t, signed, 5) {
		if err := v.Verify(msg, time.Now()); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := v.Complete(); err != nil {
		t.Error(err)
	}
}

func TestAnswersThatAreNotBelieved(t *testing.T) {
	now := time.Now()
	unsigned := []byte{0x12, 0x67, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for what, c := range map[string]struct {
		change func(msgs [][]byte) [][]byte
		now    time.Time
	}{
		"a changed byte":           {func(m [][]byte) [][]byte { m[1][3] ^= 1; return m }, now},
		"a changed signature":      {func(m [][]byte) [][]byte { m[2][len(m[2])-7] ^= 1; return m }, now},
		"a message missing":        {func(m [][]byte) [][]byte { return [][]byte{m[0], m[2]} }, now},
		"a message twice":          {func(m [][]byte) [][]byte { return [][]byte{m[0], m[1], m[1]} }, now},
		"a message put in":         {func(m [][]byte) [][]byte { return [][]byte{m[0], unsigned, m[1]} }, now},
		"the first not signed":     {func(m [][]byte) [][]byte { return [][]byte{unsigned, m[0]} }, now},
		"the last not signed":      {func(m [][]byte) [][]byte { return append(m, unsigned) }, now},
		"none signed":              {func([][]byte) [][]byte { return [][]byte{unsigned} }, now},
		"no message":               {func([][]byte) [][]byte { return nil }, now},
		"signed long ago":          {func(m [][]byte) [][]byte { return m }, now.Add(time.Hour)},
		"more than 99 unsigned":    {func(m [][]byte) [][]byte { return append(m[:1:1], manyTimes(unsigned, 100)...) }, now},
		"cut inside the signature": {func(m [][]byte) [][]byte { m[0] = m[0][:len(m[0])-8]; return m }, now},
	} {
		signed, v := newKey(t, "hmac-sha256").Sign(query(t), now)
		var err error
		for _, msg := range c.change(signedAnswers(t, signed, 3)) {
			if err = v.Verify(msg, c.now); err != nil {
				break
			}
		}
		if err == nil {
			err = v.Complete()
		}
		if err == nil {
			t.Errorf("%s is believed", what)
		}
	}
}

func manyTimes(msg []byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = msg
	}
	return out
}

func TestServerRefusesTheSignature(t *testing.T) {
	signed, _ := newKey(t, "hmac-sha256").Sign(query(t), time.Now())
	var q dns.Msg
	if err := q.Unpack(signed); err != nil {
		t.Fatal(err)
	}
	for code, word := range map[uint16]string{dns.RcodeBadKey: "BADKEY", dns.RcodeBadSig: "BADSIG", dns.RcodeBadTime: "2024-05-01", dns.RcodeBadTrunc: "BADTRUNC"} {
		m := new(dns.Msg).SetRcode(&q, dns.RcodeNotAuth)
		tsig := &dns.TSIG{Hdr: dns.RR_Header{Name: "key.example.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: dns.HmacSHA256, Error: code, OrigId: q.Id}
		if code == dns.RcodeBadTime {
			tsig.OtherLen, tsig.OtherData = 6, fmt.Sprintf("%012x", time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC).Unix())
		}
		m.Extra = append(m.Extra, tsig)
		msg, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		_, v := newKey(t, "hmac-sha256").Sign(query(t), time.Now())
		var refused *wire.SignatureError
		if err := v.Verify(msg, time.Now()); !errors.As(err, &refused) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is reported as: %v", word, err)
		}
	}
}

func TestWithoutAKeyEverythingIsBelieved(t *testing.T) {
	var k *wire.Key
	msg, v := k.Sign(query(t), time.Now())
	if string(msg) != string(query(t)) || k.Overhead() != 0 {
		t.Error("a message was signed without a key")
	}
	if err := errors.Join(v.Verify([]byte("anything"), time.Now()), v.Complete()); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	signed, _ := newKey(f, "hmac-sha256").Sign(query(f), time.Now())
	f.Add(signed)
	for _, msg := range signedAnswers(f, signed, 2) {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, v := newKey(t, "hmac-sha512").Sign(query(t), time.Now())
		if v.Verify(msg, time.Now()) == nil {
			t.Fatalf("% x is believed", msg)
		}
	})
}
