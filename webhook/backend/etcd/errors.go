package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spokedns/spokedns/webhook/backend"
)

// wrap classifies a failure of etcd and says what to do about it.
func (b *Backend) wrap(op, zone string, err error) error {
	var done *backend.Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	kind, err := b.classify(err)
	return &backend.Error{Kind: kind, Op: "etcd: " + op, Zone: zone, Err: err}
}

func (b *Backend) classify(err error) (backend.Kind, error) {
	servers := strings.Join(b.cfg.Endpoints, ", ")
	switch {
	case loginFailed(err):
		return backend.Denied, fmt.Errorf("%s does not accept the user %q with this password: %w", servers, b.cfg.Username, err)
	case isAny(err, rpctypes.ErrUserEmpty):
		return backend.Denied, fmt.Errorf("%s wants a user; set username and password: %w", servers, err)
	case isAny(err, rpctypes.ErrPermissionDenied):
		return backend.Denied, fmt.Errorf("the user %q may not read and write the keys below the zone; grant a role readwrite on that prefix: %w", b.cfg.Username, err)
	case isAny(err, rpctypes.ErrNoSpace):
		return backend.Temporary, fmt.Errorf("the database of %s is full; compact and defragment it, or raise its quota, then disarm the alarm: %w", servers, err)
	case tooLarge(err):
		return backend.Rejected, fmt.Errorf("larger than a request to %s may be: %w", servers, err)
	case errors.Is(err, context.Canceled):
		return backend.Temporary, err
	case errors.Is(err, context.DeadlineExceeded), status.Code(err) == codes.Unavailable, status.Code(err) == codes.DeadlineExceeded:
		if why := b.dialer.failed.Load(); why != nil {
			return backend.Temporary, fmt.Errorf("no connection to %s: %w: %w", servers, *why, err)
		}
		return backend.Temporary, fmt.Errorf("no answer from %s: %w", servers, err)
	}
	return backend.Temporary, err
}

// loginFailed reports whether etcd no longer knows the user by this password.
func loginFailed(err error) bool {
	return isAny(err, rpctypes.ErrAuthFailed, rpctypes.ErrUserNotFound, rpctypes.ErrInvalidAuthToken)
}

// isAny reports whether err is one of the errors etcd defines, also after a client wrapped it.
func isAny(err error, known ...error) bool {
	for _, k := range known {
		if errors.Is(err, k) || rpctypes.ErrorDesc(err) == rpctypes.ErrorDesc(k) {
			return true
		}
	}
	return false
}

// tooLarge reports whether a request failed for what is put together in it, at the server or before it
// left.
func tooLarge(err error) bool {
	return isAny(err, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps, rpctypes.ErrDuplicateKey) ||
		status.Code(err) == codes.ResourceExhausted && strings.Contains(err.Error(), "larger than max")
}
