package azuredns

import (
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/spokedns/spokedns/webhook/setting"
)

// fromEnvironment fills in what was left out from the names that Azure's tools, and the webhook of
// workload identity, use.
func (c Config) fromEnvironment(getenv func(string) string) Config {
	a := &c.Auth
	for name, field := range map[string]*string{
		"AZURE_TENANT_ID":               &a.TenantID,
		"AZURE_CLIENT_ID":               &a.ClientID,
		"AZURE_CLIENT_CERTIFICATE_PATH": &a.ClientCertificateFile,
		"AZURE_FEDERATED_TOKEN_FILE":    &a.TokenFile,
		"AZURE_AUTHORITY_HOST":          &c.Authority,
	} {
		if *field == "" {
			*field = getenv(name)
		}
	}
	if a.ClientSecret == "" && a.ClientSecretFile == "" {
		a.ClientSecret = getenv("AZURE_CLIENT_SECRET")
	}
	if a.ClientCertificatePassword == "" && a.ClientCertificateFile == getenv("AZURE_CLIENT_CERTIFICATE_PATH") {
		a.ClientCertificatePassword = getenv("AZURE_CLIENT_CERTIFICATE_PASSWORD")
	}
	return c
}

// method is the way to authenticate: the one that is set, else the first whose settings are there.
func (a Auth) method() string {
	switch {
	case a.Method != "":
		return a.Method
	case a.ClientSecret != "" || a.ClientSecretFile != "":
		return clientSecret
	case a.ClientCertificateFile != "":
		return clientCertificate
	case a.ManagedIdentityClientID != "":
		return managedIdentity
	case a.TokenFile != "":
		return workloadIdentity
	}
	return managedIdentity
}

// credential is who we are, in the SDK's terms. Files are read here, but for the federated token, which
// the SDK reads again as it is renewed.
func (a Auth) credential(options azcore.ClientOptions, ownAuthority bool) (azcore.TokenCredential, error) {
	method := a.method()
	if method != managedIdentity {
		if a.TenantID == "" {
			return nil, &setting.Error{Field: "auth.tenantID", Want: "is missing (or AZURE_TENANT_ID); " + method + " needs it"}
		}
		if a.ClientID == "" {
			return nil, &setting.Error{Field: "auth.clientID", Want: "is missing (or AZURE_CLIENT_ID); " + method + " needs it"}
		}
	}
	switch method {
	case clientSecret:
		return a.secretCredential(options, ownAuthority)
	case clientCertificate:
		return a.certificateCredential(options, ownAuthority)
	case workloadIdentity:
		if a.TokenFile == "" {
			return nil, &setting.Error{Field: "auth.tokenFile", Want: "is missing (or AZURE_FEDERATED_TOKEN_FILE); does the pod have the label azure.workload.identity/use: \"true\"?"}
		}
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: options, ClientID: a.ClientID, TenantID: a.TenantID, TokenFilePath: a.TokenFile, DisableInstanceDiscovery: ownAuthority,
		})
	}
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
	id := a.ManagedIdentityClientID
	if id == "" {
		id = a.ClientID
	}
	if id != "" {
		o.ID = azidentity.ClientID(id)
	}
	return azidentity.NewManagedIdentityCredential(o)
}

func (a Auth) secretCredential(options azcore.ClientOptions, ownAuthority bool) (azcore.TokenCredential, error) {
	secret := a.ClientSecret
	if a.ClientSecretFile != "" {
		b, err := os.ReadFile(a.ClientSecretFile)
		if err != nil {
			return nil, &setting.Error{Field: "auth.clientSecretFile", Value: a.ClientSecretFile, Want: "want a readable file: " + err.Error()}
		}
		secret = strings.TrimRight(string(b), "\r\n")
	}
	if secret == "" {
		return nil, &setting.Error{Field: "auth.clientSecret", Want: "is missing (or AZURE_CLIENT_SECRET, or auth.clientSecretFile)"}
	}
	return azidentity.NewClientSecretCredential(a.TenantID, a.ClientID, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: ownAuthority,
	})
}

func (a Auth) certificateCredential(options azcore.ClientOptions, ownAuthority bool) (azcore.TokenCredential, error) {
	wrong := func(want string) error {
		return &setting.Error{Field: "auth.clientCertificateFile", Value: a.ClientCertificateFile, Want: want}
	}
	if a.ClientCertificateFile == "" {
		return nil, wrong("is missing (or AZURE_CLIENT_CERTIFICATE_PATH)")
	}
	b, err := os.ReadFile(a.ClientCertificateFile)
	if err != nil {
		return nil, wrong("want a readable file: " + err.Error())
	}
	certificates, key, err := azidentity.ParseCertificates(b, []byte(a.ClientCertificatePassword))
	if err != nil {
		return nil, wrong("want a certificate and its key in PEM or PKCS #12: " + err.Error())
	}
	return azidentity.NewClientCertificateCredential(a.TenantID, a.ClientID, certificates, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: ownAuthority,
	})
}
