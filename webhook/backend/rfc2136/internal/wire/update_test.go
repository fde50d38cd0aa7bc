package wire_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

func newUpdate(t *testing.T) *wire.Update {
	t.Helper()
	u, err := wire.NewUpdate("example.org")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUpdateIsWhatAnotherImplementationReads(t *testing.T) {
	u := newUpdate(t)
	u.RequireUnused("alias.example.org")
	u.RequireNone("www.example.org", wire.A)
	u.RequireSome("some.example.org", wire.TXT)
	u.RequireRecord("old.example.org", wire.A, []byte{192, 0, 2, 1})
	u.DeleteRRset("example.org", wire.MX)
	u.Add("*.a.b.example.org", wire.A, 300, []byte{192, 0, 2, 2})
	if err := u.Err(); err != nil {
		t.Fatal(err)
	}
	raw := u.Message(nil, 99)
	if len(raw) != u.Len() {
		t.Errorf("Len is %d, the message has %d bytes", u.Len(), len(raw))
	}
	var m dns.Msg
	if err := m.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"zone ;example.org.	IN	 SOA",
		"pre alias.example.org.	0	NONE	ANY	",
		"pre www.example.org.	0	NONE	A	",
		"pre some.example.org.	0	CLASS255	TXT	",
		"pre old.example.org.	0	IN	A	192.0.2.1",
		"upd example.org.	0	CLASS255	MX	0 ",
		"upd *.a.b.example.org.	300	IN	A	192.0.2.2",
	}
	got := []string{"zone " + m.Question[0].String()}
	for _, rr := range m.Answer {
		got = append(got, "pre "+rr.String())
	}
	for _, rr := range m.Ns {
		got = append(got, "upd "+rr.String())
	}
	if diff := cmp.Diff(want, got); diff != "" || m.Id != 99 || m.Opcode != dns.OpcodeUpdate {
		t.Errorf("id %d opcode %d (-want +got):\n%s", m.Id, m.Opcode, diff)
	}
}

func TestUpdateCompressesOwnersSafely(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		u := newUpdate(t)
		var want []string
		label := rapid.StringMatching(`[a-z]{1,60}`)
		for range rapid.IntRange(0, 900).Draw(rt, "parts") {
			mark := u.Mark()
			name := label.Draw(rt, "name") + ".example.org"
			u.RequireUnused(name)
			u.Add(name, wire.A, 60, []byte{192, 0, 2, 1})
			if rapid.IntRange(0, 3).Draw(rt, "fate") == 0 {
				u.Rollback(mark)
				continue
			}
			want = append(want, name+".")
		}
		var m dns.Msg
		if err := m.Unpack(u.Message(nil, 1)); err != nil {
			rt.Fatal(err)
		}
		for i, name := range want {
			if pre, change := m.Answer[i].Header().Name, m.Ns[i].Header().Name; pre != name || change != name {
				rt.Fatalf("record %d is required at %s and added at %s, want %s", i, pre, change, name)
			}
		}
		if len(m.Answer) != len(want) || len(m.Ns) != len(want) {
			rt.Fatalf("%d prerequisites and %d additions, want %d", len(m.Answer), len(m.Ns), len(want))
		}
	})
}

func TestUpdateRollsBack(t *testing.T) {
	u := newUpdate(t)
	u.Add("www.example.org", wire.A, 60, []byte{192, 0, 2, 1})
	before := string(u.Message(nil, 1))
	mark := u.Mark()
	u.RequireNone("x.example.org", wire.A)
	u.Add("x.example.org", wire.A, 60, []byte{192, 0, 2, 1})
	u.Add("a..b.example.org", wire.A, 60, nil)
	if u.Err() == nil {
		t.Error("an impossible name was taken")
	}
	u.Rollback(mark)
	if after := string(u.Message(nil, 1)); after != before || u.Err() != nil {
		t.Errorf("after a rollback the message is % x, was % x (%v)", after, before, u.Err())
	}
}

func TestUpdateRefusesNamesThatAreTooLong(t *testing.T) {
	for first, fits := range map[string]bool{"x": true, "xx": false} {
		name := first + strings.Repeat(".x", 120) + ".example.org" // 253 bytes and 254
		u := newUpdate(t)
		u.DeleteRRset(name, wire.A)
		if (u.Err() == nil) != fits {
			t.Errorf("a name of %d bytes: %v", len(name), u.Err())
		}
	}
}
