package azuredns

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/time/rate"
)

// pace keeps requests within what the services take. Azure Resource Manager counts reads, writes and
// deletes of a subscription, and tells what is left; the DNS services count those of a zone, and only say
// when it was too much. The first is kept by a token bucket like theirs, the second by waiting as long as
// they ask, all requests of the zone together.
type pace struct {
	reads, writes, burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by subscription and class
	closed  map[string]time.Time     // until when nothing is sent, by zone and class
}

// longestClosed bounds for how long one answer keeps a zone from being asked: an absurd one, of a proxy in
// between for example, shall not make a restart necessary.
const longestClosed = time.Hour

func newPace(c Config) *pace {
	return &pace{reads: c.ReadsPerSecond, writes: c.WritesPerSecond, burst: c.Burst, buckets: map[string]*rate.Limiter{}, closed: map[string]time.Time{}}
}

// class is what Resource Manager counts a method as.
func class(method string) string {
	switch method {
	case http.MethodPut:
		return "writes"
	case http.MethodDelete:
		return "deletes"
	}
	return "reads"
}

// Do implements policy.Policy, once for each call: the SDK repeats on its own, rarely and slower.
func (p *pace) Do(req *policy.Request) (*http.Response, error) {
	kind := class(req.Raw().Method)
	subscription, zone := subjects(req.Raw().URL.Path)
	if err := p.wait(req.Raw().Context(), p.bucket(subscription+" "+kind, kind), zone+" "+kind); err != nil {
		return nil, err
	}
	return req.Next()
}

// wait returns when a request may be sent, or an error at once when that is later than ctx ends.
func (p *pace) wait(ctx context.Context, bucket *rate.Limiter, zone string) error {
	var turn time.Duration
	if bucket != nil {
		r := bucket.Reserve()
		if turn = r.Delay(); turn > 0 {
			if err := sleep(ctx, turn); err != nil {
				r.Cancel()
				return err
			}
		}
	}
	for {
		p.mu.Lock()
		closed := time.Until(p.closed[zone])
		p.mu.Unlock()
		if closed <= 0 {
			return nil
		}
		if err := sleep(ctx, closed); err != nil {
			return err
		}
	}
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, wait time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return &throttledError{wait}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pupil learns from every answer what the limits are.
type pupil struct{ *pace }

// Do implements policy.Policy.
func (p pupil) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err == nil {
		kind := class(req.Raw().Method)
		subscription, zone := subjects(req.Raw().URL.Path)
		p.learn(resp, p.bucket(subscription+" "+kind, kind), zone+" "+kind, kind)
	}
	return resp, err
}

// learn adjusts to what an answer says of the limits.
func (p *pace) learn(resp *http.Response, bucket *rate.Limiter, zone, kind string) {
	if resp.StatusCode == http.StatusTooManyRequests {
		p.mu.Lock()
		defer p.mu.Unlock()
		if until := time.Now().Add(min(retryAfter(resp), longestClosed)); until.After(p.closed[zone]) {
			p.closed[zone] = until
		}
		return
	}
	left, err := strconv.Atoi(resp.Header.Get("x-ms-ratelimit-remaining-subscription-" + kind))
	if err != nil || bucket == nil {
		return
	}
	// Others of the same principal take from the same bucket.
	if more := int(bucket.Tokens()) - left; more > 0 {
		bucket.AllowN(time.Now(), more)
	}
}

// bucket returns the bucket of a subscription and class, nil when there is no limit.
func (p *pace) bucket(name, kind string) *rate.Limiter {
	perSecond := p.writes
	if kind == "reads" {
		perSecond = p.reads
	}
	if perSecond < 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[name]
	if b == nil {
		b = rate.NewLimiter(rate.Limit(perSecond), p.burst)
		p.buckets[name] = b
	}
	return b
}

// subjects are the subscription of a request, and the zone, or else the list of zones, it is about:
// "/subscriptions/S[/resourceGroups/G]/providers/Microsoft.Network/dnsZones[/Z[/…]]".
func subjects(path string) (subscription, zone string) {
	parts := strings.Split(strings.ToLower(strings.Trim(path, "/")), "/")
	if len(parts) < 2 {
		return "", path
	}
	depth := 6
	if len(parts) > 2 && parts[2] == "resourcegroups" {
		depth = 8
	}
	return parts[1], strings.Join(parts[:min(depth, len(parts))], "/")
}

// retryAfter is the wait an answer asks for, in the headers that Azure's services use; 0 when it asks for
// none.
func retryAfter(resp *http.Response) time.Duration {
	for header, unit := range map[string]time.Duration{"Retry-After-Ms": time.Millisecond, "X-Ms-Retry-After-Ms": time.Millisecond, "Retry-After": time.Second} {
		if n, err := strconv.Atoi(resp.Header.Get(header)); err == nil && n > 0 {
			return time.Duration(n) * unit
		}
	}
	if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
