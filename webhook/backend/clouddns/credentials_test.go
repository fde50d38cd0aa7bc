package clouddns_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

func TestWorkloadIdentity(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	subject := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(subject, []byte("from-the-cluster"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.CredentialsFile = file(t, s.WorkloadIdentityFile(subject))
	_, err := opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Denied, "no access token", "rejected by the attribute condition")
	s.SubjectToken("from-the-cluster")
	mustList(t, opened(t, c))

	c.Projects = nil // such credentials do not say which
	_, err = opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Denied, "want projects")
}

// Application Default Credentials: the environment is the process's, so these are not parallel.
func TestDefaultCredentials(t *testing.T) {
	t.Run("key file", func(t *testing.T) {
		s, c := started(t)
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", c.CredentialsFile)
		c.CredentialsFile, c.Projects = "", nil
		mustApply(t, opened(t, c), create(set("www", "A", "192.0.2.1")))
		if find(s, "www", "A") == nil {
			t.Error("nothing was written")
		}
	})
	t.Run("metadata server", func(t *testing.T) {
		s, c := started(t)
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
		t.Setenv("HOME", t.TempDir())
		t.Setenv("GCE_METADATA_HOST", s.Host())
		s.Metadata(project)
		c.CredentialsFile, c.Projects = "", nil
		mustApply(t, opened(t, c), create(set("www", "A", "192.0.2.1")))
		if find(s, "www", "A") == nil {
			t.Error("nothing was written")
		}
	})
	t.Run("missing file", func(t *testing.T) {
		_, c := started(t)
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
		c.CredentialsFile = ""
		_, err := opened(t, c).List(t.Context(), zone)
		requireFailure(t, err, backend.Denied, "/nowhere/key.json")
	})
}

func TestCredentialFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	deleted, err := s.WrongKeyFile(project)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct {
		file string
		says string
	}{
		"not there":     {filepath.Join(t.TempDir(), "none"), "no such file"},
		"not JSON":      {file(t, []byte("key")), "want a key file"},
		"another type":  {file(t, []byte(`{"type":"web"}`)), `type "web": want service_account`},
		"a deleted key": {file(t, deleted), "invalid_grant"},
	} {
		c.CredentialsFile = bad.file
		b := opened(t, c)
		_, err := b.List(t.Context(), zone)
		requireFailure(t, err, backend.Denied, bad.says)
		requireFailure(t, b.Apply(t.Context(), zone, create(set(name, "A", "192.0.2.1"))), backend.Denied, bad.says)
	}
}

// A token that expires, or a key that is renewed, needs no restart.
func TestTokensAreRenewed(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	mustList(t, b)
	s.Expire()
	mustList(t, b)
	s.Expire()
	mustApply(t, b, create(set("www", "A", "192.0.2.1")))

	wrong, err := s.WrongKeyFile(project)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(content []byte) {
		if err := os.WriteFile(c.CredentialsFile, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s.Expire()
	}
	rewrite(wrong)
	_, err = b.List(t.Context(), zone)
	requireFailure(t, err, backend.Denied, "invalid_grant")
	rewrite(s.KeyFile(project))
	mustList(t, b)
}

func TestRightsThatComeAndGo(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	s.Deny(true)
	_, err := b.List(t.Context(), zone)
	requireFailure(t, err, backend.Denied, "Forbidden", "docs/backends/clouddns.md")
	s.Deny(false)
	mustList(t, b)
}

// Who grants tokens hangs: the caller leaves in time.
func TestTokensThatDoNotCome(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	slow, err := clouddnstest.New()
	if err != nil {
		t.Fatal(err)
	}
	c.CredentialsFile = file(t, slow.KeyFile(project)) // its token endpoint is the slow server's
	slow.DelayTokens(time.Minute)
	t.Cleanup(func() { _ = slow.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = opened(t, c).List(ctx, zone)
	requireFailure(t, err, backend.Temporary)

	_ = slow.Close()
	_, err = opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Temporary, "no access token")
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
}
