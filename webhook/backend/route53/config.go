package route53

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says which hosted zones are meant and with which credentials they are had. What is left out is
// taken from where AWS's own tools take it: environment, shared files, the metadata of a pod or machine.
type Config struct {
	Region   string   `yaml:"region"   name:"region"    help:"AWS region, which tells the partition; Route 53 itself has no regions. Default: that of the environment, else us-east-1." env:"AWS_REGION" placeholder:"REGION"`
	ZoneIDs  []string `yaml:"zoneIDs"  name:"zone-ids"  help:"Ids of the hosted zones; default: found by name." env:"AWS_HOSTED_ZONE_ID" placeholder:"ID"`
	ZoneType string   `yaml:"zoneType" name:"zone-type" help:"Only zones of this type: public or private." placeholder:"TYPE"`
	ZoneTags []string `yaml:"zoneTags" name:"zone-tags" help:"Only zones with all these tags: key, or key=value." placeholder:"TAG"`
	VPC      string   `yaml:"vpc"      name:"vpc"       help:"Only private zones of this VPC: vpc-…, or region/vpc-…." placeholder:"VPC"`

	Profile      string      `yaml:"profile"       name:"profile"         help:"Profile of AWS's shared configuration files." placeholder:"NAME"`
	AccessKeyID  string      `yaml:"accessKeyID"   name:"access-key-id"   help:"Id of an access key." env:"AWS_ACCESS_KEY_ID" placeholder:"ID"`
	SecretKey    string      `yaml:"secretKey"     name:"secret-key"      help:"Secret of the access key." env:"AWS_SECRET_ACCESS_KEY" placeholder:"SECRET"`
	SecretFile   string      `yaml:"secretKeyFile" name:"secret-key-file" help:"File that holds the secret of the access key." placeholder:"FILE"`
	SessionToken string      `yaml:"sessionToken"  name:"session-token"   help:"Session token, of access keys that are good for a while." env:"AWS_SESSION_TOKEN" placeholder:"TOKEN"`
	WebIdentity  WebIdentity `yaml:"webIdentity"   embed:""               prefix:"web-identity-"`
	Roles        []string    `yaml:"roles"         name:"roles"           help:"ARNs of roles, each assumed by the one before it; the last one has the zones." placeholder:"ARN"`
	ExternalID   string      `yaml:"externalID"    name:"external-id"     help:"External id that the last of the roles asks for." placeholder:"ID"`
	SessionName  string      `yaml:"sessionName"   name:"session-name"    help:"Name of the sessions, which CloudTrail shows." default:"spokedns"`

	PreferCNAME        bool `yaml:"preferCNAME"        name:"prefer-cname"         help:"A CNAME of an AWS resource stays one, instead of becoming an alias."`
	IgnoreTargetHealth bool `yaml:"ignoreTargetHealth" name:"ignore-target-health" help:"Aliases answer with unhealthy targets too, where webhook/aws-evaluate-target-health does not say otherwise."`

	DefaultTTL time.Duration `yaml:"defaultTTL" name:"default-ttl" help:"TTL of records that ask for none." default:"5m"`
	Cache      time.Duration `yaml:"cache"      name:"cache"       help:"How long a listing of a zone is good; 0s: each is a new one." default:"0s"`
	ZoneCache  time.Duration `yaml:"zoneCache"  name:"zone-cache"  help:"How long it is remembered which zones there are." default:"5m"`

	RequestsPerSecond int           `yaml:"requestsPerSecond" name:"requests-per-second" help:"Requests a second at most; AWS grants an account 5." default:"5"`
	Attempts          int           `yaml:"attempts"          name:"attempts"            help:"Attempts at a request that is throttled or fails." default:"5"`
	Timeout           time.Duration `yaml:"timeout"           name:"timeout"             help:"Longest wait for one answer." default:"10s"`
	Endpoint          string        `yaml:"endpoint"          name:"endpoint"            help:"URL of Route 53, where it is not AWS's own." placeholder:"URL"`
	STSEndpoint       string        `yaml:"stsEndpoint"       name:"sts-endpoint"        help:"URL of STS, where it is not the region's." placeholder:"URL"`
}

// WebIdentity is a token of another identity provider, the cluster's for example, and what it is good for.
type WebIdentity struct {
	Role      string `yaml:"role"      name:"role"       help:"ARN of the role that the token is good for." placeholder:"ARN"`
	TokenFile string `yaml:"tokenFile" name:"token-file" help:"File that holds the token." placeholder:"FILE"`
}

// The values of settings that are left out.
const (
	defaultRegion      = "us-east-1"
	defaultSessionName = "spokedns"
	defaultTTL         = 5 * time.Minute
	defaultZoneCache   = 5 * time.Minute
	defaultPerSecond   = 5
	defaultAttempts    = 5
	defaultTimeout     = 10 * time.Second
)

// Validate reports every wrong setting as a *setting.Error. It reads no file and asks nobody.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	if c.Region != "" && !isRegion(c.Region) {
		wrong("region", c.Region, "want a region, for example eu-central-1")
	}
	for i, id := range c.ZoneIDs {
		if !isZoneID(zoneID(id)) {
			wrong(fmt.Sprintf("zoneIDs[%d]", i), id, "want the id of a hosted zone, for example Z0123456789ABCDEFGHIJ")
		}
	}
	if !slices.Contains([]string{"", typePublic, typePrivate}, c.ZoneType) {
		wrong("zoneType", c.ZoneType, "want public or private")
	}
	for i, tag := range c.ZoneTags {
		if key, _, _ := strings.Cut(tag, "="); key == "" {
			wrong(fmt.Sprintf("zoneTags[%d]", i), tag, "want key or key=value, for example team=network")
		}
	}
	if region, id := c.vpc(); c.VPC != "" && (!strings.HasPrefix(id, "vpc-") || region != "" && !isRegion(region)) {
		wrong("vpc", c.VPC, "want the id of a VPC, for example vpc-0123456789abcdef0 or eu-west-1/vpc-0123456789abcdef0")
	}
	if c.VPC != "" && c.ZoneType == typePublic {
		wrong("vpc", c.VPC, "want no VPC with zoneType public: only private zones have one")
	}
	errs = append(errs, c.validateCredentials()...)
	if c.DefaultTTL < 0 || c.DefaultTTL > 0 && c.DefaultTTL < time.Second || c.DefaultTTL > backend.MaxTTL {
		wrong("defaultTTL", c.DefaultTTL.String(), "want from 1s to 2147483647s, for example 5m")
	}
	for field, d := range map[string]time.Duration{"cache": c.Cache, "zoneCache": c.ZoneCache, "timeout": c.Timeout} {
		if d < 0 {
			wrong(field, d.String(), "want a positive duration, for example 10s")
		}
	}
	for field, n := range map[string]int{"requestsPerSecond": c.RequestsPerSecond, "attempts": c.Attempts} {
		if n < 0 {
			wrong(field, fmt.Sprint(n), "want a number from 1 on")
		}
	}
	for field, e := range map[string]string{"endpoint": c.Endpoint, "stsEndpoint": c.STSEndpoint} {
		if u, err := url.Parse(e); e != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			wrong(field, e, "want a URL, for example https://route53.amazonaws.com")
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (c Config) validateCredentials() []error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	switch {
	case c.SecretKey != "" && c.SecretFile != "":
		wrong("secretKeyFile", c.SecretFile, "want either secretKey or secretKeyFile, not both")
	case c.AccessKeyID == "" && (c.SecretKey != "" || c.SecretFile != "" || c.SessionToken != ""):
		wrong("accessKeyID", "", "want the id of the access key the secret belongs to")
	case c.AccessKeyID != "" && c.SecretKey == "" && c.SecretFile == "":
		wrong("secretKey", "", "want a secretKey or a secretKeyFile for access key "+c.AccessKeyID)
	}
	if (c.WebIdentity.Role == "") != (c.WebIdentity.TokenFile == "") {
		wrong("webIdentity", "", "want role and tokenFile together, or neither")
	}
	if c.WebIdentity.Role != "" && c.AccessKeyID != "" {
		wrong("webIdentity.role", c.WebIdentity.Role, "want either a web identity or an access key, not both")
	}
	if c.WebIdentity.Role != "" && !isRole(c.WebIdentity.Role) {
		wrong("webIdentity.role", c.WebIdentity.Role, wantRole)
	}
	for i, r := range c.Roles {
		if !isRole(r) {
			wrong(fmt.Sprintf("roles[%d]", i), r, wantRole)
		}
	}
	if c.ExternalID != "" && len(c.Roles) == 0 {
		wrong("externalID", c.ExternalID, "want the role in roles that asks for it")
	}
	if !regexp.MustCompile(`^[\w+=,.@-]{0,64}$`).MatchString(c.SessionName) {
		wrong("sessionName", c.SessionName, "want 2 to 64 letters, digits and +=,.@-")
	}
	return errs
}

const (
	typePublic  = "public"
	typePrivate = "private"
	wantRole    = "want the ARN of a role, for example arn:aws:iam::111122223333:role/dns"
)

func isRegion(s string) bool { return regexp.MustCompile(`^[a-z]{2,5}(-[a-z]+)+-\d+$`).MatchString(s) }

func isZoneID(s string) bool { return regexp.MustCompile(`^[A-Z0-9]{1,32}$`).MatchString(s) }

func isRole(s string) bool {
	return regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{1,12}:role/\S+$`).MatchString(s)
}

// zoneID is the id in what the API calls one: "/hostedzone/Z1".
func zoneID(s string) string { return strings.TrimPrefix(strings.TrimPrefix(s, "/"), "hostedzone/") }

// vpc are the parts of the setting.
func (c Config) vpc() (region, id string) {
	if region, id, ok := strings.Cut(c.VPC, "/"); ok {
		return region, id
	}
	return "", c.VPC
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	fill(&c.DefaultTTL, defaultTTL)
	fill(&c.ZoneCache, defaultZoneCache)
	fill(&c.Timeout, defaultTimeout)
	if c.RequestsPerSecond == 0 {
		c.RequestsPerSecond = defaultPerSecond
	}
	if c.Attempts == 0 {
		c.Attempts = defaultAttempts
	}
	if c.SessionName == "" {
		c.SessionName = defaultSessionName
	}
	return c
}
