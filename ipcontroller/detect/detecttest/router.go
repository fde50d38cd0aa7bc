package detecttest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Router tells its address on the outside by NAT-PMP, PCP and UPnP, and is found by SSDP. It speaks NAT-PMP
// unless PCPOnly was called.
type Router struct {
	mu      sync.Mutex
	addr    netip.Addr
	pcpOnly bool
	nonces  map[[12]byte]bool // of the mappings
	pcpCode byte
	http    http.HandlerFunc

	portmap, ssdp net.PacketConn
	web           net.Listener
	server        *http.Server
	serving       sync.WaitGroup
}

// StartRouter begins to listen on free ports of 127.0.0.1.
func StartRouter() (*Router, error) {
	var lc net.ListenConfig
	var errs [3]error
	r := &Router{nonces: map[[12]byte]bool{}}
	ctx := context.Background()
	r.portmap, errs[0] = lc.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	r.ssdp, errs[1] = lc.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	r.web, errs[2] = lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serveHTTP), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet()}
	r.serving.Go(func() { r.server.Serve(r.web) }) //nolint:errcheck // ends with Close
	r.serving.Go(func() { serve(r.portmap, r.answerPortMap) })
	r.serving.Go(func() { serve(r.ssdp, r.answerSearch) })
	return r, nil
}

// Close ends the services.
func (r *Router) Close() {
	r.portmap.Close()
	r.ssdp.Close()
	r.server.Close()
	r.serving.Wait()
}

// Say is the address on the outside from now on; 0.0.0.0 is none.
func (r *Router) Say(a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addr, r.http, r.pcpCode = a, nil, 0
}

// PCPOnly makes it answer NAT-PMP as RFC 6887, appendix A, wants a server of PCP only to, and PCP with code.
func (r *Router) PCPOnly(code byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pcpOnly, r.pcpCode = true, code
}

// AnswerHTTP makes it answer UPnP in another way.
func (r *Router) AnswerHTTP(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.http = h
}

// Mappings is how many different PCP mappings were asked for.
func (r *Router) Mappings() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.nonces)
}

// PortMap is host:port of NAT-PMP and PCP.
func (r *Router) PortMap() string { return r.portmap.LocalAddr().String() }

// SSDP is host:port of the search.
func (r *Router) SSDP() string { return r.ssdp.LocalAddr().String() }

// Description is the URL of the device's description.
func (r *Router) Description() string { return "http://" + r.web.Addr().String() + "/rootDesc.xml" }

func serve(conn net.PacketConn, answer func([]byte) []byte) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := answer(buf[:n]); reply != nil {
			conn.WriteTo(reply, from) //nolint:errcheck // a lost datagram
		}
	}
}

// answerPortMap is RFC 6886, section 3.2, and RFC 6887, section 11.3.
func (r *Router) answerPortMap(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(b) == 2 && b[0] == 0 && b[1] == 0 && r.pcpOnly:
		reply := make([]byte, 24)
		reply[0], reply[1], reply[3] = 2, 0x80, 1
		return reply
	case len(b) == 2 && b[0] == 0 && b[1] == 0:
		reply := make([]byte, 12)
		reply[1] = 128
		if r.addr.IsUnspecified() {
			binary.BigEndian.PutUint16(reply[2:], 3)
		}
		a := r.addr.As4()
		copy(reply[8:], a[:])
		return reply
	case len(b) == 60 && b[0] == 2 && b[1] == 1:
		reply := append([]byte(nil), b...)
		reply[1], reply[3] = 0x81, r.pcpCode
		clear(reply[8:24])
		a := r.addr.As16()
		copy(reply[44:60], a[:])
		r.nonces[[12]byte(b[24:36])] = true
		return reply
	}
	return nil
}

func (r *Router) answerSearch(b []byte) []byte {
	if !strings.HasPrefix(string(b), "M-SEARCH * HTTP/1.1\r\n") {
		return nil
	}
	return []byte("HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nEXT:\r\nLOCATION: " + r.Description() + "\r\n\r\n")
}

func (r *Router) serveHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	addr, other := r.addr, r.http
	r.mu.Unlock()
	switch {
	case other != nil:
		other(w, req)
	case req.Method == http.MethodGet && req.URL.Path == "/rootDesc.xml":
		fmt.Fprint(w, `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/L3F</controlURL></service></serviceList>
<deviceList><device><deviceList><device>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType><controlURL>http://192.0.2.1/elsewhere</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl/IPConn</controlURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>`)
	case req.Method == http.MethodPost && req.URL.Path == "/ctl/IPConn":
		body, err := io.ReadAll(io.LimitReader(req.Body, 4096))
		const action = "urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress"
		if err != nil || req.Header.Get("SOAPAction") != `"`+action+`"` || !strings.Contains(string(body), "GetExternalIPAddress") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<u:GetExternalIPAddressResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1"><NewExternalIPAddress>%s</NewExternalIPAddress></u:GetExternalIPAddressResponse>
</s:Body></s:Envelope>`, addr)
	default:
		http.NotFound(w, req)
	}
}
