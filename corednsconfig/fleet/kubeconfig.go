package fleet

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Parse reads a kubeconfig that somebody else has written. Everything it needs has to be in it: a reference to a file or
// a program would be to one of ours, and could carry our own credentials to whoever wrote it.
func Parse(raw []byte, now time.Time) (*rest.Config, *Unusable) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, &Unusable{NoKubeconfig, "the kubeconfig is empty"}
	}
	cfg, err := clientcmd.Load(raw)
	if err != nil {
		return nil, bad("%s", firstLine(err))
	}
	context, ok := cfg.Contexts[cfg.CurrentContext]
	if !ok || context == nil {
		return nil, bad("current-context: %q: want the name of a context in it", cfg.CurrentContext)
	}
	cluster, ok := cfg.Clusters[context.Cluster]
	if !ok || cluster == nil {
		return nil, bad("contexts[%s].cluster: %q: want the name of a cluster in it", cfg.CurrentContext, context.Cluster)
	}
	user, ok := cfg.AuthInfos[context.AuthInfo]
	if !ok || user == nil {
		return nil, bad("contexts[%s].user: %q: want the name of a user in it", cfg.CurrentContext, context.AuthInfo)
	}
	if u := unsafe(cluster, user, context); u != nil {
		return nil, u
	}
	if u := incomplete(cluster, user, context); u != nil {
		return nil, u
	}
	if u := expired(user, context.AuthInfo, now); u != nil {
		return nil, u
	}
	out, err := clientcmd.NewDefaultClientConfig(*cfg, nil).ClientConfig()
	if err != nil {
		return nil, bad("%s", firstLine(err))
	}
	if _, err := rest.TLSConfigFor(out); err != nil { // certificates that are none
		return nil, bad("%s", firstLine(err))
	}
	return out, nil
}

func bad(format string, args ...any) *Unusable {
	return &Unusable{BadKubeconfig, "kubeconfig: " + fmt.Sprintf(format, args...)}
}

// firstLine of an error, without what could be a secret: parsers quote what they stumble over.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if len(line) > 200 {
		line = strings.ToValidUTF8(line[:200], "") + "…"
	}
	return line
}

func unsafe(c *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo, ctx *clientcmdapi.Context) *Unusable {
	user, cluster := "users["+ctx.AuthInfo+"].", "clusters["+ctx.Cluster+"]."
	for _, field := range []struct {
		name, remedy string
		set          bool
	}{
		{user + "exec", "want a token or a client certificate: a program is not run for others", u.Exec != nil},
		{user + "auth-provider", "want a token or a client certificate", u.AuthProvider != nil},
		{user + "tokenFile", "want the token itself", u.TokenFile != ""},
		{user + "client-certificate", "want client-certificate-data", u.ClientCertificate != ""},
		{user + "client-key", "want client-key-data", u.ClientKey != ""},
		{cluster + "certificate-authority", "want certificate-authority-data", c.CertificateAuthority != ""},
		{cluster + "insecure-skip-tls-verify", "want certificate-authority-data: the credentials would go to anybody", c.InsecureSkipTLSVerify},
	} {
		if field.set {
			return &Unusable{Unsafe, "kubeconfig: " + field.name + " is set: " + field.remedy}
		}
	}
	return nil
}

func incomplete(c *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo, ctx *clientcmdapi.Context) *Unusable {
	server, err := url.Parse(c.Server)
	if err != nil || server.Scheme != "https" || server.Hostname() == "" {
		return bad("clusters[%s].server: %q: want the URL of an API server, https://host:port", ctx.Cluster, c.Server)
	}
	certificate, key := len(u.ClientCertificateData) > 0, len(u.ClientKeyData) > 0
	if certificate != key {
		return bad("users[%s]: client-certificate-data and client-key-data: want both or neither", ctx.AuthInfo)
	}
	if !certificate && u.Token == "" && u.Username == "" {
		return bad("users[%s]: want a token or a client certificate", ctx.AuthInfo)
	}
	return nil
}

func expired(u *clientcmdapi.AuthInfo, name string, now time.Time) *Unusable {
	if len(u.ClientCertificateData) > 0 {
		pair, err := tls.X509KeyPair(u.ClientCertificateData, u.ClientKeyData)
		if err != nil {
			return bad("users[%s].client-certificate-data: %s", name, firstLine(err))
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			return bad("users[%s].client-certificate-data: %s", name, firstLine(err))
		}
		if now.After(leaf.NotAfter) {
			return &Unusable{Expired, fmt.Sprintf("kubeconfig: users[%s].client-certificate-data was valid until %s", name, leaf.NotAfter.UTC().Format(time.RFC3339))}
		}
	}
	if end, ok := tokenEnd(u.Token); ok && now.After(end) {
		return &Unusable{Expired, fmt.Sprintf("kubeconfig: users[%s].token was valid until %s", name, end.UTC().Format(time.RFC3339))}
	}
	return nil
}

// CertificateEnd is when the client certificate in cfg ends; false when it has none. Tokens are left out: who grants one
// for a day grants the next one, too.
func CertificateEnd(cfg *rest.Config) (time.Time, bool) {
	if cfg == nil {
		return time.Time{}, false
	}
	block, _ := pem.Decode(cfg.CertData)
	if block == nil {
		return time.Time{}, false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, false
	}
	return leaf.NotAfter, true
}

// tokenEnd is when a token ends that says so, as those of service accounts do (RFC 7519 §4.1.4).
func tokenEnd(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp *float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil {
		return time.Time{}, false
	}
	const furthest = 253402300799 // 9999-12-31
	return time.Unix(int64(min(max(*claims.Exp, 0), furthest)), 0), true
}
