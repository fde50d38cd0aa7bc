package central

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Apply makes etcd's users and roles of the landscape be exactly those it asks for, and returns in a few words
// what it changed, nothing when all was right already. auth has the rights of root, or authentication is off.
//
// passwords are by user name. A user without one can log in with a certificate only, whose common name is the
// user's. What belongs to clusters that are no longer in the landscape is deleted; users and roles with other
// names are not looked at. While authentication is off passwords cannot be compared and are written each time.
func Apply(ctx context.Context, auth clientv3.Auth, l Landscape, passwords map[string]string) ([]string, error) {
	if err := l.Validate(); err != nil {
		return nil, fmt.Errorf("central: %w", err)
	}
	a := applier{Auth: auth, ctx: ctx}
	roles := l.Roles()
	err := a.prune(l, roles)
	for _, role := range roles {
		if err == nil {
			err = a.role(role)
		}
		if err == nil {
			err = a.user(role.Name, passwords[role.Name])
		}
	}
	if err != nil {
		return a.changed, fmt.Errorf("central: rights in etcd: %w", err)
	}
	return a.changed, nil
}

// Enable turns etcd's authentication on if it is off, with a root user of this password; without a password
// root logs in with a certificate. It reports whether it was off. From then on nobody gets in without a user,
// so Apply comes first.
func Enable(ctx context.Context, auth clientv3.Auth, rootPassword string) (bool, error) {
	const root = "root"
	status, err := auth.AuthStatus(ctx)
	if err != nil || status.Enabled {
		return false, err
	}
	a := applier{Auth: auth, ctx: ctx}
	if _, err := a.exists("role "+root, rpctypes.ErrRoleAlreadyExist, func() error { _, err := auth.RoleAdd(ctx, root); return err }); err != nil {
		return false, err
	}
	if err := a.user(root, rootPassword); err != nil {
		return false, err
	}
	if _, err = auth.AuthEnable(ctx); err != nil {
		return false, fmt.Errorf("turn authentication on: %w", err)
	}
	return true, nil
}

// applier makes the changes of one call and notes them.
type applier struct {
	clientv3.Auth
	ctx     context.Context
	changed []string
}

func (a *applier) did(format string, args ...any) {
	a.changed = append(a.changed, fmt.Sprintf(format, args...))
}

// prune deletes the users and roles of clusters that are gone. It comes first: taking away is what must not
// be left undone when something later fails.
func (a *applier) prune(l Landscape, roles []Role) error {
	gone := func(name string) bool {
		return strings.HasPrefix(name, l.clusterOwner()) &&
			!slices.ContainsFunc(roles, func(r Role) bool { return r.Name == name })
	}
	users, err := a.UserList(a.ctx)
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	for _, name := range users.Users {
		if gone(name) {
			if _, err := a.UserDelete(a.ctx, name); err != nil {
				return fmt.Errorf("delete user %s: %w", name, err)
			}
			a.did("deleted user %s", name)
		}
	}
	stand, err := a.RoleList(a.ctx)
	if err != nil {
		return fmt.Errorf("list roles: %w", err)
	}
	for _, name := range stand.Roles {
		if gone(name) {
			if _, err := a.RoleDelete(a.ctx, name); err != nil {
				return fmt.Errorf("delete role %s: %w", name, err)
			}
			a.did("deleted role %s", name)
		}
	}
	return nil
}

// role makes the role grant exactly what it should.
func (a *applier) role(r Role) error {
	_, err := a.exists("role "+r.Name, rpctypes.ErrRoleAlreadyExist, func() error { _, err := a.RoleAdd(a.ctx, r.Name); return err })
	if err != nil {
		return err
	}
	stands, err := a.RoleGet(a.ctx, r.Name)
	if err != nil {
		return fmt.Errorf("read role %s: %w", r.Name, err)
	}
	for _, p := range stands.Perm {
		if slices.ContainsFunc(r.Grants, func(g Grant) bool { return g.is(p) }) {
			continue
		}
		if _, err := a.RoleRevokePermission(a.ctx, r.Name, string(p.Key), string(p.RangeEnd)); err != nil {
			return fmt.Errorf("revoke %s from role %s: %w", p.Key, r.Name, err)
		}
		a.did("revoked %s from role %s", p.Key, r.Name)
	}
	for _, g := range r.Grants {
		if slices.ContainsFunc(stands.Perm, g.is) {
			continue
		}
		if _, err := a.RoleGrantPermission(a.ctx, r.Name, g.Prefix, g.end(), g.permission()); err != nil {
			return fmt.Errorf("grant %s to role %s: %w", g.Prefix, r.Name, err)
		}
		a.did("granted %s to role %s", g.Prefix, r.Name)
	}
	return nil
}

// user makes the user have this password and no role but the one of its name.
func (a *applier) user(name, password string) error {
	added, err := a.exists("user "+name, rpctypes.ErrUserAlreadyExist, func() error {
		_, err := a.UserAddWithOptions(a.ctx, name, password, &clientv3.UserAddOptions{NoPassword: password == ""})
		return err
	})
	if err != nil {
		return err
	}
	if !added {
		if err := a.password(name, password); err != nil {
			return err
		}
	}
	stands, err := a.UserGet(a.ctx, name)
	if err != nil {
		return fmt.Errorf("read user %s: %w", name, err)
	}
	for _, role := range stands.Roles {
		if role != name {
			if _, err := a.UserRevokeRole(a.ctx, name, role); err != nil {
				return fmt.Errorf("revoke role %s from user %s: %w", role, name, err)
			}
			a.did("revoked role %s from user %s", role, name)
		}
	}
	if !slices.Contains(stands.Roles, name) {
		if _, err := a.UserGrantRole(a.ctx, name, name); err != nil {
			return fmt.Errorf("grant role %s to its user: %w", name, err)
		}
		a.did("granted role %s to its user", name)
	}
	return nil
}

// password changes the user's password if it is another one.
func (a *applier) password(name, password string) error {
	if password == "" {
		return nil
	}
	_, err := a.Authenticate(a.ctx, name, password)
	switch {
	case err == nil:
		return nil
	case is(err, rpctypes.ErrAuthNotEnabled), is(err, rpctypes.ErrAuthFailed):
	default:
		return fmt.Errorf("try the password of user %s: %w", name, err)
	}
	unknown := is(err, rpctypes.ErrAuthNotEnabled)
	if _, err := a.UserChangePassword(a.ctx, name, password); err != nil {
		return fmt.Errorf("change the password of user %s: %w", name, err)
	}
	if !unknown {
		a.did("changed the password of user %s", name)
	}
	return nil
}

// exists adds what is not there yet, and reports whether it did.
func (a *applier) exists(what string, there error, add func() error) (bool, error) {
	err := add()
	if is(err, there) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("add %s: %w", what, err)
	}
	a.did("added %s", what)
	return true, nil
}

// is compares with one of the errors etcd defines, also before the client translated it.
func is(err, known error) bool {
	return err != nil && (errors.Is(err, known) || rpctypes.ErrorDesc(err) == rpctypes.ErrorDesc(known))
}

func (g Grant) end() string { return clientv3.GetPrefixRangeEnd(g.Prefix) }

func (g Grant) permission() clientv3.PermissionType {
	if g.Write {
		return clientv3.PermissionType(clientv3.PermReadWrite)
	}
	return clientv3.PermissionType(clientv3.PermRead)
}

// is reports whether the permission that stands is the grant.
func (g Grant) is(p *authpb.Permission) bool {
	return string(p.Key) == g.Prefix && string(p.RangeEnd) == g.end() && clientv3.PermissionType(p.PermType) == g.permission()
}
