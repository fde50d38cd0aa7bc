package rndc

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

// channel is a server of the control channel on one end of a pipe. It answers a message by what the function
// returns: nothing at all when that is nil.
type channel struct {
	signer *signer
	answer func(n int, ask table) []byte
}

func (c *channel) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		for n := 0; ; n++ {
			b, err := read(theirs)
			if err != nil {
				return
			}
			ask, err := c.signer.open(b)
			if err != nil {
				return
			}
			answer := c.answer(n, ask)
			if answer == nil {
				<-time.After(time.Hour)
				return
			}
			if _, err := theirs.Write(answer); err != nil {
				return
			}
		}
	}()
	return ours, nil
}

// reply is the right answer, but for what edit changes.
func reply(s *signer, ask table, data table, edit map[string]string) []byte {
	ctrl := table{}
	for key, value := range map[string]string{"_ser": ask.text("_ctrl", "_ser"), "_rpl": "1", "_nonce": "77", "_tim": ask.text("_ctrl", "_tim"), "_exp": ask.text("_ctrl", "_exp")} {
		if v, ok := edit[key]; ok {
			value = v
		}
		ctrl = append(ctrl, entry{key, value})
	}
	return s.message(table{{"_ctrl", ctrl}, {"_data", data}})
}

func client(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) *Client {
	t.Helper()
	c, err := New(Config{Addr: "dns:953", Key: keyfile.Key{Name: "k", Algorithm: "hmac-sha256", Secret: secret}, Dial: dial})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDo(t *testing.T) {
	s := signers(t)[2]
	fine := table{{"result", "0"}, {"text", "all is well"}}
	for _, tt := range []struct {
		name   string
		answer func(n int, ask table) []byte
		text   string
		fails  string // empty: it does not
	}{
		{name: "done", answer: func(_ int, ask table) []byte { return reply(s, ask, fine, nil) }, text: "all is well"},
		{name: "failed", fails: "rndc: showzone: not found: no matching zone", answer: func(_ int, ask table) []byte {
			return reply(s, ask, table{{"result", "23"}, {"err", "not found"}, {"text", "no matching\nzone"}}, nil)
		}},
		{name: "failed without a word", fails: "rndc: showzone: result 5", answer: func(_ int, ask table) []byte {
			return reply(s, ask, table{{"result", "5"}}, nil)
		}},
		{name: "no nonce", fails: "no nonce", answer: func(_ int, ask table) []byte { return reply(s, ask, fine, map[string]string{"_nonce": ""}) }},
		{name: "an answer to something else", fails: "something else", answer: func(_ int, ask table) []byte { return reply(s, ask, fine, map[string]string{"_ser": "1"}) }},
		{name: "our own question", fails: "something else", answer: func(_ int, ask table) []byte { return reply(s, ask, fine, map[string]string{"_rpl": ""}) }},
		{name: "an answer of another connection", fails: "another connection", answer: func(n int, ask table) []byte {
			return reply(s, ask, fine, map[string]string{"_nonce": []string{"77", "78"}[n]})
		}},
		{name: "an old answer", fails: "expired", answer: func(_ int, ask table) []byte { return reply(s, ask, fine, map[string]string{"_exp": "1000"}) }},
		{name: "an answer of another key", fails: "does not accept key k", answer: func(_ int, ask table) []byte {
			other, err := newSigner("hmac-sha256", "YW5vdGhlcg==")
			if err != nil {
				t.Error(err)
			}
			return reply(other, ask, fine, nil)
		}},
		{name: "no answer of a control channel", fails: "not one of a control channel", answer: func(int, table) []byte { return []byte{0, 0, 0, 4, 'H', 'T', 'T', 'P'} }},
		{name: "a huge answer", fails: "too long", answer: func(int, table) []byte { return binary.BigEndian.AppendUint32(nil, maxMessage+1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := client(t, (&channel{s, tt.answer}).dial).Do(t.Context(), "showzone example.org")
			if tt.fails == "" && (err != nil || text != tt.text) || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("%q, %v; want %q, %q", text, err, tt.text, tt.fails)
			}
		})
	}
}

// TestMessagesAreFresh looks at what a server sees: times around ours, another serial each time, the nonce.
func TestMessagesAreFresh(t *testing.T) {
	s := signers(t)[2]
	var seen []table
	c := client(t, (&channel{s, func(_ int, ask table) []byte {
		seen = append(seen, ask)
		return reply(s, ask, table{{"result", "0"}}, nil)
	}}).dial)
	if _, err := c.Do(t.Context(), "notify example.org"); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[0].text("_data", "type") != "null" || seen[1].text("_data", "type") != "notify example.org" {
		t.Fatalf("%v; want the greeting and the command", seen)
	}
	if seen[0].text("_ctrl", "_nonce") != "" || seen[1].text("_ctrl", "_nonce") != "77" || seen[0].text("_ctrl", "_ser") == seen[1].text("_ctrl", "_ser") {
		t.Errorf("%v; want the nonce, and different serials", seen)
	}
}

func TestFailuresHaveTypes(t *testing.T) {
	s := signers(t)[2]
	fine := func(_ int, ask table) []byte { return reply(s, ask, table{{"result", "0"}}, nil) }
	other, err := newSigner("hmac-sha256", "YW5vdGhlcg==")
	if err != nil {
		t.Fatal(err)
	}
	var denied *Denied
	var unreachable *Unreachable
	for _, tt := range []struct {
		name string
		dial func(context.Context, string, string) (net.Conn, error)
		want any
	}{
		{"it hangs up on the greeting", (&channel{other, fine}).dial, &denied},
		{"nobody there", func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }, &unreachable},
		{"it never answers", (&channel{s, func(int, table) []byte { return nil }}).dial, &unreachable},
		{"it never answers the command", (&channel{s, func(n int, ask table) []byte {
			if n == 0 {
				return fine(n, ask)
			}
			return nil
		}}).dial, &unreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := client(t, tt.dial).Do(t.Context(), "status")
				if !errors.As(err, tt.want) {
					t.Errorf("%v; want %T", err, tt.want)
				}
				if took := time.Since(start); took > defaultTimeout {
					t.Errorf("after %s; want at most %s", took, defaultTimeout)
				}
				time.Sleep(2 * time.Hour) // what the server waits for
			})
		})
	}
}
