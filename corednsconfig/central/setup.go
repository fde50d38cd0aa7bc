package central

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/etcdclient"
)

// SetupOptions are those of the command central-setup.
type SetupOptions struct {
	etcdclient.Options `embed:""` // root's

	Config    string        `name:"config" env:"-" help:"File that describes the central DNS." placeholder:"FILE" required:""`
	Passwords string        `name:"passwords" env:"-" help:"Directory with a file for each user, of the user's name, that holds the password; a user without one logs in with a certificate of its name." placeholder:"DIRECTORY"`
	Timeout   time.Duration `name:"timeout" env:"-" help:"Longest time for everything. Each password takes etcd about 0.1 s." default:"10m"`
}

// Setup brings an etcd to what the file describes: users and roles, the keys of the zones, and authentication,
// which it turns on last if it is off. It writes what it changed to w, a line each, and can be run again at any
// time, after every change of the file and every renewal of a password.
func Setup(ctx context.Context, o SetupOptions, w io.Writer) error {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	c, err := Load(o.Config)
	if err := errors.Join(err, o.Validate()); err != nil {
		return fmt.Errorf("central-setup: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("etcd at %s took longer than %s", strings.Join(o.Endpoints, ", "), o.Timeout))
	defer cancel()
	changed, err := o.setup(ctx, c.Landscape)
	for _, line := range changed {
		fmt.Fprintln(w, line)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if err != nil {
		return fmt.Errorf("central-setup: %w", err)
	}
	return nil
}

// Validate reports every mistake in the options.
func (o SetupOptions) Validate() error {
	err := o.Options.Validate()
	if o.Username != "" && o.Username != "root" {
		err = errors.Join(err, fmt.Errorf("username is %q: want root: nobody else may change users", o.Username))
	}
	return err
}

func (o SetupOptions) setup(ctx context.Context, l Landscape) ([]string, error) {
	passwords, err := o.passwords(l)
	if err != nil {
		return nil, err
	}
	rootPassword := ""
	if o.PasswordFile != "" {
		if rootPassword, err = etcdclient.Password(o.PasswordFile); err != nil {
			return nil, err
		}
	}
	client, err := etcdclient.Connect(ctx, o.Options, o.Timeout)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	changed, err := Apply(ctx, client, l, passwords)
	if err != nil {
		return changed, err
	}
	keys, err := Seed(ctx, client, l)
	for _, key := range keys {
		changed = append(changed, "wrote "+key)
	}
	if err != nil {
		return changed, err
	}
	off, err := Enable(ctx, client, rootPassword)
	if off {
		changed = append(changed, "turned authentication on")
	}
	return changed, err
}

// passwords reads the files that are there.
func (o SetupOptions) passwords(l Landscape) (map[string]string, error) {
	passwords := map[string]string{}
	if o.Passwords == "" {
		return passwords, nil
	}
	for _, role := range l.Roles() {
		password, err := etcdclient.Password(filepath.Join(o.Passwords, role.Name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case password == "":
			return nil, fmt.Errorf("the password of user %s in %s is empty: want one, or no file", role.Name, o.Passwords)
		default:
			passwords[role.Name] = password
		}
	}
	return passwords, nil
}
