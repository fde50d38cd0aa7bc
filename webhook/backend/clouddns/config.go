package clouddns

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says which managed zones there are and how to reach them.
type Config struct {
	Projects        []string        `yaml:"projects"        name:"projects"         help:"Ids of the projects that hold the managed zones; the project of the credentials when left out." placeholder:"PROJECT" env:"CLOUDDNS_PROJECTS,GCP_PROJECT_ID"`
	ManagedZones    []string        `yaml:"managedZones"    name:"managed-zones"    help:"Names or ids of the managed zones to use, or PROJECT/NAME; all when left out." placeholder:"ZONE" env:"CLOUDDNS_MANAGED_ZONES,GCP_MANAGED_ZONE"`
	Visibility      string          `yaml:"visibility"      name:"visibility"       help:"Use public or private managed zones only." placeholder:"KIND"`
	CredentialsFile string          `yaml:"credentialsFile" name:"credentials-file" help:"Key file or credential configuration; Application Default Credentials when left out." placeholder:"FILE"`
	Endpoint        string          `yaml:"endpoint"        name:"endpoint"         help:"URL of the API, where it is not https://dns.googleapis.com." placeholder:"URL"`
	TLS             clienttls.Files `yaml:"tls" embed:"" prefix:"tls-"`
	BatchSize       int             `yaml:"batchSize"       name:"batch-size"       help:"Additions, and as many deletions, in one change; the project's quota." default:"1000"`
	Timeout         time.Duration   `yaml:"timeout"         name:"timeout"          help:"Longest wait for one answer." default:"30s"`
	Cache           time.Duration   `yaml:"cache"           name:"cache"            help:"For how long a listing of a zone is good; 0s asks each time." default:"0s"`
	ZoneCache       time.Duration   `yaml:"zoneCache"       name:"zone-cache"       help:"For how long it is known which managed zones there are." default:"5m"`
	DefaultTTL      time.Duration   `yaml:"defaultTTL"      name:"default-ttl"      help:"TTL of records that ask for none." default:"5m"`
}

// The values of settings that are left out.
const (
	defaultBatchSize = 1000
	defaultTimeout   = 30 * time.Second
	defaultZoneCache = 5 * time.Minute
	defaultTTL       = 5 * time.Minute
)

// The visibilities of a managed zone (dns-api.json, ManagedZone.visibility).
const (
	public  = "public"
	private = "private"
)

// Validate reports every wrong setting as a *setting.Error. It reads no file and asks no server.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	// https://cloud.google.com/resource-manager/docs/creating-managing-projects, with the domain of older ones
	project := regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	for i, p := range c.Projects {
		if !project.MatchString(p) {
			wrong(fmt.Sprintf("projects[%d]", i), p, "want the id of a project, for example platform-prod-1234; its number or display name will not do")
		}
	}
	// dns-api.json, ManagedZone.name; ids are numbers
	zone := regexp.MustCompile(`^([a-z0-9.:-]+/)?([a-z]([a-z0-9-]{0,61}[a-z0-9])?|[0-9]{1,20})$`)
	for i, z := range c.ManagedZones {
		if !zone.MatchString(z) {
			wrong(fmt.Sprintf("managedZones[%d]", i), z, "want the name or id of a managed zone, or PROJECT/NAME: not its DNS name. For example example-org")
		}
	}
	if c.Visibility != "" && c.Visibility != public && c.Visibility != private {
		wrong("visibility", c.Visibility, "want public, private, or nothing for both")
	}
	if u, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "") {
		wrong("endpoint", c.Endpoint, "want a URL, for example https://dns.googleapis.com")
	}
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, setting.Under("tls", err))
	}
	if c.BatchSize < 0 || c.BatchSize > 100_000 {
		wrong("batchSize", fmt.Sprint(c.BatchSize), "want from 1 to 100000, for example 1000")
	}
	for field, d := range map[string]time.Duration{"timeout": c.Timeout, "cache": c.Cache, "zoneCache": c.ZoneCache} {
		if d < 0 {
			wrong(field, d.String(), "want a positive duration, for example 30s")
		}
	}
	if c.DefaultTTL < 0 || c.DefaultTTL > 0 && c.DefaultTTL < time.Second || c.DefaultTTL > backend.MaxTTL {
		wrong("defaultTTL", c.DefaultTTL.String(), "want from 1s to 2147483647s, for example 5m")
	}
	return errors.Join(errs...)
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.BatchSize == 0 {
		c.BatchSize = defaultBatchSize
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.ZoneCache == 0 {
		c.ZoneCache = defaultZoneCache
	}
	if c.DefaultTTL == 0 {
		c.DefaultTTL = defaultTTL
	}
	return c
}
