package detect

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// search asks for an Internet Gateway Device by SSDP (UPnP Device Architecture, section 1.3) and returns the
// URL of the first description that may be one. The address asked may be that of the group or of one router:
// the answers to the group come from whoever likes to, so only a description on the very machine that
// answers is followed.
func search(ctx context.Context, address string) (string, error) {
	to, err := net.ResolveUDPAddr("udp4", address)
	if err != nil {
		return "", broken(err)
	}
	// Not connected: whoever answers the group is not the group.
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp4", ":0")
	if err != nil {
		return "", broken(err)
	}
	defer conn.Close()
	deadline := time.Now().Add(Timeout / 2) // what is left is for the description and the question
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetReadDeadline(deadline); err != nil {
		return "", broken(err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // a closed connection waits no more
	defer stop()
	for _, version := range []string{"2", "1"} {
		ask := "M-SEARCH * HTTP/1.1\r\nHOST: " + address + "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n" +
			"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:" + version + "\r\n\r\n"
		if _, err := conn.WriteTo([]byte(ask), to); err != nil {
			return "", broken(err)
		}
	}
	buf := make([]byte, maxBody)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return "", fail(NoAnswer, "no gateway answers a search at %s: %w", address, err)
		}
		if at := location(buf[:n], from); at != "" {
			return at, nil
		}
	}
}

// location reads the answer to a search; "" when it is of no use.
func location(answer []byte, from net.Addr) string {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusOK || u.Scheme != "http" {
		return ""
	}
	host, err := netip.ParseAddr(u.Hostname())
	if sender, ok := from.(*net.UDPAddr); err != nil || !ok || host != sender.AddrPort().Addr().Unmap() {
		return ""
	}
	return u.String()
}
