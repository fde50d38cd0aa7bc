package clouddnstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The grants of the two token endpoints.
const (
	grantJWT      = "urn:ietf:params:oauth:grant-type:jwt-bearer"      // RFC 7523 §2.1
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"  // RFC 8693 §2.1
	tokenJWT      = "urn:ietf:params:oauth:token-type:jwt"             //nolint:gosec // the name of a type, no secret
	tokenAccess   = "urn:ietf:params:oauth:token-type:access_token"    //nolint:gosec // the name of a type, no secret
	account       = "spokedns@platform.iam.gserviceaccount.com"        // whose key the key file holds
	audience      = "//iam.googleapis.com/projects/1/locations/global" // of the workload identity pool
)

// newKey makes keys of the smallest size there is: they are made for every test and guard nothing.
func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) }

// KeyFile is the content of a key file of a service account of the project, as the console offers it for
// download.
func (s *Server) KeyFile(project string) []byte { return s.keyFile(project, s.key) }

// WrongKeyFile is one whose key was deleted at the service.
func (s *Server) WrongKeyFile(project string) ([]byte, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return s.keyFile(project, key), nil
}

func (s *Server) keyFile(project string, key *rsa.PrivateKey) []byte {
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return document(map[string]any{
		"type": "service_account", "project_id": project, "private_key_id": "1", "private_key": string(private),
		"client_email": account, "client_id": "1", "token_uri": s.URL() + "/token",
	})
}

// WorkloadIdentityFile is the credential configuration of workload identity federation whose subject token
// stands in a file: Kubernetes projects it into the pod. SubjectToken makes one valid.
func (s *Server) WorkloadIdentityFile(subjectTokenFile string) []byte {
	return document(map[string]any{
		"type": "external_account", "audience": audience, "subject_token_type": tokenJWT,
		"token_url": s.URL() + "/v1/token", "credential_source": map[string]any{"file": subjectTokenFile},
	})
}

func document(fields map[string]any) []byte {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings and maps of them only
	}
	return b
}

// SubjectToken makes a token of another identity provider acceptable.
func (s *Server) SubjectToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subjects[token] = true
}

// Metadata makes the metadata server say that it stands in this project. Clients find it by
// GCE_METADATA_HOST, see Host.
func (s *Server) Metadata(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project = project
}

// Expire makes all access tokens invalid that were handed out so far.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Deny takes all rights from, or gives them back to, every account.
func (s *Server) Deny(denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = denied
}

// DelayTokens has whoever asks for a token wait.
func (s *Server) DelayTokens(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = d
}

// authorize asks for an access token that this server handed out, and for rights.
func (s *Server) authorize(r *http.Request) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch expires, known := s.tokens[token]; {
	case !bearer:
		return refuse(http.StatusUnauthorized, "required", "Login Required.")
	case !known || time.Now().After(expires):
		return refuse(http.StatusUnauthorized, "authError", "Request had invalid authentication credentials.")
	case s.denied:
		return refuse(http.StatusForbidden, "forbidden", "Forbidden")
	}
	return nil
}

// tokenForKey is the token endpoint for signed assertions (RFC 7523).
func (s *Server) tokenForKey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	slow := Fault{Delay: s.slow}
	s.mu.Unlock()
	err := errors.New("unsupported grant type")
	if slow.wait(r.Context()) != nil {
		return
	}
	if r.FormValue("grant_type") == grantJWT {
		err = s.verify(r.FormValue("assertion"))
	}
	s.grant(w, err, nil)
}

// verify checks the signature and the claims of an assertion (RFC 7523 §3).
func (s *Server) verify(assertion string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return errors.New("an assertion that is no JWT")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	hashed := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&s.key.PublicKey, crypto.SHA256, hashed[:], signature) != nil {
		return errors.New("the signature of the assertion is invalid")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var claims struct {
		Iss, Aud, Scope string
		Exp             int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return err
	}
	switch {
	case claims.Iss != account:
		return fmt.Errorf("unknown issuer %s", claims.Iss)
	case claims.Aud != s.URL()+"/token":
		return fmt.Errorf("wrong audience %s", claims.Aud)
	case time.Now().Unix() > claims.Exp:
		return errors.New("the assertion has expired")
	}
	return scoped(claims.Scope)
}

// scoped: changes.create needs one of these two (dns-api.json, auth).
func scoped(scope string) error {
	if !slices.ContainsFunc(strings.Fields(scope), func(s string) bool {
		return s == "https://www.googleapis.com/auth/ndev.clouddns.readwrite" || s == "https://www.googleapis.com/auth/cloud-platform"
	}) {
		return fmt.Errorf("insufficient scope: %q", scope)
	}
	return nil
}

// tokenForSubject is the security token service (RFC 8693).
func (s *Server) tokenForSubject(w http.ResponseWriter, r *http.Request) {
	subject := r.FormValue("subject_token")
	s.mu.Lock()
	known := s.subjects[subject]
	s.mu.Unlock()
	err := scoped(r.FormValue("scope"))
	switch {
	case r.FormValue("grant_type") != grantExchange, r.FormValue("audience") != audience, r.FormValue("subject_token_type") != tokenJWT:
		err = errors.New("not a token exchange for this pool")
	case !known:
		err = errors.New("the given credential is rejected by the attribute condition")
	}
	s.grant(w, err, map[string]any{"issued_token_type": tokenAccess})
}

// metadata is the part of the metadata server that clients ask
// (https://cloud.google.com/compute/docs/metadata/overview).
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata-Flavor") != "Google" {
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		return
	}
	w.Header().Set("Metadata-Flavor", "Google")
	s.mu.Lock()
	project := s.project
	s.mu.Unlock()
	switch path := strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/"); {
	case project == "":
		http.NotFound(w, r)
	case path == "project/project-id":
		_, _ = w.Write([]byte(project))
	case path == "instance/service-accounts/default/token":
		s.grant(w, nil, nil)
	default:
		http.NotFound(w, r)
	}
}

// grant hands out an access token, or says why not (RFC 6749 §5).
func (s *Server) grant(w http.ResponseWriter, why error, more map[string]any) {
	if why != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": why.Error()})
		return
	}
	token := "ya29." + rand.Text()
	s.mu.Lock()
	lifetime := s.limits.TokenLifetime
	s.tokens[token] = time.Now().Add(lifetime)
	s.mu.Unlock()
	answer := map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime.Seconds())}
	for k, v := range more {
		answer[k] = v
	}
	writeJSON(w, http.StatusOK, answer)
}
