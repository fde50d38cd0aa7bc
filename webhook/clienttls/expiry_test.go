package clienttls_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/clienttls"
)

func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	soon := issue(t, "soon", path("soon.crt"), path("soon.key")).NotAfter
	late := issueUntil(t, "late", path("late.crt"), path("late.key"), time.Now().Add(48*time.Hour)).NotAfter
	var both []byte
	for _, file := range []string{"soon.key", "soon.crt", "late.crt"} {
		text, err := os.ReadFile(path(file))
		if err != nil {
			t.Fatal(err)
		}
		both = slices.Concat(both, []byte("a line before\n"), text)
	}
	for name, text := range map[string][]byte{"both.pem": both, "nonsense.pem": []byte("no PEM"), "empty.pem": nil} {
		if err := os.WriteFile(path(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		files               clienttls.Files
		authorities, client time.Time
	}{
		"nothing":                {clienttls.Files{}, time.Time{}, time.Time{}},
		"one of each":            {clienttls.Files{CAFile: path("late.crt"), CertFile: path("soon.crt")}, late, soon},
		"several, and their key": {clienttls.Files{CAFile: path("both.pem"), CertFile: path("both.pem")}, late, soon},
		"what is none":           {clienttls.Files{CAFile: path("nonsense.pem"), CertFile: path("empty.pem")}, time.Time{}, time.Time{}},
		"what is not there":      {clienttls.Files{CAFile: path("missing"), CertFile: path("missing")}, time.Time{}, time.Time{}},
	} {
		authorities, client := c.files.Expiry()
		if !authorities.Equal(c.authorities) || !client.Equal(c.client) {
			t.Errorf("%s: %v and %v, want %v and %v", name, authorities, client, c.authorities, c.client)
		}
	}
}
