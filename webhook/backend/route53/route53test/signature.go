package route53test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// key is an access key: of a user for ever, or of a session for a while.
type key struct {
	secret, token string
	principal     string
	expires       time.Time // zero: never
}

func parseQuery(body []byte) (url.Values, error) { return url.ParseQuery(string(body)) }

// caller checks a request's signature (AWS Signature Version 4) and returns who made it; mu is held.
func (s *Server) caller(q request, service string) (string, *refusal) {
	no := func(status int, code, message string) (string, *refusal) { return "", refused(status, code, message) }
	scheme, rest, _ := strings.Cut(q.http.Header.Get("Authorization"), " ")
	if scheme != "AWS4-HMAC-SHA256" { // Common Errors
		return no(http.StatusForbidden, "MissingAuthenticationToken", "Missing Authentication Token")
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		params[name] = value
	}
	scope := strings.Split(params["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" {
		return no(http.StatusBadRequest, "IncompleteSignature", "Credential must have the form id/date/region/service/aws4_request")
	}
	k := s.keys[scope[0]]
	switch {
	case k == nil:
		return no(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	case scope[3] != service:
		return no(http.StatusForbidden, "SignatureDoesNotMatch", "Credential should be scoped to correct service: '"+service+"'.")
	case k.token != q.http.Header.Get("X-Amz-Security-Token"):
		return no(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid")
	case !k.expires.IsZero() && time.Now().After(k.expires):
		return no(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	}
	want := sign(q, k.secret, scope, strings.Split(params["SignedHeaders"], ";"))
	if subtle.ConstantTimeCompare([]byte(want), []byte(params["Signature"])) != 1 {
		return no(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return k.principal, nil
}

// sign calculates the signature a request should have.
func sign(q request, secret string, scope, headers []string) string {
	var canonical strings.Builder
	path := q.http.URL.EscapedPath()
	query := strings.ReplaceAll(q.http.URL.Query().Encode(), "+", "%20")
	canonical.WriteString(q.http.Method + "\n" + path + "\n" + query + "\n")
	for _, h := range headers {
		value := strings.Join(q.http.Header.Values(h), ",")
		switch h {
		case "host":
			value = q.http.Host
		case "content-length":
			value = q.http.Header.Get("Content-Length")
		}
		canonical.WriteString(h + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	body := sha256.Sum256(q.body)
	canonical.WriteString("\n" + strings.Join(headers, ";") + "\n" + hex.EncodeToString(body[:]))

	digest := sha256.Sum256([]byte(canonical.String()))
	text := "AWS4-HMAC-SHA256\n" + q.http.Header.Get("X-Amz-Date") + "\n" + strings.Join(scope[1:], "/") + "\n" + hex.EncodeToString(digest[:])
	mac := []byte("AWS4" + secret)
	for _, part := range append(scope[1:], text) {
		h := hmac.New(sha256.New, mac)
		h.Write([]byte(part))
		mac = h.Sum(nil)
	}
	return hex.EncodeToString(mac)
}
