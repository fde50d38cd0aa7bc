package azuredns

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

const (
	application = "spokedns" // in the User-Agent
	defaultIdle = 90 * time.Second
	firstWait   = 500 * time.Millisecond // before the first repeat; the SDK doubles it and adds jitter
	longestWait = 5 * time.Minute        // the longest Retry-After that is waited for

	repeats      = 4 // of one request
	tokenRepeats = 2 // of one for a token, which the SDK asks for twice
)

// client holds what all requests to Azure have in common.
type client struct {
	credential azcore.TokenCredential
	options    *arm.ClientOptions
}

// connect makes a client. It asks nobody.
func (c Config) connect(transport policy.Transporter, observe apicall.Observer) (*client, error) {
	h, err := c.home()
	if err != nil {
		return nil, err
	}
	base := azcore.ClientOptions{
		Cloud:     h.configuration,
		Transport: transport,
		Telemetry: policy.TelemetryOptions{ApplicationID: application},
	}
	tokens := base
	tokens.Retry = policy.RetryOptions{TryTimeout: c.Timeout, ShouldRetry: repeatToken}
	if c.Auth.method() != managedIdentity { // whose endpoints each have waits of their own in the SDK
		tokens.Retry.MaxRetries, tokens.Retry.RetryDelay = tokenRepeats, firstWait
	}
	tokens.PerRetryPolicies = []policy.Policy{&observed{observe: observe, operation: "Token"}}
	credential, err := c.Auth.credential(tokens, h.ownAuthority)
	if err != nil {
		return nil, err
	}
	p := newPace(c)
	base.PerCallPolicies = []policy.Policy{attempted{}, p}
	base.PerRetryPolicies = []policy.Policy{pupil{p}, &observed{observe: observe}}
	base.Retry = policy.RetryOptions{
		MaxRetries:    repeats,
		TryTimeout:    c.Timeout,
		RetryDelay:    firstWait,
		MaxRetryDelay: longestWait,
		ShouldRetry:   repeat,
	}
	// Registering resource providers needs rights on the subscription, and DNS is registered wherever there
	// are zones.
	return &client{credential: credential, options: &arm.ClientOptions{ClientOptions: base, DisableRPRegistration: true}}, nil
}

// observed tells the observer of every request that is sent.
type observed struct {
	observe   apicall.Observer
	operation string // empty: as the SDK names it
}

// Do implements policy.Policy.
func (o *observed) Do(req *policy.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := req.Next()
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	name := o.operation
	if name == "" {
		name = operation(req.Raw().Context(), req.Raw().Method)
	}
	o.observe.Saw(name, apicall.ResultOf(status, err), time.Since(began))
	return resp, err
}

// operation is the operation's id in the service's REST reference: the SDK's "RecordSetsClient.NewListPager"
// is "RecordSets_List" there.
func operation(ctx context.Context, method string) string {
	name, _ := ctx.Value(runtime.CtxAPINameKey{}).(string)
	group, verb, ok := strings.Cut(name, "Client.")
	if !ok {
		return method
	}
	return group + "_" + strings.TrimSuffix(strings.TrimPrefix(verb, "New"), "Pager")
}

// attempted keeps in sight of repeat how much time the caller has, and how often it has waited: each attempt
// has a context of its own.
type attempted struct{}

type attemptsKey struct{}

// attempts are those of one call.
type attempts struct {
	deadline time.Time // zero: none
	failed   int
}

// Do implements policy.Policy.
func (attempted) Do(req *policy.Request) (*http.Response, error) {
	a := &attempts{}
	a.deadline, _ = req.Raw().Context().Deadline()
	return req.WithContext(context.WithValue(req.Raw().Context(), attemptsKey{}, a)).Next()
}

// repeat says whether an attempt that ended so is made again: when the service was at fault or throttles,
// and when there was no answer, unless the wait until then is more than the caller has. The answer then says
// more than "deadline exceeded". A refusal of TLS does not heal within seconds.
func repeat(resp *http.Response, err error) bool {
	if err != nil {
		return !brokenTLS(err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return false
	}
	a, ok := resp.Request.Context().Value(attemptsKey{}).(*attempts)
	if !ok || a.deadline.IsZero() {
		return true
	}
	a.failed++
	wait := retryAfter(resp)
	if wait == 0 {
		wait = firstWait * time.Duration(1<<a.failed-1) * 13 / 10 // the longest that the SDK's jitter makes of it
	}
	return time.Until(a.deadline) > wait
}

// repeatToken is repeat for token endpoints. Where it has just begun to run, the metadata service of a machine
// also answers 404 and 410.
func repeatToken(resp *http.Response, err error) bool {
	if err != nil {
		return !brokenTLS(err)
	}
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return resp.StatusCode >= http.StatusInternalServerError
}

// throttledError is a request that was not sent, because the service's limits would have refused it.
type throttledError struct{ wait time.Duration }

func (e *throttledError) Error() string {
	return fmt.Sprintf("throttled: the next request can be sent in %s, later than there is time for", e.wait.Round(100*time.Millisecond))
}

// NonRetriable keeps the SDK from trying again.
func (e *throttledError) NonRetriable() {}
