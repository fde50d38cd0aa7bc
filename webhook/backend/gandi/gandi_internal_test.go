package gandi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want backend.Kind
	}{
		{newAPIError(400, nil), backend.Rejected},
		{newAPIError(401, nil), backend.Denied},
		{newAPIError(403, nil), backend.Denied},
		{newAPIError(404, nil), backend.Rejected},
		{newAPIError(408, nil), backend.Temporary},
		{newAPIError(409, nil), backend.Rejected},
		{newAPIError(415, nil), backend.Rejected},
		{newAPIError(422, nil), backend.Rejected},
		{newAPIError(429, nil), backend.Temporary},
		{newAPIError(500, nil), backend.Temporary},
		{newAPIError(501, nil), backend.Rejected},
		{newAPIError(502, nil), backend.Temporary},
		{newAPIError(503, nil), backend.Temporary},
		{noDomainError("example.org"), backend.Rejected},
		{backend.ErrConflict, backend.Conflict},
		{backend.ErrAlone, backend.Conflict},
		{errTorn, backend.Temporary},
		{&secretError{errors.New("no file")}, backend.Denied},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, backend.Denied},
		{x509.UnknownAuthorityError{}, backend.Denied},
		{context.DeadlineExceeded, backend.Temporary},
		{&url.Error{Op: "Get", URL: "https://x", Err: errors.New("connection refused")}, backend.Temporary},
	} {
		for _, err := range []error{tt.err, fmt.Errorf("wrapped: %w", tt.err)} {
			if got := kindOf(err); got != tt.want {
				t.Errorf("%v is %s, want %s", err, got, tt.want)
			}
		}
	}
}

func TestAPIErrorsSayWhatTheServiceSays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status     int
		body, want string
	}{
		{429, `{"code":429,"message":"Rate limit exceeded.","object":"HTTPTooManyRequests","cause":"Too Many Requests"}`, "throttled (429 Too Many Requests): Rate limit exceeded."},
		{400, `{"status":"error","errors":[{"location":"body","name":"rrset_ttl","description":"60 is less than minimum value 300"},{"name":"","description":"and more"}]}`,
			"refused (400 Bad Request): rrset_ttl: 60 is less than minimum value 300; and more"},
		{403, `{"code":403,"message":"Access was denied to this resource."}`, "the token has expired or lacks a permission (403 Forbidden): Access was denied to this resource."},
		{502, "<html>Bad Gateway", "the service failed (502 Bad Gateway)"},
		{400, `{"message":"` + strings.Repeat("ü", 400) + `"}`, "refused (400 Bad Request): " + strings.Repeat("ü", 250) + " …"},
		{400, `[]`, "refused (400 Bad Request)"},
	} {
		if got := newAPIError(tt.status, []byte(tt.body)).Error(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.body, got, tt.want)
		}
	}
}

// In any minute there are never more requests than allowed: what may be sent at once, and what comes at
// the steady rate.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{1, 10, 60, 900, 1000, 100000} {
		c, err := newClient(Config{PersonalAccessToken: "x", RequestsPerMinute: perMinute}.withDefaults(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		most := float64(c.limiter.Burst()) + 60*float64(c.limiter.Limit())
		if allowed := float64(max(perMinute, 2)); most > allowed+1e-6 || most < 0.9*float64(perMinute) {
			t.Errorf("%d a minute: up to %.1f requests", perMinute, most)
		}
	}
}

func TestTextRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 1200).Draw(t, "text"))
		shown := writeText(text)
		got, err := readText(shown)
		if err != nil || got != text {
			t.Fatalf("%q is sent as %s and comes back as %q, %v", text, shown, got, err)
		}
		for _, c := range []byte(shown) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is sent with the byte %#x", text, c)
			}
		}
	})
}

func FuzzReadText(f *testing.F) {
	for _, seed := range []string{``, `plain`, `"a" "b"`, `"\"\\\065"`, `"open`, `"\999"`, `"a"b`, `"\`, `""`, ` "x" `, `"\06"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, shown string) {
		text, err := readText(shown)
		if err != nil {
			return
		}
		if again, err := readText(writeText(text)); err != nil || again != text {
			t.Errorf("%q is %q, and then %q, %v", shown, text, again, err)
		}
	})
}

func TestReadText(t *testing.T) {
	t.Parallel()
	for shown, want := range map[string]string{
		`"one" "two"`: "onetwo", `  "x"  `: "x", `""`: "", `plain "x"`: `plain "x"`, `"\103\"\\\;"`: `g"\;`, `"\06"`: "06",
	} {
		if got, err := readText(shown); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", shown, got, err, want)
		}
	}
	for _, shown := range []string{`"open`, `"a"b`, `"\256"`, `"\`, `"a" b`} {
		if got, err := readText(shown); err == nil {
			t.Errorf("%s is %q, want an error", shown, got)
		}
	}
}

// What is sent, read back, is what was meant, at every name and in every zone of a domain.
func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	const domain = "example.org"
	label := rapid.StringMatching(`[a-z0-9_]([a-z0-9-]{0,8}[a-z0-9])?`)
	host := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", label.Draw(t, "one") + ".", label.Draw(t, "two") + "." + label.Draw(t, "three") + "."}).Draw(t, "below") +
			rapid.SampledFrom([]string{domain, "example.net"}).Draw(t, "above")
	})
	rapid.Check(t, func(t *rapid.T) {
		r := backend.RRset{Key: backend.Key{Name: label.Draw(t, "name") + "." + domain, Type: rapid.SampledFrom(types()).Draw(t, "type")}, TTL: minTTL}
		if rapid.Bool().Draw(t, "own") {
			r.Name = domain
		}
		name := host.Draw(t, "host")
		switch r.Type {
		case "A":
			r.Values = []string{"192.0.2.1", "192.0.2.2"}
		case "AAAA":
			r.Values = []string{"2001:db8::1"}
		case "MX":
			r.Values = []string{"10 " + name, "20 ."}
		case "SRV":
			r.Values = []string{"0 0 80 " + name}
		case "NAPTR":
			r.Values = []string{`1 1 "S" "a b" "" ` + name}
		case "TXT":
			r.Values = []string{rapid.String().Draw(t, "text")}
		default:
			r.Values = []string{name}
		}
		r, err := backend.Canonical(r)
		if err != nil {
			t.Fatal(err)
		}
		sent := written(r, domain)
		got, e, ok := read(sent, domain)
		if !ok || e.set == nil || got != r.Name || !e.set.Same(&r) || e.set.TTL != r.TTL {
			t.Fatalf("%v is sent as %+v and read as %v", r, sent, e.set)
		}
		for _, v := range sent.Values {
			if r.Type == "CNAME" && !strings.HasSuffix(v, ".") {
				t.Fatalf("%s is sent without its dot", v)
			}
		}
	})
}

// The steps of a unit keep the order of backend.Sequence: what owns a record stands before it comes and
// after it went.
func TestSteps(t *testing.T) {
	t.Parallel()
	set := func(name, typ string) *backend.RRset {
		return &backend.RRset{Key: backend.Key{Name: name, Type: typ}}
	}
	u := unit(backend.Sequence([]backend.Change{
		{Old: set("a-www", "TXT"), Unit: "www"}, {Old: set("www", "A"), Unit: "www"},
		{New: set("www", "CNAME"), Unit: "www"}, {New: set("cname-www", "TXT"), Unit: "www"},
	}))
	var got []string
	for _, s := range u.steps() {
		line := s.name + ":"
		for _, c := range s.changes {
			if c.New == nil {
				line += " -" + c.Old.Type
			} else {
				line += " +" + c.New.Type
			}
		}
		got = append(got, line)
	}
	if want := []string{"cname-www: +TXT", "www: -A +CNAME", "a-www: -TXT"}; !cmp.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
}
