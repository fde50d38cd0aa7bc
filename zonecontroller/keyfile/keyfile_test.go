package keyfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

const secret = "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="

func data(pairs ...string) map[string][]byte {
	m := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = []byte(pairs[i+1])
	}
	return m
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name string
		data map[string][]byte
		want keyfile.Key
	}{
		{"three entries", data("name", "Update.Example.\n", "algorithm", "HMAC-SHA512", "secret", secret+"\n"), keyfile.Key{Name: "update.example", Algorithm: "hmac-sha512", Secret: secret}},
		{"no algorithm", data("name", "k", "secret", secret), keyfile.Key{Name: "k", Algorithm: "hmac-sha256", Secret: secret}},
		{"as tsig-keygen prints it", data("key", "key \"k\" {\n\talgorithm hmac-sha384;\n\tsecret \""+secret+"\";\n};\n"), keyfile.Key{Name: "k", Algorithm: "hmac-sha384", Secret: secret}},
		{"as rndc-confgen prints it", data("key", "# Start of rndc.conf\nkey \"rndc-key\" { algorithm hmac-sha256; secret \""+secret+"\"; };\noptions { default-key \"rndc-key\"; };\n# Use with named.conf\n"),
			keyfile.Key{Name: "rndc-key", Algorithm: "hmac-sha256", Secret: secret}},
		{"other entries", data("name", "k", "secret", secret, "note", "of no meaning"), keyfile.Key{Name: "k", Algorithm: "hmac-sha256", Secret: secret}},
	} {
		got, err := keyfile.Parse(tt.data)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		data  map[string][]byte
		field string
	}{
		{"nothing", nil, "name"},
		{"no secret", data("name", "k"), "secret"},
		{"a secret that is not base64", data("name", "k", "secret", "hidden!"), "secret"},
		{"no name", data("secret", secret), "name"},
		{"a name that is none", data("name", "a..b", "secret", secret), "name"},
		{"a name that is a statement", data("name", `k"; };`, "secret", secret), "name"},
		{"an algorithm", data("name", "k", "secret", secret, "algorithm", "hmac-md5"), "algorithm"},
		{"both forms", data("name", "k", "secret", secret, "key", "key k { algorithm hmac-sha256; secret \""+secret+"\"; };"), "key"},
		{"two keys", data("key", "key a { secret \"YQ==\"; }; key b { secret \"YQ==\"; };"), "key"},
		{"no statement", data("key", secret), "key"},
		{"a statement without a name", data("key", "key { secret \"YQ==\"; };"), "key"},
		{"a statement without a secret", data("key", "key k { algorithm hmac-sha256; };"), "key.secret"},
	} {
		_, err := keyfile.Parse(tt.data)
		var wrong *setting.Error
		if !errors.As(err, &wrong) || wrong.Field != tt.field || wrong.Want == "" {
			t.Errorf("%s: %v; want a *setting.Error about %s", tt.name, err, tt.field)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v shows the secret", tt.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("k", "hmac-sha256", secret, "")
	f.Add("", "", "", `key "k" { algorithm hmac-sha256; secret "YQ=="; };`)
	f.Fuzz(func(t *testing.T, name, algorithm, secret, statement string) {
		d := data("name", name, "algorithm", algorithm, "secret", secret)
		if statement != "" {
			d = data("key", statement)
		}
		k, err := keyfile.Parse(d)
		if err != nil {
			return
		}
		again, err := keyfile.Parse(data("name", k.Name, "algorithm", k.Algorithm, "secret", k.Secret))
		if err != nil || again != k {
			t.Errorf("%+v is read as %+v, %v", k, again, err)
		}
	})
}
