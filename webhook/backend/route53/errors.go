package route53

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

// The codes of Route 53, of STS, and those common to all of AWS's services (API reference, Common Errors).

func throttlingCodes() []string {
	return []string{"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "PriorRequestNotComplete"}
}

func denialCodes() []string {
	return []string{
		"AccessDenied", "AccessDeniedException", "NotAuthorizedException", "NotAuthorized", "OptInRequired", "UnauthorizedOperation",
		"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignature", "InvalidSignatureException",
		"IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"InvalidIdentityToken", "IDPRejectedClaim", "RegionDisabledException",
	}
}

// kindOf classifies what came of a call.
func kindOf(err error) backend.Kind {
	var (
		decided   *backend.Error
		api       smithy.APIError
		status    *smithyhttp.ResponseError
		operation *smithy.OperationError
		file      *fs.PathError
		unknown   x509.UnknownAuthorityError
		other     x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &decided):
		return decided.Kind
	case apicall.Ended(err), errors.Is(err, errBudget):
		return backend.Temporary
	case errors.As(err, &unknown), errors.As(err, &other), errors.As(err, &invalid), errors.As(err, &alert):
		return backend.Denied
	case errors.As(err, &api):
		switch code := api.ErrorCode(); {
		case slices.Contains(throttlingCodes(), code):
			return backend.Temporary
		case slices.Contains(denialCodes(), code):
			return backend.Denied
		case code == "InvalidChangeBatch" && inTheWay(err):
			return backend.Conflict
		}
		if errors.As(err, &status) && status.HTTPStatusCode() == http.StatusForbidden {
			return backend.Denied
		}
		if errors.As(err, &status) && status.HTTPStatusCode() >= http.StatusInternalServerError || api.ErrorFault() == smithy.FaultServer {
			return backend.Temporary
		}
		if errors.As(err, &status) || api.ErrorFault() == smithy.FaultClient {
			return backend.Rejected
		}
		return backend.Temporary
	case errors.As(err, &file):
		return backend.Denied // a file with credentials
	case strings.Contains(err.Error(), "get identity") || errors.As(err, &operation) && operation.ServiceID == "ec2imds":
		return backend.Denied // nowhere were credentials to be found
	}
	return backend.Temporary
}

// inTheWay reports whether a change batch is refused for what stands in the zone. The words are those the
// service uses; nothing but the kind of an error depends on them.
func inTheWay(err error) bool {
	text := explained(err)
	return slices.ContainsFunc([]string{"already exists", "not found", "do not match the current values", "conflict"}, func(s string) bool { return strings.Contains(text, s) })
}

// explained is an error with all that the service says, which its Error leaves out for change batches.
func explained(err error) string {
	var batch *types.InvalidChangeBatch
	if errors.As(err, &batch) && len(batch.Messages) > 0 {
		return strings.Join(batch.Messages, "; ")
	}
	return err.Error()
}

// spoken is an error of a call as people should read it; the original stays in its tree.
type spoken struct {
	text string
	err  error
}

// Error implements error.
func (s *spoken) Error() string { return s.text }

// Unwrap returns the original.
func (s *spoken) Unwrap() error { return s.err }

// plain shortens what the SDK says to what the service said, and names the remedy where it is known.
func plain(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) || errors.Is(err, errBudget) {
		return err
	}
	code, message := api.ErrorCode(), api.ErrorMessage()
	if code == "InvalidChangeBatch" {
		return &spoken{explained(err), err}
	}
	text := fmt.Sprintf("%s: %s", code, message)
	switch {
	case slices.Contains(throttlingCodes(), code):
		text = "throttled: " + text
	case code == "ExpiredToken" || code == "ExpiredTokenException":
		text += " (the credentials are too old: renew them, or let them be fetched by a role)"
	case code == "InvalidClientTokenId" || code == "UnrecognizedClientException":
		text += " (no such access key)"
	case code == "SignatureDoesNotMatch":
		text += " (the secret is not that of the access key)"
	}
	return &spoken{text, err}
}

// failure is what came of a call as an error about the zone.
func failure(op, zone string, err error) error {
	var done *backend.Error
	if errors.As(err, &done) {
		return err
	}
	return &backend.Error{Kind: kindOf(err), Op: op, Zone: zone, Err: plain(err)}
}

// resultOf reads what came of one attempt, for counting.
func resultOf(err error) apicall.Result {
	var api smithy.APIError
	switch {
	case err == nil:
		return apicall.OK
	case !errors.As(err, &api):
		var status *smithyhttp.ResponseError
		if errors.As(err, &status) {
			return apicall.ResultOf(status.HTTPStatusCode(), nil)
		}
		return apicall.NoAnswer
	case slices.Contains(throttlingCodes(), api.ErrorCode()):
		return apicall.Throttled
	case api.ErrorCode() == "NoSuchHostedZone":
		return apicall.NotFound
	}
	switch kindOf(err) {
	case backend.Denied:
		return apicall.Denied
	case backend.Conflict:
		return apicall.Conflict
	case backend.Rejected:
		return apicall.Rejected
	}
	return apicall.Failed
}
