package detect

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Text is a service that answers an HTTPS GET with the asker's address and nothing else.
type Text struct {
	ID    Identity
	URL   string
	Trust Trust
}

// Identity says who answers.
func (s *Text) Identity() Identity { return s.ID }

// Lookup asks once.
func (s *Text) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	body, err := get(ctx, s.URL, s.Trust, family)
	if err != nil {
		return netip.Addr{}, err
	}
	return parse(body, family)
}

// JSON is a service that answers an HTTPS GET with an object in which the asker's address stands.
type JSON struct {
	ID    Identity
	URL   string
	Path  string // names of nested members, dotted: "ip", "client.address"
	Trust Trust
}

// Identity says who answers.
func (s *JSON) Identity() Identity { return s.ID }

// Lookup asks once.
func (s *JSON) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	body, err := get(ctx, s.URL, s.Trust, family)
	if err != nil {
		return netip.Addr{}, err
	}
	text, err := member(body, s.Path)
	if err != nil {
		return netip.Addr{}, err
	}
	return parse(text, family)
}

// member finds the string at a path in a JSON document.
func member(body, path string) (string, error) {
	var doc any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		return "", fail(NotAddress, "want JSON, got %s", excerpt(body))
	}
	for name := range strings.SplitSeq(path, ".") {
		object, ok := doc.(map[string]any)
		if !ok {
			return "", fail(NotAddress, "want an object with the member %s", path)
		}
		doc = object[name]
	}
	text, ok := doc.(string)
	if !ok {
		return "", fail(NotAddress, "want a text as the member %s", path)
	}
	return text, nil
}

// Trace is Cloudflare's /cdn-cgi/trace, which any site behind Cloudflare serves: lines of name=value.
type Trace struct {
	ID    Identity
	URL   string
	Trust Trust
}

// Identity says who answers.
func (s *Trace) Identity() Identity { return s.ID }

// Lookup asks once. The trace names the host it was asked for, which shows an answer that was meant for
// somebody else, and says whether it was asked through WARP or a Zero Trust gateway: then the address is
// Cloudflare's.
func (s *Trace) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return netip.Addr{}, broken(err)
	}
	body, _, err := fetch(newClient(s.Trust, family), req, maxBody)
	if err != nil {
		return netip.Addr{}, err
	}
	return readTrace(body, req.URL.Hostname(), family)
}

// readTrace takes the address out of a trace of host.
func readTrace(body, host string, family Family) (netip.Addr, error) {
	said := map[string]string{}
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if _, twice := said[name]; !ok || twice {
			return netip.Addr{}, fail(NotAddress, "want lines of name=value, got %s", excerpt(line))
		}
		said[name] = value
	}
	if len(said) == 0 {
		return netip.Addr{}, fail(NotAddress, "the trace is empty")
	}
	asked, err := url.Parse("//" + said["h"]) // with a port, where that is not the usual one
	if err != nil || !strings.EqualFold(asked.Hostname(), host) {
		return netip.Addr{}, fail(Untrusted, "the trace is of host %s, not of %s", excerpt(said["h"]), host)
	}
	for _, through := range []string{"warp", "gateway"} {
		if v := said[through]; v != "" && v != "off" {
			return netip.Addr{}, fail(Proxied, "the trace says %s=%s", through, excerpt(v))
		}
	}
	return parse(said["ip"], family)
}

// get fetches a small text.
func get(ctx context.Context, address string, trust Trust, family Family) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", broken(err)
	}
	body, _, err := fetch(newClient(trust, family), req, maxBody)
	return body, err
}
