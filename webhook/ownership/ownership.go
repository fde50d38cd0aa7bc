// Package ownership owns how external-dns notes which records are its own: in the TXT records of its registry,
// whose names and texts follow from its flags.
package ownership

import (
	"errors"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/registry/mapper"

	"github.com/spokedns/spokedns/webhook/setting"
)

// Config repeats the flags that external-dns was given. Its defaults are external-dns's own.
type Config struct {
	Registry               string `yaml:"registry" default:"txt" enum:"txt,noop,dynamodb,aws-sd" placeholder:"KIND" help:"The --registry of external-dns. Failover knows what is external-dns's own with txt and noop; with another one, names wait for its loop."`
	TXTOwnerID             string `yaml:"txtOwnerID" default:"default" placeholder:"ID" help:"The --txt-owner-id of external-dns."`
	TXTPrefix              string `yaml:"txtPrefix" placeholder:"TEXT" help:"The --txt-prefix of external-dns."`
	TXTSuffix              string `yaml:"txtSuffix" placeholder:"TEXT" help:"The --txt-suffix of external-dns."`
	TXTWildcardReplacement string `yaml:"txtWildcardReplacement" placeholder:"LABEL" help:"The --txt-wildcard-replacement of external-dns."`
}

// registries are the kinds that external-dns has.
func registries() []string { return []string{"txt", "noop", "dynamodb", "aws-sd"} }

// Validate reports every wrong setting as a *setting.Error.
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains(registries(), c.Registry) {
		errs = append(errs, &setting.Error{Field: "registry", Value: c.Registry, Want: "want txt, noop, dynamodb or aws-sd, as external-dns has it"})
	}
	if c.Registry == "txt" && c.TXTOwnerID == "" {
		errs = append(errs, &setting.Error{Field: "txtOwnerID", Want: "want the --txt-owner-id of external-dns, which is \"default\" when it was not given"})
	}
	if c.TXTPrefix != "" && c.TXTSuffix != "" {
		errs = append(errs, &setting.Error{Field: "txtSuffix", Value: c.TXTSuffix, Want: "external-dns takes txtPrefix or txtSuffix, not both"})
	}
	return errors.Join(errs...)
}

// Registry tells what belongs to one external-dns.
type Registry struct {
	kind, owner string
	names       mapper.AffixNameMapper
}

// New returns the Registry of the external-dns that was given those flags.
func New(c Config) Registry {
	return Registry{kind: c.Registry, owner: c.TXTOwnerID, names: mapper.NewAffixNameMapper(c.TXTPrefix, c.TXTSuffix, c.TXTWildcardReplacement)}
}

// Owns reports whether a record belongs to the external-dns. texts returns the values of the TXT record at a
// name, as they are published beside it and with its set identifier; none when there is no such record.
//
// What cannot be known does not belong to it: an encrypted text, a registry that is kept elsewhere, a text of
// the form that external-dns wrote before v0.12.
func (r Registry) Owns(name, typ string, texts func(name string) []string) bool {
	switch r.kind {
	case "noop":
		return true // whatever a source asks for
	case "txt":
		for _, text := range texts(r.names.ToTXTName(name, typ)) {
			if Of(text) == r.owner {
				return true
			}
		}
	}
	return false
}

// Doubts reports whether an owner id that external-dns has named is not the one this Registry looks for.
func (r Registry) Doubts(owner string) bool { return r.kind == "txt" && owner != r.owner }

// Of reads the owner out of an ownership text; "" when it is none, or encrypted. A zone has as many of them as
// names, so it makes no labels of them.
func Of(text string) string {
	text, ok := strings.CutPrefix(text, "heritage=external-dns,")
	if !ok {
		return ""
	}
	_, text, ok = strings.Cut(text, "external-dns/owner=")
	if !ok {
		return ""
	}
	owner, _, _ := strings.Cut(text, ",")
	return owner
}
