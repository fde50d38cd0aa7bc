package detect_test

import (
	"errors"
	"testing"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

func TestErrorsAreForPeople(t *testing.T) {
	for want, err := range map[string]*detect.Error{
		"suspended, again in 29m59s":              {Kind: detect.Suspended, RetryAfter: 29*time.Minute + 59*time.Second + 6*time.Millisecond},
		"throttled: status 429, again in 30s":     {Kind: detect.Throttled, Err: errors.New("status 429"), RetryAfter: 30 * time.Second},
		"no-answer: no answer within 3s":          {Kind: detect.NoAnswer, Err: errors.New("no answer within 3s")},
		"not-public: 10.0.0.1 is for private use": {Kind: detect.NotPublic, Err: errors.New("10.0.0.1 is for private use")},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
