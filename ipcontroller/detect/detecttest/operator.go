package detecttest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Operator runs one of each kind of service that tells an asker an address: always the one it was told to
// say, whoever asks.
//
//	GET /            the address, as text
//	GET /json        {"ip": …, "client": {"address": …}}
//	GET /cdn-cgi/trace
//	POST /dns-query  DNS over HTTPS
//
// and DNS over TLS and over UDP, and STUN over UDP.
type Operator struct {
	mu      sync.Mutex
	addr    netip.Addr
	asked   int
	delay   time.Duration
	http    http.HandlerFunc            // instead of the truth, when set
	packets func(reply []byte) [][]byte // what to send instead of a UDP or DoT reply, when set

	web, dot  net.Listener
	dns, stun net.PacketConn
	server    *http.Server
	serving   sync.WaitGroup
	done      context.Context //nolint:containedctx // the life of the servers
	shut      context.CancelFunc
}

// Start begins to listen at host, an address of this machine, on free ports.
func Start(ca *CA, host string) (*Operator, error) {
	ip := net.ParseIP(host)
	if ip == nil {
		return nil, fmt.Errorf("host %q: want an address of this machine, such as 127.0.0.1", host)
	}
	config, err := ca.Server(ip)
	if err != nil {
		return nil, err
	}
	o := &Operator{}
	o.done, o.shut = context.WithCancel(context.Background())
	var lc net.ListenConfig
	at := net.JoinHostPort(host, "0")
	var errs [4]error
	o.web, errs[0] = lc.Listen(o.done, "tcp", at)
	o.dot, errs[1] = lc.Listen(o.done, "tcp", at)
	o.dns, errs[2] = lc.ListenPacket(o.done, "udp", at)
	o.stun, errs[3] = lc.ListenPacket(o.done, "udp", at)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	o.web, o.dot = tls.NewListener(o.web, config), tls.NewListener(o.dot, config)
	o.server = &http.Server{Handler: http.HandlerFunc(o.serveHTTP), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet()}
	o.serving.Go(func() { o.server.Serve(o.web) }) //nolint:errcheck // ends with Close
	o.serving.Go(o.serveDoT)
	o.serving.Go(func() { o.serveUDP(o.dns, o.answerDNS) })
	o.serving.Go(func() { o.serveUDP(o.stun, o.answerSTUN) })
	return o, nil
}

// Close ends the services.
func (o *Operator) Close() {
	o.shut()
	o.server.Close()
	o.dot.Close()
	o.dns.Close()
	o.stun.Close()
	o.serving.Wait()
}

// Say is the address it tells from now on, and ends every misbehaviour.
func (o *Operator) Say(a netip.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addr, o.http, o.packets, o.delay = a, nil, nil, 0
}

// Delay makes it wait before each answer.
func (o *Operator) Delay(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delay = d
}

// AnswerHTTP makes it answer HTTPS requests in another way.
func (o *Operator) AnswerHTTP(h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.http = h
}

// AnswerPackets makes it send other packets than the reply it would send over DNS (UDP and TLS) and STUN:
// none, several, altered ones.
func (o *Operator) AnswerPackets(f func(reply []byte) [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.packets = f
}

// Asked is how many queries came in.
func (o *Operator) Asked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// URL is https://host:port.
func (o *Operator) URL() string { return "https://" + o.web.Addr().String() }

// DoT is host:port of DNS over TLS.
func (o *Operator) DoT() string { return o.dot.Addr().String() }

// DNS is host:port of DNS over UDP.
func (o *Operator) DNS() string { return o.dns.LocalAddr().String() }

// STUN is host:port of STUN over UDP.
func (o *Operator) STUN() string { return o.stun.LocalAddr().String() }

// query counts a query, waits as long as it was told to, and gives what to say.
func (o *Operator) query() (netip.Addr, http.HandlerFunc, func([]byte) [][]byte) {
	o.mu.Lock()
	o.asked++
	delay := o.delay
	o.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-o.done.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addr, o.http, o.packets
}

func (o *Operator) serveHTTP(w http.ResponseWriter, r *http.Request) {
	addr, other, _ := o.query()
	switch {
	case other != nil:
		other(w, r)
	case r.URL.Path == "/json":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"ip":%q,"client":{"address":%q}}`, addr, addr)
	case r.URL.Path == "/cdn-cgi/trace":
		fmt.Fprintf(w, "fl=1f1\nh=%s\nip=%s\nts=1.0\nvisit_scheme=https\nuag=\nwarp=off\ngateway=off\n", r.Host, addr)
	case r.URL.Path == "/dns-query":
		query, err := io.ReadAll(io.LimitReader(r.Body, 4096))
		reply := o.answerDNS(query, addr)
		if err != nil || reply == nil || r.Header.Get("Content-Type") != "application/dns-message" {
			http.Error(w, "want a DNS message", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(reply) //nolint:errcheck // a client that went away
	default:
		fmt.Fprintln(w, addr)
	}
}

// serveUDP answers each datagram with what answer makes of it.
func (o *Operator) serveUDP(conn net.PacketConn, answer func([]byte, netip.Addr) []byte) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		query := bytes.Clone(buf[:n])
		o.serving.Go(func() {
			for _, p := range o.replies(query, answer) {
				conn.WriteTo(p, from) //nolint:errcheck // a lost datagram
			}
		})
	}
}

// replies is what to send for a query.
func (o *Operator) replies(query []byte, answer func([]byte, netip.Addr) []byte) [][]byte {
	addr, _, other := o.query()
	reply := answer(query, addr)
	switch {
	case reply == nil:
		return nil
	case other != nil:
		return other(reply)
	}
	return [][]byte{reply}
}
