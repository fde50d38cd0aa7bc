package detect

import (
	"net"
	"testing"
)

func TestOnlyAGatewaysOwnDescriptionIsFollowed(t *testing.T) {
	from := &net.UDPAddr{IP: net.IPv4(192, 168, 1, 1), Port: 1900}
	answer := func(status, location string) string {
		return "HTTP/1.1 " + status + "\r\nEXT:\r\nLOCATION: " + location + "\r\n\r\n"
	}
	const own = "http://192.168.1.1:5000/rootDesc.xml"
	for _, tt := range []struct{ answer, want string }{
		{answer("200 OK", own), own},
		{answer("200 OK", "http://192.168.1.2:5000/rootDesc.xml"), ""},
		{answer("200 OK", "http://169.254.169.254/latest/meta-data"), ""},
		{answer("200 OK", "http://router.local/rootDesc.xml"), ""},
		{answer("200 OK", "https://192.168.1.1/rootDesc.xml"), ""},
		{answer("200 OK", "file:///etc/passwd"), ""},
		{answer("200 OK", ""), ""},
		{answer("404 Not Found", own), ""},
		{"NOTIFY * HTTP/1.1\r\nLOCATION: " + own + "\r\n\r\n", ""},
		{"nonsense", ""},
		{"", ""},
	} {
		if got := location([]byte(tt.answer), from); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.answer, got, tt.want)
		}
	}
}
