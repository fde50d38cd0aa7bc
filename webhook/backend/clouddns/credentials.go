package clouddns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"golang.org/x/sync/singleflight"
	"google.golang.org/api/dns/v1"
)

// tokens fetches access tokens. The credentials are looked up anew for every token, about once an hour, so
// that a renewed key file needs no restart.
type tokens struct {
	file    string        // "": Application Default Credentials
	timeout time.Duration // of one request to who grants tokens

	flight singleflight.Group
	mu     sync.Mutex
	last   *granted
}

// granted is a token and what is known about who has it.
type granted struct {
	token   *oauth2.Token
	project string // the credentials' own, "" when they do not say
	quota   string // the project whose quota is used, "" when the credentials do not say
}

// tokenError is why there is no token.
type tokenError struct{ err error }

// Error says so.
func (e *tokenError) Error() string { return "no access token: " + e.err.Error() }

// Unwrap returns the cause.
func (e *tokenError) Unwrap() error { return e.err }

// credentialsError is why there are no credentials to get a token for.
type credentialsError struct{ err error }

// Error says so.
func (e *credentialsError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *credentialsError) Unwrap() error { return e.err }

// meaning tells a refusal from no answer. The libraries have a type for one kind of answer, and texts for
// the rest.
func (e *tokenError) meaning() meaning {
	var answer *oauth2.RetrieveError
	var credentials *credentialsError
	switch text := e.err.Error(); {
	case errors.As(e.err, &credentials):
		return denied
	case errors.As(e.err, &answer) && answer.Response != nil:
		if s := answer.Response.StatusCode; s < http.StatusInternalServerError && s != http.StatusTooManyRequests {
			return denied
		}
		return faulty
	case strings.Contains(text, "status code 429"):
		return throttled
	case strings.Contains(text, "status code 4"), strings.Contains(text, "failed to open credential file"):
		return denied
	}
	return unheard
}

// get returns a valid token. It waits no longer than ctx; a request under way goes on for the next caller.
func (t *tokens) get(ctx context.Context) (*granted, error) {
	t.mu.Lock()
	last := t.last
	t.mu.Unlock()
	if last != nil && last.token.Valid() {
		return last, nil
	}
	select {
	case r := <-t.flight.DoChan("", func() (any, error) { return t.fetch() }):
		if r.Err != nil {
			return nil, &tokenError{r.Err}
		}
		return r.Val.(*granted), nil //nolint:forcetypeassert // fetch returns nothing else
	case <-ctx.Done():
		return nil, &tokenError{fmt.Errorf("no answer in time: %w", context.Cause(ctx))}
	}
}

// forget drops a token that the service did not accept, if it is still the one in use.
func (t *tokens) forget(g *granted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == g {
		t.last = nil
	}
}

func (t *tokens) fetch() (*granted, error) {
	// It ends by the client's timeout, because credentials do not take a context.
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: t.timeout})
	creds, err := t.credentials(ctx)
	if err != nil {
		return nil, &credentialsError{err}
	}
	token, err := creds.TokenSource.Token()
	if err != nil {
		return nil, err
	}
	var more struct {
		Quota string `json:"quota_project_id"`
	}
	if len(creds.JSON) > 0 {
		if err := json.Unmarshal(creds.JSON, &more); err != nil {
			return nil, err
		}
	}
	g := &granted{token: token, project: creds.ProjectID, quota: more.Quota}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = g
	return g, nil
}

// credentials reads the file, or looks where the Google Cloud tools look: GOOGLE_APPLICATION_CREDENTIALS,
// gcloud's own file, the metadata server.
func (t *tokens) credentials(ctx context.Context) (*google.Credentials, error) {
	if t.file == "" {
		return google.FindDefaultCredentials(ctx, dns.NdevClouddnsReadwriteScope)
	}
	content, err := os.ReadFile(t.file)
	if err != nil {
		return nil, fmt.Errorf("credentialsFile: %w", err)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return nil, fmt.Errorf("credentialsFile %s: want a key file or credential configuration in JSON: %w", t.file, err)
	}
	switch kind := google.CredentialsType(head.Type); kind {
	case google.ServiceAccount, google.ExternalAccount, google.AuthorizedUser, google.ImpersonatedServiceAccount, google.ExternalAccountAuthorizedUser:
		creds, err := google.CredentialsFromJSONWithType(ctx, content, kind, dns.NdevClouddnsReadwriteScope)
		if err != nil {
			return nil, fmt.Errorf("credentialsFile %s: %w", t.file, err)
		}
		return creds, nil
	default:
		return nil, fmt.Errorf("credentialsFile %s: type %q: want service_account, external_account, authorized_user or impersonated_service_account", t.file, head.Type)
	}
}
