package route53test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// role is what others may become.
type role struct {
	trusts     []string // principals; the sessions of a role are trusted by the role's ARN
	externalID string
}

// AddRole makes a role that the principals may assume: "*" for all, a user's ARN, or a role's for its
// sessions. A role with an external id is only had with it (IAM User Guide, The confused deputy problem).
func (s *Server) AddRole(arn, externalID string, trusts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[arn] = role{trusts, externalID}
}

// AddToken makes a web identity token known, with the role it may assume.
func (s *Server) AddToken(token, roleARN string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = roleARN
}

// AddKey makes the access key of a user known.
func (s *Server) AddKey(id, secret, principal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = &key{secret: secret, principal: principal}
}

// Expire ends all sessions, and forgets no user.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.token != "" {
			k.expires = time.Now().Add(-time.Second)
		}
	}
}

// Revoke makes an access key unknown.
func (s *Server) Revoke(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id)
}

// assumeRole follows STS's AssumeRole; mu is held.
func (s *Server) assumeRole(q request) (any, *refusal) {
	who, no := s.caller(q, "sts")
	if no != nil {
		return nil, no
	}
	arn := q.http.Form.Get("RoleArn")
	r, ok := s.roles[arn]
	if !ok || r.externalID != "" && r.externalID != q.http.Form.Get("ExternalId") ||
		!slices.ContainsFunc(r.trusts, func(t string) bool { return t == "*" || t == who }) {
		return nil, refused(http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who, arn))
	}
	return s.session("AssumeRole", arn, q), nil
}

// assumeRoleWithWebIdentity follows the STS operation of that name, which is not signed; mu is held.
func (s *Server) assumeRoleWithWebIdentity(q request) (any, *refusal) {
	arn, ok := s.tokens[q.http.Form.Get("WebIdentityToken")]
	switch {
	case !ok:
		return nil, refused(http.StatusBadRequest, "InvalidIdentityToken", "The web identity token is not known")
	case arn != q.http.Form.Get("RoleArn"):
		return nil, refused(http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	return s.session("AssumeRoleWithWebIdentity", arn, q), nil
}

type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// session hands out credentials; mu is held. Requests made with them come from the role.
func (s *Server) session(action, arn string, q request) any {
	s.ids++
	life := s.options.CredentialLife
	if life == 0 {
		life = time.Hour
	}
	c := credentials{
		AccessKeyID:     fmt.Sprintf("ASIASESSION%05d", s.ids),
		SecretAccessKey: fmt.Sprintf("secret/of+session%d", s.ids),
		SessionToken:    fmt.Sprintf("token//%d==", s.ids),
	}
	expires := time.Now().Add(life)
	c.Expiration = expires.UTC().Format(time.RFC3339)
	s.keys[c.AccessKeyID] = &key{secret: c.SecretAccessKey, token: c.SessionToken, principal: arn, expires: expires}
	type result struct {
		Credentials credentials
		User        string `xml:"AssumedRoleUser>Arn"`
		ID          string `xml:"AssumedRoleUser>AssumedRoleId"`
	}
	user := strings.Replace(arn, ":role/", ":assumed-role/", 1) + "/" + q.http.Form.Get("RoleSessionName")
	return named{
		root:  xml.Name{Space: "https://sts.amazonaws.com/doc/2011-06-15/", Local: action + "Response"},
		inner: action + "Result",
		value: result{c, user, "AROAEXAMPLE:" + q.http.Form.Get("RoleSessionName")},
	}
}

// named is an answer whose inner element has the name of the operation.
type named struct {
	root  xml.Name
	inner string
	value any
}

// MarshalXML implements xml.Marshaler.
func (n named) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	start := xml.StartElement{Name: n.root}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if err := e.EncodeElement(n.value, xml.StartElement{Name: xml.Name{Local: n.inner}}); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}
