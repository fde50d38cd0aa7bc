package config

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/policy"
)

// Classic is the configuration without a file: one view, one backend, and one custom address for
// everything but a few ingress classes. The names are those of the operators before, so that their
// deployments move over with their environment.
type Classic struct {
	Zones                 []string `name:"zone" env:"ZONE,AZURE_DNS_ZONE,GCP_DNS_ZONE,AWS_DNS_ZONE,TARGET_DOMAIN_FQDN" placeholder:"NAME" help:"Zone to publish into, like example.org; repeat the flag or separate several by commas."`
	RecordNameRoot        string   `name:"record-name-root" placeholder:"NAME" help:"Publish only at and below this name of each zone, for example home; @ is the whole zone. The service must find home.example.org in its zone example.org, as backend gandi does."`
	Backend               string   `env:"BACKEND,CLOUD_PROVIDER" placeholder:"KIND" help:"Where the zones live: ${backends}."`
	CustomIP              []string `name:"custom-ip" placeholder:"ADDRESS" help:"What names are published with instead of the cluster's own addresses: an IPv4 address, an IPv6 address, or both with a comma between; or a host name. Without it nothing is rewritten."`
	CustomTTL             TTL      `name:"custom-ttl" env:"CUSTOM_TTL,RECORD_TTL" default:"300" placeholder:"TTL" help:"TTL of the records, in seconds, or with a unit like 5m."`
	ExcludeIngressClasses []string `name:"exclude-ingress-class" default:"nginx-internal" placeholder:"CLASS" help:"Ingress class whose names keep their own addresses; several with commas, none with an empty value."`
}

// TTL is a time to live that people give in seconds or as a Go duration.
type TTL time.Duration

// UnmarshalText reads "300" and "5m".
func (t *TTL) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		*t = TTL(time.Duration(n) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("want seconds, like 300, or a duration, like 5m")
	}
	*t = TTL(d)
	return nil
}

// classicTarget and classicView name what the file-less mode builds.
const (
	classicTarget = "custom-ip"
	classicView   = "default"
)

// File builds the configuration that a file would give: excluded classes are kept, everything else is
// rewritten. settings are those of the chosen backend. The errors name the flags.
func (c Classic) File(settings Settings) (*File, error) {
	view := View{
		View:    policy.View{Name: classicView, Zones: c.zones(), TTL: time.Duration(c.CustomTTL)},
		Backend: Section{Kind: c.Backend, Settings: settings},
	}
	f := &File{Options: Defaults()}
	if addresses := nonEmpty(c.CustomIP); len(addresses) > 0 {
		f.Targets = map[string]policy.Target{classicTarget: {Static: addresses}}
		if classes := nonEmpty(c.ExcludeIngressClasses); len(classes) > 0 {
			view.Rules = append(view.Rules, policy.Rule{
				Name: "excluded", Match: policy.Match{IngressClasses: classes}, Action: policy.Keep,
			})
		}
		view.Rules = append(view.Rules, policy.Rule{Name: "everything", Action: policy.Rewrite, Target: classicTarget})
	}
	f.Views = []View{view}
	return f, flagErrors(f.Validate(), c.Backend)
}

// zones are those given, or the name below each of them that everything is about.
func (c Classic) zones() []string {
	zones := nonEmpty(c.Zones)
	if root := strings.Trim(strings.TrimSpace(c.RecordNameRoot), "."); root != "" && root != "@" {
		for i := range zones {
			zones[i] = root + "." + zones[i]
		}
	}
	return zones
}

// flagErrors names the flags instead of the fields of the file they stand for.
func flagErrors(err error, kind string) error {
	prefixes := []struct{ field, flag string }{
		{"views[0].backend." + kind, "--" + kind},
		{"views[0].zones", "--zone"},
		{"views[0].ttl", "--custom-ttl"},
		{"views[0].rules[0].match.ingressClasses", "--exclude-ingress-class"},
		{"targets." + classicTarget + ".static", "--custom-ip"},
	}
	var out []error
	for _, e := range settingErrors(err) {
		named := *e
		for _, p := range prefixes {
			if within(e.Field, p.field) {
				named.Field = p.flag + FlagSuffix(e.Field[len(p.field):])
				break
			}
		}
		out = append(out, &named)
	}
	return errors.Join(out...)
}

// FlagSuffix turns the rest of a field's path into the rest of its flag: ".tsig.secretFile" into
// "-tsig-secret-file", ".zoneIDs" into "-zone-ids". Positions in lists are left out: the value is shown.
func FlagSuffix(path string) string {
	var b strings.Builder
	inIndex := false
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '[' || c == ']':
			inIndex = c == '['
		case inIndex:
		case c == '.':
			b.WriteByte('-')
		case upper(c):
			if beginsWord(path, i) {
				b.WriteByte('-')
			}
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// beginsWord reports whether the capital at i begins a word: after a small letter, or as the last of
// several capitals before one, unless that is the plural's.
func beginsWord(path string, i int) bool {
	if i == 0 || !upper(path[i-1]) {
		return true
	}
	rest := path[i+1:]
	return rest != "" && rest[0] >= 'a' && rest[0] <= 'z' && rest != "s" && !strings.HasPrefix(rest, "s.") && !strings.HasPrefix(rest, "s[")
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }

// nonEmpty drops empty and blank entries: an environment variable that is set to nothing means nothing.
func nonEmpty(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
