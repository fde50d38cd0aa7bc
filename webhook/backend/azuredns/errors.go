package azuredns

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/spokedns/spokedns/webhook/backend"
)

// kindOf says what an error of the SDK means to the caller.
func kindOf(err error) backend.Kind {
	var answer *azcore.ResponseError
	var identity *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &answer):
		return kindOfStatus(answer.StatusCode, answer.ErrorCode)
	case errors.As(err, &identity):
		return kindOfIdentity(identity)
	case brokenTLS(err):
		return backend.Denied
	}
	return backend.Temporary
}

func kindOfStatus(status int, code string) backend.Kind {
	switch {
	case code == "ScopeLocked": // 409: a lock on the zone or its resource group
		return backend.Denied
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return backend.Denied
	case status == http.StatusConflict || status == http.StatusPreconditionFailed:
		return backend.Conflict
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return backend.Temporary
	}
	return backend.Rejected
}

// kindOfIdentity classifies a refused token: the authority's own faults heal, what it says no to does not.
func kindOfIdentity(e *azidentity.AuthenticationFailedError) backend.Kind {
	switch {
	case e.RawResponse == nil && strings.Contains(e.Error(), "x509: "):
		return backend.Denied // the SDK keeps the text only
	case e.RawResponse == nil || e.RawResponse.StatusCode == http.StatusTooManyRequests || e.RawResponse.StatusCode >= 500:
		return backend.Temporary
	}
	return backend.Denied
}

// brokenTLS reports whether the other side's certificate was refused.
func brokenTLS(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid)
}

// explained puts what Azure says into one line. The SDK's own messages have many, with the request and
// the answer in full.
func explained(ctx context.Context, err error) error {
	var answer *azcore.ResponseError
	var identity *azidentity.AuthenticationFailedError
	switch {
	case ctx.Err() != nil && !errors.As(err, &answer):
		return fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	case errors.As(err, &answer):
		return explainedAnswer(answer)
	case errors.As(err, &identity):
		return fmt.Errorf("no token: %s", identityMessage(identity))
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer within the timeout")
	}
	return err
}

func explainedAnswer(e *azcore.ResponseError) error {
	said := fmt.Sprintf("%d %s", e.StatusCode, e.ErrorCode)
	if message := answerMessage(e.RawResponse); message != "" {
		said += ": " + message
	}
	if e.StatusCode == http.StatusTooManyRequests {
		said = "throttled: " + said
		if wait := retryAfter(e.RawResponse); wait > 0 {
			said += fmt.Sprintf(" (retry after %s)", wait)
		}
	}
	return errors.New(said)
}

// answerMessage is the message in an error answer, whose form is {"error":{"code","message"}} or, of the
// DNS services themselves, {"code","message"}.
func answerMessage(resp *http.Response) string {
	if resp == nil {
		return ""
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return ""
	}
	var said struct {
		Message string
		Error   struct{ Message string }
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	message := said.Message
	if message == "" {
		message = said.Error.Message
	}
	return strings.Join(strings.Fields(message), " ")
}

func identityMessage(e *azidentity.AuthenticationFailedError) string {
	if e.RawResponse != nil {
		var said struct {
			Description string `json:"error_description"`
		}
		body, err := runtime.Payload(e.RawResponse)
		if err == nil && json.Unmarshal(body, &said) == nil && said.Description != "" {
			first, _, _ := strings.Cut(said.Description, "\r\n")
			return first
		}
		return fmt.Sprintf("the authority answered %s", e.RawResponse.Status)
	}
	message, _, _ := strings.Cut(e.Error(), " To troubleshoot")
	return strings.Join(strings.Fields(message), " ")
}

// hasStatus reports whether err is an answer with this status.
func hasStatus(err error, status int) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == status
}

// absentOr turns "there is no such record set" into nil.
func absentOr(err error) (*record, error) {
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusNotFound {
		return nil, err
	}
	switch answer.ErrorCode {
	case "ParentResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound", "InvalidSubscriptionId":
		return nil, err
	}
	return nil, nil
}

// zoneGone reports whether err says that the zone, its resource group or its subscription is not there.
func zoneGone(err error) bool {
	return hasStatus(err, http.StatusNotFound)
}

// refusesTop reports whether the service does not take pages as large as that.
func refusesTop(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusBadRequest && strings.Contains(answerMessage(answer.RawResponse), "$top")
}

// hasAnswer reports whether err is an answer of the service.
func hasAnswer(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer)
}
