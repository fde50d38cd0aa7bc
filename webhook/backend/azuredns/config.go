package azuredns

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says where the zones are, who we are there, and how fast we may be.
type Config struct {
	Subscriptions  []string `yaml:"subscriptions"  name:"subscriptions"   env:"AZURE_SUBSCRIPTION_ID"    help:"Ids of the subscriptions whose zones are looked through." placeholder:"ID"`
	ResourceGroups []string `yaml:"resourceGroups" name:"resource-groups" env:"AZURE_DNS_RESOURCE_GROUP" help:"Resource groups whose zones are looked through; all of the subscriptions when left out." placeholder:"NAME"`
	Zones          []string `yaml:"zones"          name:"zones"           help:"Resource ids of zones, for names that the search does not find or finds twice; these zones are not searched." placeholder:"ID"`
	Type           string   `yaml:"type"           name:"type"            help:"Which zones are looked for: public or private. When left out, a public zone comes before a private one." placeholder:"TYPE"`

	Auth Auth `yaml:"auth" embed:"" prefix:"auth-"`

	Cloud     string          `yaml:"cloud"     name:"cloud"     env:"AZURE_ENVIRONMENT"    help:"AzurePublic, AzureChina, AzureUSGovernment, or Custom with endpoint and authority." placeholder:"NAME"`
	Endpoint  string          `yaml:"endpoint"  name:"endpoint"  help:"URL of Azure Resource Manager, when it is not the cloud's." placeholder:"URL"`
	Authority string          `yaml:"authority" name:"authority" env:"AZURE_AUTHORITY_HOST" help:"URL of the authority that issues tokens, when it is not the cloud's." placeholder:"URL"`
	Audience  string          `yaml:"audience"  name:"audience"  help:"What tokens are asked for, when it is not the cloud's; of a custom cloud the endpoint." placeholder:"URL"`
	TLS       clienttls.Files `yaml:"tls" embed:"" prefix:"tls-"`

	Timeout    time.Duration `yaml:"timeout"    name:"timeout"     help:"Longest wait for one answer of Azure." default:"10s"`
	DefaultTTL time.Duration `yaml:"defaultTTL" name:"default-ttl" help:"TTL of records that ask for none." default:"5m"`
	Cache      time.Duration `yaml:"cache"      name:"cache"       help:"For how long a zone's records are not listed again; our own changes end it." default:"0s"`
	ZoneCache  time.Duration `yaml:"zoneCache"  name:"zone-cache"  help:"For how long zones are not looked for again." default:"5m"`

	Concurrency     int `yaml:"concurrency"     name:"concurrency"       help:"Changes made at the same time." default:"16"`
	ReadsPerSecond  int `yaml:"readsPerSecond"  name:"reads-per-second"  help:"Reading requests to a subscription once the burst is used up; -1 for any number." default:"25"`
	WritesPerSecond int `yaml:"writesPerSecond" name:"writes-per-second" help:"Writing, and as many deleting, requests to a subscription once the burst is used up; -1 for any number." default:"10"`
	Burst           int `yaml:"burst"           name:"burst"             help:"Requests of each sort that are sent at once after a pause." default:"190"`
	MaxRecords      int `yaml:"maxRecords"      name:"max-records"       help:"Values one record set takes; Azure raises it on request." default:"20"`
}

// Auth is who we are. What is left out comes from the environment that Azure's own tools use.
type Auth struct {
	Method                    string `yaml:"method"                    name:"method"                      help:"workloadIdentity, managedIdentity, clientSecret or clientCertificate; found from the settings below when left out." placeholder:"METHOD"`
	TenantID                  string `yaml:"tenantID"                  name:"tenant-id"                   env:"AZURE_TENANT_ID" help:"Tenant of the workload identity or service principal." placeholder:"ID"`
	ClientID                  string `yaml:"clientID"                  name:"client-id"                   env:"AZURE_CLIENT_ID" help:"Client id of the workload identity or service principal." placeholder:"ID"`
	ClientSecret              string `yaml:"clientSecret"              name:"client-secret"               env:"AZURE_CLIENT_SECRET" help:"Secret of the service principal." placeholder:"SECRET"`
	ClientSecretFile          string `yaml:"clientSecretFile"          name:"client-secret-file"          help:"File that holds the secret of the service principal." placeholder:"FILE"`
	ClientCertificateFile     string `yaml:"clientCertificateFile"     name:"client-certificate-file"     env:"AZURE_CLIENT_CERTIFICATE_PATH" help:"Certificate and key of the service principal, in PEM or PKCS #12." placeholder:"FILE"`
	ClientCertificatePassword string `yaml:"clientCertificatePassword" name:"client-certificate-password" env:"AZURE_CLIENT_CERTIFICATE_PASSWORD" help:"Password of that file." placeholder:"PASSWORD"`
	TokenFile                 string `yaml:"tokenFile"                 name:"token-file"                  env:"AZURE_FEDERATED_TOKEN_FILE" help:"File with the service account's token, for workload identity." placeholder:"FILE"`
	ManagedIdentityClientID   string `yaml:"managedIdentityClientID"   name:"managed-identity-client-id"  env:"MANAGED_IDENTITY_CLIENT_ID" help:"Client id of a user-assigned managed identity; the machine's own when left out." placeholder:"ID"`
}

// The ways to authenticate.
const (
	workloadIdentity  = "workloadIdentity"
	managedIdentity   = "managedIdentity"
	clientSecret      = "clientSecret"
	clientCertificate = "clientCertificate"
)

// The values of settings that are left out. The pace is Azure Resource Manager's for one principal and
// subscription: buckets of 250 reads, 200 writes and 200 deletes, refilled by 25, 10 and 10 a second
// ("Understand how Azure Resource Manager throttles requests").
const (
	defaultTimeout     = 10 * time.Second
	defaultTTL         = 5 * time.Minute
	defaultZoneCache   = 5 * time.Minute
	defaultConcurrency = 16
	defaultReads       = 25
	defaultWrites      = 10
	defaultBurst       = 190 // its bucket begins to fill half a round trip after ours
	defaultMaxRecords  = 20  // "Azure subscription and service limits": records per record set
)

// Validate reports every wrong setting as a *setting.Error. It reads no file and asks nobody.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	if len(c.Subscriptions) == 0 && len(c.Zones) == 0 {
		wrong("subscriptions", "", "want the id of a subscription, or zones by their ids")
	}
	errs = append(errs, setting.Under("tls", c.TLS.Validate()))
	for i, s := range c.Subscriptions {
		if s == "" || strings.ContainsAny(s, "/ ") {
			wrong(fmt.Sprintf("subscriptions[%d]", i), s, "want the id of a subscription, for example 00000000-0000-0000-0000-000000000000")
		}
	}
	for i, g := range c.ResourceGroups {
		if g == "" || strings.ContainsAny(g, "/ ") {
			wrong(fmt.Sprintf("resourceGroups[%d]", i), g, "want the name of a resource group")
		}
	}
	if c.Type != "" && c.Type != string(public) && c.Type != string(private) {
		wrong("type", c.Type, "want public or private")
	}
	errs = append(errs, c.validateZones(), c.validateCloud(), setting.Under("auth", c.Auth.validate()), c.validateNumbers())
	return errors.Join(errs...)
}

// validateZones checks the zones named by id: each is one, and no two have the same name.
func (c Config) validateZones() error {
	var errs []error
	seen := map[string]bool{}
	for i, id := range c.Zones {
		field := fmt.Sprintf("zones[%d]", i)
		z, err := parseZoneID(id)
		switch {
		case err != nil:
			errs = append(errs, &setting.Error{Field: field, Value: id, Want: err.Error()})
		case c.Type != "" && string(z.kind) != c.Type:
			errs = append(errs, &setting.Error{Field: field, Value: id, Want: "is a " + string(z.kind) + " zone, but type says " + c.Type})
		case seen[z.name]:
			errs = append(errs, &setting.Error{Field: field, Value: id, Want: "want one zone of a name; " + z.name + " was named before"})
		default:
			seen[z.name] = true
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateCloud() error {
	var errs []error
	name, err := cloudName(c.Cloud)
	errs = append(errs, err)
	for field, value := range map[string]string{"endpoint": c.Endpoint, "authority": c.Authority} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
			errs = append(errs, &setting.Error{Field: field, Value: value, Want: "want an https:// URL: tokens are not sent over anything else"})
		} else if value == "" && name == customCloud {
			errs = append(errs, &setting.Error{Field: field, Want: "is missing; a custom cloud has none of its own"})
		}
	}
	return errors.Join(errs...)
}

func (a Auth) validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	switch a.Method {
	case "", workloadIdentity, managedIdentity, clientSecret, clientCertificate:
	default:
		wrong("method", a.Method, "want workloadIdentity, managedIdentity, clientSecret or clientCertificate")
	}
	if a.ClientSecret != "" && a.ClientSecretFile != "" {
		wrong("clientSecretFile", a.ClientSecretFile, "want either clientSecret or clientSecretFile, not both")
	}
	if a.ClientCertificatePassword != "" && a.ClientCertificateFile == "" {
		wrong("clientCertificateFile", "", "want the file that clientCertificatePassword opens")
	}
	return errors.Join(errs...)
}

func (c Config) validateNumbers() error {
	var errs []error
	wrong := func(field string, value any, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: fmt.Sprint(value), Want: want})
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"timeout", c.Timeout}, {"cache", c.Cache}, {"zoneCache", c.ZoneCache}} {
		if d.value < 0 {
			wrong(d.field, d.value, "want a duration that is not negative, for example 10s")
		}
	}
	if c.DefaultTTL < 0 || c.DefaultTTL > 0 && c.DefaultTTL < time.Second || c.DefaultTTL > backend.MaxTTL {
		wrong("defaultTTL", c.DefaultTTL, "want from 1s to 2147483647s, for example 5m")
	}
	if c.Concurrency < 0 || c.Concurrency > 256 {
		wrong("concurrency", c.Concurrency, "want from 1 to 256, for example 16")
	}
	for _, n := range []struct {
		field string
		value int
	}{{"readsPerSecond", c.ReadsPerSecond}, {"writesPerSecond", c.WritesPerSecond}} {
		if n.value < -1 {
			wrong(n.field, n.value, "want a number of requests, or -1 for no limit of ours")
		}
	}
	if c.Burst < 0 {
		wrong("burst", c.Burst, "want a number of requests, for example 190")
	}
	if c.MaxRecords < 0 {
		wrong("maxRecords", c.MaxRecords, "want a number of values, for example 20")
	}
	return errors.Join(errs...)
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	count := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	fill(&c.Timeout, defaultTimeout)
	fill(&c.DefaultTTL, defaultTTL)
	fill(&c.ZoneCache, defaultZoneCache)
	count(&c.Concurrency, defaultConcurrency)
	count(&c.ReadsPerSecond, defaultReads)
	count(&c.WritesPerSecond, defaultWrites)
	count(&c.Burst, defaultBurst)
	count(&c.MaxRecords, defaultMaxRecords)
	return c
}
