package detecttest

import (
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/stun/v3"
	"golang.org/x/net/dns/dnsmessage"
)

// quiet drops what net/http says of clients that hang up.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// serveDoT answers one query on each connection.
func (o *Operator) serveDoT() {
	for {
		conn, err := o.dot.Accept()
		if err != nil {
			return
		}
		o.serving.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // then the read fails
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			for _, p := range o.replies(query, o.answerDNS) {
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)) //nolint:errcheck // a client that went away
			}
		})
	}
}

// answerDNS answers a query for an address record or a text with the address, in whatever class, and as
// Google does it for o-o.myaddr.l.google.com. nil for what is no query.
func (o *Operator) answerDNS(query []byte, addr netip.Addr) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Answers, m.Additionals = true, nil, nil
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: body})
	}
	switch {
	case q.Type == dnsmessage.TypeTXT:
		add(&dnsmessage.TXTResource{TXT: []string{addr.String()}})
		if strings.HasPrefix(q.Name.String(), "o-o.myaddr.") {
			add(&dnsmessage.TXTResource{TXT: []string{"edns0-client-subnet " + addr.String() + "/24"}})
		}
	case q.Type == dnsmessage.TypeA && addr.Is4():
		add(&dnsmessage.AResource{A: addr.As4()})
	case q.Type == dnsmessage.TypeAAAA && addr.Is6():
		add(&dnsmessage.AAAAResource{AAAA: addr.As16()})
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// answerSTUN answers a binding request with the address. nil for what is none.
func (o *Operator) answerSTUN(request []byte, addr netip.Addr) []byte {
	m := new(stun.Message)
	if stun.Decode(request, m) != nil || m.Type != stun.BindingRequest {
		return nil
	}
	return STUNReply(m.TransactionID, addr)
}

// STUNReply is the success response to the request of that id.
func STUNReply(id [stun.TransactionIDSize]byte, addr netip.Addr) []byte {
	m, err := stun.Build(stun.NewTransactionIDSetter(id), stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IP(addr.AsSlice()), Port: 40000})
	if err != nil {
		return nil
	}
	return m.Raw
}
