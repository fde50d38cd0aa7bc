// Package keyfile owns how a Secret holds the key of a DNS server: one that signs updates and transfers
// (TSIG, RFC 8945) or one for BIND's control channel.
package keyfile

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
)

// Key is a shared secret with a name. The zero Key is none.
type Key struct {
	Name      string // as the server's configuration spells it, lower case, no trailing dot
	Algorithm string // "hmac-sha256", see Algorithms
	Secret    string // base64
}

// Algorithms are those that DNS servers and BIND's control channel offer, without HMAC-MD5.
func Algorithms() []string {
	return []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}
}

const defaultAlgorithm = "hmac-sha256"

// The entries of a Secret.
const (
	entryName, entryAlgorithm, entrySecret = "name", "algorithm", "secret"
	entryKey                               = "key"
)

// Parse reads the data of a Secret: either the entries name, algorithm (default hmac-sha256) and secret in
// base64, or the entry "key" with one key statement as tsig-keygen and rndc-confgen print it. Other entries
// are ignored. What is wrong is a *setting.Error whose Field is the entry; a secret is never shown.
func Parse(data map[string][]byte) (Key, error) {
	k := Key{Name: text(data[entryName]), Algorithm: text(data[entryAlgorithm]), Secret: text(data[entrySecret])}
	where := func(entry string) string { return entry }
	if raw, ok := data[entryKey]; ok {
		if k != (Key{}) {
			return Key{}, &setting.Error{Field: entryKey, Want: "want either key, or name, algorithm and secret, not both"}
		}
		var err error
		if k, err = statement(string(raw)); err != nil {
			return Key{}, &setting.Error{Field: entryKey, Want: fmt.Sprintf("want one key statement as tsig-keygen prints it: %v", err)}
		}
		where = func(entry string) string { return entryKey + "." + entry }
	}
	name, err := backend.Name(k.Name)
	switch {
	case k.Name == "":
		return Key{}, &setting.Error{Field: where(entryName), Want: "want the key's name as the server's configuration spells it, or the entry key with a key statement"}
	case err != nil || !clause.Plain(k.Name):
		return Key{}, &setting.Error{Field: where(entryName), Value: k.Name, Want: "want a domain name of letters, digits, dots, dashes and underscores"}
	}
	k.Name = name
	if k.Algorithm == "" {
		k.Algorithm = defaultAlgorithm
	}
	k.Algorithm = strings.ToLower(strings.TrimSuffix(k.Algorithm, "."))
	if !slices.Contains(Algorithms(), k.Algorithm) {
		return Key{}, &setting.Error{Field: where(entryAlgorithm), Value: k.Algorithm, Want: "want one of " + strings.Join(Algorithms(), ", ")}
	}
	if secret, err := base64.StdEncoding.DecodeString(k.Secret); err != nil || len(secret) == 0 {
		return Key{}, &setting.Error{Field: where(entrySecret), Want: "want the secret in base64, as tsig-keygen prints it"}
	}
	return k, nil
}

func text(b []byte) string { return strings.TrimSpace(string(b)) }

// statement reads `key "name" { algorithm hmac-sha256; secret "…"; };`. Other statements of the file, as the
// options that rndc-confgen adds, are ignored.
func statement(text string) (Key, error) {
	all, err := clause.Parse(text)
	if err != nil {
		return Key{}, err
	}
	all = slices.DeleteFunc(all, func(s clause.Statement) bool {
		return len(s.Words) == 0 || !strings.EqualFold(s.Words[0], "key") || s.Block == nil
	})
	if len(all) != 1 {
		return Key{}, fmt.Errorf("%d keys are in it", len(all))
	}
	if len(all[0].Words) != 2 {
		return Key{}, errors.New("the statement names no key")
	}
	algorithm, _ := clause.Find(all[0].Block, entryAlgorithm)
	secret, _ := clause.Find(all[0].Block, entrySecret)
	return Key{Name: all[0].Value(), Algorithm: algorithm.Value(), Secret: secret.Value()}, nil
}
