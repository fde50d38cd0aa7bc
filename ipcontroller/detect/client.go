package detect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Timeout bounds one Lookup of every source: names, connection and answer together.
const Timeout = 3 * time.Second

// Trust says whom sources over TLS believe. nil means the system's authorities.
type Trust = *x509.CertPool

// dialer connects over one family only.
func dialer() *net.Dialer { return &net.Dialer{Timeout: Timeout} }

// tlsConfig is that of every source over TLS.
func tlsConfig(trust Trust, serverName string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trust, ServerName: serverName}
}

// newClient makes an HTTP client that believes nobody on the way: no proxy, no redirects, and a connection
// for each request, over the family asked about. A connection kept from before the address changed would
// give the old answer, or none.
func newClient(trust Trust, family Family) *http.Client {
	return &http.Client{
		Timeout: Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			Proxy: nil,
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return dialer().DialContext(ctx, network("tcp", family), address)
			},
			TLSClientConfig:        tlsConfig(trust, ""),
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

// fetch makes a request and returns the whole body of a 200, at most limit bytes of it: more is an error.
func fetch(c *http.Client, req *http.Request, limit int64) (string, http.Header, error) {
	req.Header.Set("User-Agent", "spokedns-ipcontroller")
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := c.Do(req)
	if err != nil {
		return "", nil, lateOr(req.Context(), err)
	}
	defer resp.Body.Close()
	if err := req.Context().Err(); err != nil {
		return "", nil, lateOr(req.Context(), err) // what a server says to our hanging up is no answer
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, refusal(resp, time.Now())
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return "", nil, lateOr(req.Context(), err)
	}
	if int64(len(body)) > limit {
		return "", nil, fail(NotAddress, "the body is longer than %d bytes", limit)
	}
	return string(body), resp.Header, nil
}

// refusal is the error of a status other than 200.
func refusal(resp *http.Response, now time.Time) error {
	after, said := retryAfter(resp.Header.Get("Retry-After"), now)
	e := &Error{Kind: Refused, Err: fmt.Errorf("status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusForbidden:
		e.Kind, e.RetryAfter = Throttled, after
	case http.StatusServiceUnavailable:
		if said {
			e.Kind, e.RetryAfter = Throttled, after
		}
	}
	return e
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if s, err := strconv.ParseInt(header, 10, 64); err == nil && s >= 0 {
		return time.Duration(min(s, int64(longestBreak/time.Second))) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), longestBreak), true
	}
	return 0, false
}
