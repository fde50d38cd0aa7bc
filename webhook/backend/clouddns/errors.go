package clouddns

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/api/dns/v1"
	"google.golang.org/api/googleapi"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

// meaning is what a failed request says about what was asked.
type meaning int

const (
	none      meaning = iota // it did not fail
	stale                    // something else stands than we believed
	refused                  // something in the change cannot be stored, or there is too much of it
	full                     // the zone holds as many RRsets as it may
	gone                     // there is no such managed zone any more
	denied                   // the credentials do not permit it
	throttled                // too many requests
	faulty                   // the service's own fault
	unheard                  // no answer, or none that makes sense
)

// classify reads an error of the SDK. Reasons are those of https://cloud.google.com/dns/docs/error-messages
// and of https://cloud.google.com/apis/design/errors.
func classify(err error) meaning {
	var answer *googleapi.Error
	var token *tokenError
	var certificate *tls.CertificateVerificationError
	switch {
	case err == nil:
		return none
	case errors.As(err, &answer):
		return readAnswer(answer)
	case apicall.Ended(err):
		return unheard
	case errors.As(err, &token):
		return token.meaning()
	case errors.As(err, &certificate):
		return denied
	}
	return unheard
}

func readAnswer(e *googleapi.Error) meaning {
	switch {
	case e.Code >= http.StatusInternalServerError || e.Code == http.StatusRequestTimeout:
		return faulty
	case e.Code == http.StatusTooManyRequests:
		return throttled
	case e.Code == http.StatusUnauthorized:
		return denied
	case e.Code == http.StatusForbidden:
		return readForbidden(e)
	case e.Code == http.StatusNotFound && !strings.Contains(e.Message, "entity.change"):
		return gone
	case e.Code == http.StatusNotFound, e.Code == http.StatusConflict, e.Code == http.StatusPreconditionFailed, hasReason(e, "cnameResourceRecordSetConflict"):
		return stale
	}
	return refused
}

// readForbidden tells three things apart for which the service has one status.
func readForbidden(e *googleapi.Error) meaning {
	switch {
	case hasReason(e, "rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "servingLimitExceeded"):
		return throttled
	case !hasReason(e, "quotaExceeded"):
		return denied
	case !strings.Contains(e.Message, "would exceed quota"):
		return throttled // the quota of requests
	case strings.Contains(e.Message, "managed zone"):
		return full
	}
	return refused
}

func hasReason(e *googleapi.Error, reasons ...string) bool {
	return slices.ContainsFunc(e.Errors, func(item googleapi.ErrorItem) bool { return slices.Contains(reasons, item.Reason) })
}

// kind is the same for the contract.
func (m meaning) kind() backend.Kind {
	switch m {
	case stale:
		return backend.Conflict
	case refused, full:
		return backend.Rejected
	case denied:
		return backend.Denied
	}
	return backend.Temporary
}

// result is the same for metrics. It reads the body of what failed, because a status says too little.
func result(resp *http.Response) apicall.Result {
	if resp.StatusCode < http.StatusBadRequest {
		return apicall.OK
	}
	const longest = 1 << 20
	body := apicall.Body(resp, longest)
	switch classify(googleapi.CheckResponse(&http.Response{StatusCode: resp.StatusCode, Header: resp.Header, Body: readCloser(body)})) {
	case stale:
		return apicall.Conflict
	case gone:
		return apicall.NotFound
	case denied:
		return apicall.Denied
	case throttled:
		return apicall.Throttled
	case faulty:
		return apicall.Failed
	}
	return apicall.Rejected
}

// explained is an error of the SDK in fewer words: its own go on for a line for every part of a change.
type explained struct {
	text  string
	cause error
}

// Error is the text.
func (e *explained) Error() string { return e.text }

// Unwrap returns the error of the SDK.
func (e *explained) Unwrap() error { return e.cause }

// explain says what an error means; of several reasons that the service gives, the first about key counts.
func explain(err error, change *dns.Change, key backend.Key) error {
	var answer *googleapi.Error
	if !errors.As(err, &answer) {
		return err
	}
	reason, text := "", strings.TrimSpace(answer.Message)
	for i, item := range answer.Errors {
		about := slices.Contains(culprits(item.Message, change), key)
		if i == 0 || about {
			reason, text = " "+item.Reason, item.Message
		}
		if about {
			break
		}
	}
	if text == "" {
		text = fmt.Sprintf("%.200s", answer.Body)
	}
	switch classify(err) {
	case throttled:
		text = "throttled: " + text
	case full:
		text += " (ask for more rrsetsPerManagedZone, or use another zone)"
	case denied:
		text += " (see the rights that docs/backends/clouddns.md asks for)"
	}
	return &explained{text: fmt.Sprintf("%s (%d%s)", text, answer.Code, reason), cause: err}
}

// culpritsOf are the parts of a change that the service's answer names.
func culpritsOf(err error, change *dns.Change) []backend.Key {
	var answer *googleapi.Error
	if !errors.As(err, &answer) {
		return nil
	}
	keys := culprits(answer.Message, change)
	for _, item := range answer.Errors {
		keys = append(keys, culprits(item.Message, change)...)
	}
	return keys
}

// culprits reads a message: 'entity.change.additions[www.example.org.][A]', or by number as the service
// wrote in earlier years, 'entity.change.deletions[76]'.
func culprits(message string, change *dns.Change) []backend.Key {
	if change == nil {
		return nil
	}
	var keys []backend.Key
	for _, m := range regexp.MustCompile(`entity\.change\.(additions|deletions)\[([^\]]+)\](?:\[([A-Z0-9]+)\])?`).FindAllStringSubmatch(message, -1) {
		if m[3] != "" {
			keys = append(keys, backend.Key{Name: strings.TrimSuffix(m[2], "."), Type: m[3]})
			continue
		}
		sets := change.Additions
		if m[1] == "deletions" {
			sets = change.Deletions
		}
		if i, err := strconv.Atoi(m[2]); err == nil && i >= 0 && i < len(sets) {
			keys = append(keys, backend.Key{Name: nameOf(sets[i]), Type: sets[i].Type})
		}
	}
	return keys
}
