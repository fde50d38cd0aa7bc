package azuredns

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/spokedns/spokedns/webhook/setting"
)

// The clouds, as cloudName returns them.
const (
	publicCloud     = "AzurePublic"
	chinaCloud      = "AzureChina"
	governmentCloud = "AzureUSGovernment"
	customCloud     = "Custom"
)

// cloudName is the cloud a setting means: as the SDK calls it, or as Azure's older tools and external-dns
// do ("AzurePublicCloud", "AZURESTACKCLOUD"). "" stays "".
func cloudName(s string) (string, error) {
	switch strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(s), "azure"), "cloud") {
	case "public":
		return publicCloud, nil
	case "china":
		return chinaCloud, nil
	case "usgovernment", "government":
		return governmentCloud, nil
	case "custom", "stack":
		return customCloud, nil
	case "":
		if s == "" {
			return "", nil
		}
		return publicCloud, nil
	}
	return "", &setting.Error{Field: "cloud", Value: s, Want: "want AzurePublic, AzureChina, AzureUSGovernment or Custom"}
}

// home is a cloud to talk to.
type home struct {
	name          string
	configuration cloud.Configuration
	ownAuthority  bool // the authority is none that the SDK knows, so it is not looked up at one it knows
}

// home finds the cloud: by name, else by the authority that workload identity was given, else the public one.
func (c Config) home() (home, error) {
	name, err := cloudName(c.Cloud)
	if err != nil {
		return home{}, err
	}
	if name == "" {
		name = cloudOf(c.Authority)
	}
	var known cloud.Configuration
	switch name {
	case chinaCloud:
		known = cloud.AzureChina
	case governmentCloud:
		known = cloud.AzureGovernment
	case publicCloud:
		known = cloud.AzurePublic
	}
	manager := known.Services[cloud.ResourceManager]
	h := home{name: name, configuration: cloud.Configuration{ActiveDirectoryAuthorityHost: known.ActiveDirectoryAuthorityHost}}
	if c.Authority != "" && hostOf(c.Authority) != hostOf(known.ActiveDirectoryAuthorityHost) {
		h.configuration.ActiveDirectoryAuthorityHost = c.Authority
		h.ownAuthority = cloudOf(c.Authority) == publicCloud && hostOf(c.Authority) != hostOf(cloud.AzurePublic.ActiveDirectoryAuthorityHost)
	}
	if c.Endpoint != "" {
		manager.Endpoint = c.Endpoint
	}
	if c.Audience != "" {
		manager.Audience = c.Audience
	}
	if manager.Audience == "" {
		manager.Audience = manager.Endpoint
	}
	h.configuration.Services = map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: manager}
	return h, nil
}

// cloudOf is the cloud an authority belongs to, the public one when it is none of the others.
func cloudOf(authority string) string {
	switch hostOf(authority) {
	case hostOf(cloud.AzureChina.ActiveDirectoryAuthorityHost), "login.partner.microsoftonline.cn":
		return chinaCloud
	case hostOf(cloud.AzureGovernment.ActiveDirectoryAuthorityHost):
		return governmentCloud
	}
	return publicCloud
}

func hostOf(authority string) string {
	u, err := url.Parse(authority)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// transport carries the requests to Azure. It takes proxies from the environment, as the SDK's own does.
func (c Config) transport() (*http.Transport, error) {
	trust, err := c.TLS.Config()
	if err != nil {
		return nil, setting.Under("tls", err)
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: c.Concurrency,
		IdleConnTimeout:     defaultIdle,
		TLSHandshakeTimeout: c.Timeout,
		TLSClientConfig:     trust,
	}, nil
}
