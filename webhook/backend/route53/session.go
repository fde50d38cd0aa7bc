package route53

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	service "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/setting"
)

// newClient builds the client of the API, with credentials that are fetched when they are needed first.
// It reads AWS's shared configuration files and asks nobody.
func newClient(c Config, budget waiter, observe apicall.Observer) (*service.Client, error) {
	pod := &lateSTS{}
	options := []func(*config.LoadOptions) error{
		config.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) {
			o.Client = pod
			if o.RoleSessionName == "" {
				o.RoleSessionName = c.SessionName
			}
		}),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(c.Timeout)),
		config.WithRetryer(func() aws.Retryer { return newRetryer(c.Attempts) }),
		config.WithDefaultRegion(defaultRegion),
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(accessKey{c}))
	}
	base, err := config.LoadDefaultConfig(context.Background(), options...)
	if err != nil {
		if missing := new(config.SharedConfigProfileNotExistError); errors.As(err, missing) {
			return nil, &setting.Error{Field: "profile", Value: c.Profile, Want: "want a profile of AWS's shared configuration files: " + err.Error()}
		}
		return nil, fmt.Errorf("read the configuration for AWS: %w", err)
	}
	become := func(cfg aws.Config) *sts.Client {
		return sts.NewFromConfig(cfg, func(o *sts.Options) {
			if c.STSEndpoint != "" {
				o.BaseEndpoint = &c.STSEndpoint
			}
			o.APIOptions = append(o.APIOptions, observed(observe, nil))
		})
	}
	pod.Client = become(base)
	if w := c.WebIdentity; w.Role != "" {
		base.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(become(base), w.Role, stscreds.IdentityTokenFile(w.TokenFile),
			func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = c.SessionName }))
	}
	for i, role := range c.Roles {
		base.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(become(base.Copy()), role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = c.SessionName
			if c.ExternalID != "" && i == len(c.Roles)-1 {
				o.ExternalID = &c.ExternalID
			}
		}))
	}
	return service.NewFromConfig(base, func(o *service.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
		o.APIOptions = append(o.APIOptions, observed(observe, budget))
	}), nil
}

// lateSTS is the client for a web identity that the environment names. The SDK asks for it before there is
// a configuration to build it from, and its own one ignores AWS_ENDPOINT_URL.
type lateSTS struct{ *sts.Client }

// accessKey hands out the configured access key. A secret in a file is read whenever the SDK asks.
type accessKey struct{ Config }

// Retrieve implements aws.CredentialsProvider.
func (a accessKey) Retrieve(ctx context.Context) (aws.Credentials, error) {
	secret := a.SecretKey
	if a.SecretFile != "" {
		b, err := os.ReadFile(a.SecretFile)
		if err != nil {
			return aws.Credentials{}, fmt.Errorf("read the secret of access key %s: %w", a.AccessKeyID, err)
		}
		secret = strings.TrimSpace(string(b))
	}
	return credentials.NewStaticCredentialsProvider(a.AccessKeyID, secret, a.SessionToken).Retrieve(ctx)
}
