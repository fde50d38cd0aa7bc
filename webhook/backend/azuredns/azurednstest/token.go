package azurednstest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// IdentityHeader is what the managed identity endpoint wants to see in X-IDENTITY-HEADER.
const IdentityHeader = "header-of-the-identity-endpoint"

// serveToken answers what credentials ask: the authority's discovery and token endpoints, and managed
// identity in the forms of virtual machines (IMDS) and of App Service.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) bool {
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case path == "common/discovery/instance":
		s.serveInstance(w, r)
	case strings.HasSuffix(path, "/v2.0/.well-known/openid-configuration"):
		tenant, _, _ := strings.Cut(path, "/")
		answer(w, http.StatusOK, map[string]any{
			"token_endpoint":         authority(r) + tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": authority(r) + tenant + "/oauth2/v2.0/authorize",
			"issuer":                 authority(r) + tenant + "/v2.0",
		})
	case strings.HasSuffix(path, "/oauth2/v2.0/token") && r.Method == http.MethodPost:
		s.serveAuthority(w, r, strings.TrimSuffix(path, "/oauth2/v2.0/token"))
	case path == "metadata/identity/oauth2/token":
		s.serveManaged(w, r, r.Header.Get("Metadata") == "true")
	case path == "msi/token":
		s.serveManaged(w, r, r.Header.Get("X-Identity-Header") == IdentityHeader)
	default:
		return false
	}
	return true
}

func authority(r *http.Request) string { return "https://" + r.Host + "/" }

func (s *Server) serveInstance(w http.ResponseWriter, r *http.Request) {
	tenant := Tenant
	if u, err := url.Parse(r.URL.Query().Get("authorization_endpoint")); err == nil {
		tenant, _, _ = strings.Cut(strings.Trim(u.Path, "/"), "/")
	}
	answer(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": authority(r) + tenant + "/v2.0/.well-known/openid-configuration",
		"metadata": []map[string]any{{
			"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host},
		}},
	})
}

// serveAuthority is the client credentials flow with a secret, a signed assertion (certificate) or a
// federated token (Microsoft identity platform, "OAuth 2.0 client credentials flow"; the codes are in
// "Microsoft Entra authentication and authorization error codes").
func (s *Server) serveAuthority(w http.ResponseWriter, r *http.Request, tenant string) {
	f := s.meet(r.Context(), "Token", "", false)
	if f.refusal != nil {
		write(w, f.refusal)
		return
	}
	refuse := func(code, description string) {
		answer(w, http.StatusUnauthorized, map[string]any{"error": code, "error_description": description, "error_codes": []int{}})
	}
	if err := r.ParseForm(); err != nil {
		refuse("invalid_request", err.Error())
		return
	}
	switch {
	case tenant != Tenant:
		refuse("invalid_request", "AADSTS90002: Tenant '"+tenant+"' not found.")
	case r.Form.Get("client_id") != ClientID:
		refuse("unauthorized_client", "AADSTS700016: Application with identifier '"+r.Form.Get("client_id")+"' was not found in the directory.")
	case r.Form.Get("grant_type") != "client_credentials":
		refuse("unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
	case !strings.HasSuffix(strings.Fields(r.Form.Get("scope") + " x")[0], "/.default"):
		refuse("invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid.")
	case r.Form.Get("client_assertion") != "" && !trusted(r.Form.Get("client_assertion")):
		refuse("invalid_client", "AADSTS700213: No matching federated identity record found for presented assertion.")
	case r.Form.Get("client_assertion") == "" && r.Form.Get("client_secret") != ClientSecret:
		refuse("invalid_client", "AADSTS7000215: Invalid client secret provided.")
	default:
		answer(w, http.StatusOK, s.issue())
	}
}

// trusted says that an assertion is the federated token, or one signed with a certificate: those name the
// client as their issuer (RFC 7523 §3). The signature is not looked at.
func trusted(assertion string) bool {
	if assertion == FederatedToken {
		return true
	}
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Iss, Sub string }
	return err == nil && json.Unmarshal(payload, &claims) == nil && claims.Iss == ClientID && claims.Sub == ClientID
}

// serveManaged answers a pod or machine that asks in its own name (or that of a user-assigned identity).
func (s *Server) serveManaged(w http.ResponseWriter, r *http.Request, proven bool) {
	f := s.meet(r.Context(), "Token", "", false)
	if f.refusal != nil {
		write(w, f.refusal)
		return
	}
	id := r.URL.Query().Get("client_id")
	switch {
	case !proven:
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Required metadata header not specified"})
	case id != "" && id != ClientID:
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Identity not found"})
	default:
		token := s.issue()
		token["expires_on"] = fmt.Sprint(time.Now().Add(s.options.TokenLife).Unix())
		token["resource"] = r.URL.Query().Get("resource")
		answer(w, http.StatusOK, token)
	}
}

// issue makes an access token.
func (s *Server) issue() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := "token-" + s.etag()
	s.tokens[token] = time.Now().Add(s.options.TokenLife)
	return map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(s.options.TokenLife.Seconds()), "ext_expires_in": int(s.options.TokenLife.Seconds())}
}

// RevokeTokens makes every token issued so far worthless.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// checkToken: Resource Manager answers 401 with these codes to a token it does not take.
func (s *Server) checkToken(r *http.Request) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return &refusal{status: http.StatusUnauthorized, code: "AuthenticationFailed", message: "Authentication failed. The 'Authorization' header is missing."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until, known := s.tokens[token]
	switch {
	case !known:
		return &refusal{status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: "The access token is invalid."}
	case time.Now().After(until):
		return &refusal{status: http.StatusUnauthorized, code: "ExpiredAuthenticationToken", message: "The access token expiry UTC time has passed."}
	}
	return nil
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
