package route53

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

func TestErrorsOfTheService(t *testing.T) {
	t.Parallel()
	code := func(status int, code string) error {
		inner := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.GenericAPIError{Code: code, Message: "m"}}
		return &smithy.OperationError{ServiceID: "Route 53", OperationName: "X", Err: inner}
	}
	batch := func(messages ...string) error { return &types.InvalidChangeBatch{Messages: messages} }
	for _, c := range []struct {
		err    error
		kind   backend.Kind
		result apicall.Result
		says   string
	}{
		{code(400, "Throttling"), backend.Temporary, apicall.Throttled, "throttled: Throttling: m"},
		{code(400, "ThrottlingException"), backend.Temporary, apicall.Throttled, "throttled: "},
		{code(400, "PriorRequestNotComplete"), backend.Temporary, apicall.Throttled, "throttled: "},
		{errBudget, backend.Temporary, apicall.NoAnswer, "throttled: the account's requests"},
		{code(503, "ServiceUnavailable"), backend.Temporary, apicall.Failed, "ServiceUnavailable: m"},
		{code(500, "InternalFailure"), backend.Temporary, apicall.Failed, "InternalFailure: m"},
		{code(502, "UnknownError"), backend.Temporary, apicall.Failed, ""},
		{code(403, "AccessDenied"), backend.Denied, apicall.Denied, "AccessDenied: m"},
		{code(403, "SomethingNew"), backend.Denied, apicall.Denied, "SomethingNew: m"},
		{code(403, "ExpiredToken"), backend.Denied, apicall.Denied, "the credentials are too old"},
		{code(403, "InvalidClientTokenId"), backend.Denied, apicall.Denied, "no such access key"},
		{code(403, "SignatureDoesNotMatch"), backend.Denied, apicall.Denied, "not that of the access key"},
		{code(403, "RequestExpired"), backend.Denied, apicall.Denied, ""},
		{code(400, "InvalidIdentityToken"), backend.Denied, apicall.Denied, ""},
		{code(404, "NoSuchHostedZone"), backend.Rejected, apicall.NotFound, "NoSuchHostedZone: m"},
		{code(404, "NoSuchHealthCheck"), backend.Rejected, apicall.Rejected, ""},
		{code(400, "InvalidInput"), backend.Rejected, apicall.Rejected, ""},
		{batch("Tried to create resource record set [name='a.', type='A'] but it already exists"), backend.Conflict, apicall.Conflict, "Tried to create resource record set [name='a.', type='A'] but it already exists"},
		{batch("x was not found", "y"), backend.Conflict, apicall.Conflict, "x was not found; y"},
		{batch("FATAL problem: InvalidTTL"), backend.Rejected, apicall.Rejected, "FATAL problem: InvalidTTL"},
		{&types.InvalidChangeBatch{}, backend.Rejected, apicall.Rejected, ""},
		{fmt.Errorf("send: %w", context.DeadlineExceeded), backend.Temporary, apicall.NoAnswer, ""},
		{errors.New("connection reset"), backend.Temporary, apicall.NoAnswer, "connection reset"},
		{fmt.Errorf("tls: %w", x509.UnknownAuthorityError{}), backend.Denied, apicall.NoAnswer, "certificate"},
		{fmt.Errorf("get credentials: %w", &fs.PathError{Op: "open", Path: "/token", Err: fs.ErrNotExist}), backend.Denied, apicall.NoAnswer, "/token"},
		{errors.New("get identity: get credentials: nowhere"), backend.Denied, apicall.NoAnswer, ""},
		{&backend.Error{Kind: backend.Conflict, Err: errors.New("decided")}, backend.Conflict, apicall.NoAnswer, "decided"},
	} {
		if got := kindOf(c.err); got != c.kind {
			t.Errorf("%v is %s, want %s", c.err, got, c.kind)
		}
		if got := resultOf(c.err); got != c.result {
			t.Errorf("%v is counted as %s, want %s", c.err, got, c.result)
		}
		if got := plain(c.err); !strings.Contains(got.Error(), c.says) || !errors.Is(got, c.err) {
			t.Errorf("%v reads %q, want %q in it", c.err, got, c.says)
		}
	}
	if got := resultOf(nil); got != apicall.OK {
		t.Errorf("success is counted as %s", got)
	}
}

// TestRefusals: only what Route 53 itself refuses for what is asked of it is worth looking for a guilty record.
func TestRefusals(t *testing.T) {
	t.Parallel()
	of := func(err error) error { return &smithy.OperationError{ServiceID: "Route 53", Err: err} }
	coded := func(code string) error { return &smithy.GenericAPIError{Code: code, Fault: smithy.FaultClient} }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{of(&types.InvalidChangeBatch{}), true},
		{of(coded("InvalidInput")), true},
		{of(coded("AccessDenied")), true},
		{of(coded("AccessDeniedException")), true},
		{of(coded("ExpiredToken")), false},
		{of(coded("Throttling")), false},
		{of(&smithy.OperationError{ServiceID: "STS", Err: coded("AccessDenied")}), false},
		{errors.New("connection reset"), false},
	} {
		if got := isRefusal(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
