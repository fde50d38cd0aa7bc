package route53_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/setting"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/dns"
	for _, c := range []struct {
		name   string
		config route53.Config
		want   string
	}{
		{"nothing", route53.Config{}, ""},
		{"everything", route53.Config{
			Region: "eu-central-1", ZoneIDs: []string{"/hostedzone/Z1"}, ZoneType: "private", ZoneTags: []string{"a", "b=c"}, VPC: "us-gov-west-1/vpc-1",
			WebIdentity: route53.WebIdentity{Role: role, TokenFile: "/t"}, Roles: []string{"arn:aws-cn:iam::1:role/x/y"}, ExternalID: "e", SessionName: "me@here",
			DefaultTTL: time.Minute, Cache: time.Minute, RequestsPerSecond: 1, Attempts: 1, Timeout: time.Second, Endpoint: "https://example.org", STSEndpoint: "http://127.0.0.1:1",
		}, ""},
		{"region", route53.Config{Region: "Frankfurt"}, `region: "Frankfurt": want a region, for example eu-central-1`},
		{"zone id", route53.Config{ZoneIDs: []string{"Z1", "example.org"}}, `zoneIDs[1]: "example.org": want the id of a hosted zone`},
		{"zone type", route53.Config{ZoneType: "internal"}, `zoneType: "internal": want public or private`},
		{"zone tag", route53.Config{ZoneTags: []string{"=dns"}}, `zoneTags[0]: "=dns": want key or key=value`},
		{"vpc", route53.Config{VPC: "main"}, `vpc: "main": want the id of a VPC`},
		{"vpc region", route53.Config{VPC: "Frankfurt/vpc-1"}, `vpc: "Frankfurt/vpc-1": want the id of a VPC`},
		{"vpc of public zones", route53.Config{VPC: "vpc-1", ZoneType: "public"}, `vpc: "vpc-1": want no VPC with zoneType public`},
		{"secret twice", route53.Config{AccessKeyID: "A", SecretKey: "s", SecretFile: "/f"}, `secretKeyFile: "/f": want either secretKey or secretKeyFile`},
		{"secret alone", route53.Config{SecretKey: "s"}, `accessKeyID: want the id of the access key`},
		{"key alone", route53.Config{AccessKeyID: "A"}, `secretKey: want a secretKey or a secretKeyFile for access key A`},
		{"web identity without a token", route53.Config{WebIdentity: route53.WebIdentity{Role: role}}, `webIdentity: want role and tokenFile together`},
		{"web identity and key", route53.Config{AccessKeyID: "A", SecretKey: "s", WebIdentity: route53.WebIdentity{Role: role, TokenFile: "/t"}}, `want either a web identity or an access key`},
		{"web identity's role", route53.Config{WebIdentity: route53.WebIdentity{Role: "dns", TokenFile: "/t"}}, `webIdentity.role: "dns": want the ARN of a role`},
		{"role", route53.Config{Roles: []string{role, "dns"}}, `roles[1]: "dns": want the ARN of a role`},
		{"external id of nobody", route53.Config{ExternalID: "x"}, `externalID: "x": want the role in roles that asks for it`},
		{"session name", route53.Config{SessionName: "me & you"}, `sessionName: "me & you": want 2 to 64 letters`},
		{"TTL", route53.Config{DefaultTTL: time.Millisecond}, `defaultTTL: "1ms": want from 1s to 2147483647s`},
		{"cache", route53.Config{Cache: -1}, `cache: "-1ns": want a positive duration`},
		{"requests", route53.Config{RequestsPerSecond: -1}, `requestsPerSecond: "-1": want a number from 1 on`},
		{"attempts", route53.Config{Attempts: -1}, `attempts: "-1": want a number from 1 on`},
		{"endpoint", route53.Config{Endpoint: "route53.amazonaws.com"}, `endpoint: "route53.amazonaws.com": want a URL`},
		{"several", route53.Config{Region: "x", Endpoint: "y"}, "endpoint: \"y\": want a URL, for example https://route53.amazonaws.com\nregion:"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			err := c.config.Validate()
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if wrong := new(setting.Error); !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if _, err := route53.New(c.config, nil, slog.New(slog.DiscardHandler)); err == nil {
				t.Error("it was opened all the same")
			}
		})
	}
}

func TestUnknownProfile(t *testing.T) {
	alone(t)
	_, err := route53.New(route53.Config{Profile: "none"}, nil, slog.New(slog.DiscardHandler))
	if wrong := new(setting.Error); !errors.As(err, &wrong) || wrong.Field != "profile" || wrong.Value != "none" {
		t.Errorf("got %v", err)
	}
}
