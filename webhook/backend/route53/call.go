package route53

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	service "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

// waiter paces requests: it returns when the next one may be sent, or an error when that is later than
// ctx allows. *rate.Limiter is one.
type waiter interface {
	Wait(ctx context.Context) error
}

// Budgets are the requests a second that AWS grants to accounts. Backends that write zones of one account
// share its budget when they are opened from one Budgets. The zero value is ready for use.
type Budgets struct {
	mu        sync.Mutex
	byAccount map[string]*rate.Limiter
}

// of returns the budget of the account that c's zones are in, as far as the settings tell: the role that
// is assumed last names it, else those who have the same credentials have the same account. When the
// settings of those who share one differ, the lowest number counts.
func (b *Budgets) of(c Config) *rate.Limiter {
	account := strings.Join([]string{c.Endpoint, c.Profile, c.AccessKeyID}, " ")
	role := c.WebIdentity.Role
	if n := len(c.Roles); n > 0 {
		role = c.Roles[n-1]
	}
	if parts := strings.Split(role, ":"); len(parts) > 4 {
		account = c.Endpoint + " " + parts[4]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.byAccount[account]
	if !ok {
		l = rate.NewLimiter(rate.Limit(c.RequestsPerSecond), 1)
		if b.byAccount == nil {
			b.byAccount = map[string]*rate.Limiter{}
		}
		b.byAccount[account] = l
	}
	if want := rate.Limit(c.RequestsPerSecond); want < l.Limit() {
		l.SetLimit(want)
	}
	return l
}

// errBudget says that the next request would come too late.
var errBudget = errors.New("throttled: the account's requests a second are used up for as long as there is time")

// observed makes a client's every attempt wait for the budget, if there is one, and tell the observer.
func observed(observe apicall.Observer, budget waiter) func(*middleware.Stack) error {
	attempt := middleware.DeserializeMiddlewareFunc("spokedns:Attempt",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			if budget != nil {
				if err := budget.Wait(ctx); err != nil {
					if ctx.Err() != nil {
						err = context.Cause(ctx)
					} else {
						err = errBudget
					}
					return middleware.DeserializeOutput{}, middleware.Metadata{}, err
				}
			}
			began := time.Now()
			out, metadata, err := next.HandleDeserialize(ctx, in)
			observe.Saw(awsmiddleware.GetOperationName(ctx), resultOf(err), time.Since(began))
			return out, metadata, err
		})
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(attempt, middleware.Before) // outermost: it sees what errors became
	}
}

const longestWait = 5 * time.Second

// newRetryer repeats what was throttled, failed in the service, or got lost on the way, after growing
// waits with jitter.
func newRetryer(attempts int) aws.RetryerV2 {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = longestWait
		o.RateLimiter = ratelimit.None // the budget paces us; the SDK's own would give up for minutes after a long outage
	})
}

// inTime makes a call give up with the service's last answer when its next attempt would come after the
// end of ctx: that says more than "deadline exceeded".
func inTime(ctx context.Context) func(*service.Options) {
	return func(o *service.Options) {
		deadline, ok := ctx.Deadline()
		if !ok {
			return
		}
		inner, isV2 := o.Retryer.(aws.RetryerV2)
		if isV2 {
			o.Retryer = punctual{inner, deadline}
		}
	}
}

// punctual is a retryer that knows when it is too late.
type punctual struct {
	aws.RetryerV2
	deadline time.Time
}

// RetryDelay implements aws.Retryer.
func (p punctual) RetryDelay(attempt int, cause error) (time.Duration, error) {
	wait, err := p.RetryerV2.RetryDelay(attempt, cause)
	if err == nil && time.Until(p.deadline) < wait {
		return 0, fmt.Errorf("%w (attempt %d, and no time for another one)", cause, attempt)
	}
	return wait, err
}
