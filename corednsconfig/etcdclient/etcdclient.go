// Package etcdclient owns how commands of this program reach etcd: from their options to a client.
package etcdclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Options say where etcd is, whom to trust and who asks. None is taken from the environment, where PATH and
// USERNAME mean something else.
type Options struct {
	Endpoints    []string `name:"endpoints" env:"-" help:"URLs of the etcd servers, http:// or https://." placeholder:"URL" required:""`
	Username     string   `name:"username" env:"-" help:"User of etcd, where its authentication is on." placeholder:"USER"`
	PasswordFile string   `name:"password-file" env:"-" help:"File that holds the password of the user." placeholder:"FILE"`
	CAFile       string   `name:"tls-ca-file" env:"-" help:"Authority of etcd's certificates; the system's when left out." placeholder:"FILE"`
	CertFile     string   `name:"tls-cert-file" env:"-" help:"Client certificate." placeholder:"FILE"`
	KeyFile      string   `name:"tls-key-file" env:"-" help:"Key of the client certificate." placeholder:"FILE"`
	ServerName   string   `name:"tls-server-name" env:"-" help:"Name in etcd's certificate, when it is not the host it is reached by." placeholder:"NAME"`
}

// Validate reports every mistake, each with the option, its value and what would be right. It reads no file.
func (o Options) Validate() error {
	var errs []error
	wrong := func(option, value, want string) {
		errs = append(errs, fmt.Errorf("%s is %q: want %s", option, value, want))
	}
	if len(o.Endpoints) == 0 {
		wrong("endpoints", "", "at least one URL, for example https://etcd.internal:2379")
	}
	if (o.Username == "") != (o.PasswordFile == "") {
		wrong("password-file", o.PasswordFile, "a user and a file with its password, or neither")
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		wrong("tls-key-file", o.KeyFile, "a certificate and its key, or neither")
	}
	return errors.Join(errs...)
}

// Connect returns a client, which the caller closes. It reads the files; with a user it also logs in, for which
// it waits no longer than the timeout.
func Connect(ctx context.Context, o Options, timeout time.Duration) (*clientv3.Client, error) {
	cfg := clientv3.Config{Endpoints: o.Endpoints, Username: o.Username, Context: ctx, DialTimeout: timeout, Logger: zap.NewNop()}
	if o.PasswordFile != "" {
		password, err := Password(o.PasswordFile)
		if err != nil {
			return nil, err
		}
		cfg.Password = password
	}
	if o.CAFile != "" || o.CertFile != "" || o.ServerName != "" {
		info := transport.TLSInfo{TrustedCAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile, ServerName: o.ServerName}
		config, err := info.ClientConfig()
		if err != nil {
			return nil, err
		}
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
		cfg.TLS = config
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("log in to %s: %w", strings.Join(o.Endpoints, ", "), err)
	}
	return client, nil
}

// Password is what a file holds, without the line end.
func Password(file string) (string, error) {
	b, err := os.ReadFile(file)
	return strings.TrimRight(string(b), "\r\n"), err
}
