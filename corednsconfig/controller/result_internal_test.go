package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// What a cluster is said not to be reached for, by what its HTTP client says.
func TestReasonOfAnError(t *testing.T) {
	ask := func(client *http.Client, url string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"handshake": {ask(&http.Client{Transport: &http.Transport{TLSClientConfig: trust, TLSHandshakeTimeout: time.Millisecond}}, "https://"+silent.Addr().String()), "Timeout"},
		"request":   {ask(&http.Client{Timeout: time.Millisecond}, "http://"+silent.Addr().String()), "Timeout"},
		"deadline":  {context.DeadlineExceeded, "Timeout"},
		"refused":   {ask(http.DefaultClient, "http://"+closed.Addr().String()), "NoConnection"},
		"name":      {&net.DNSError{Err: "no such host", Name: "c.invalid", IsNotFound: true}, "NoConnection"},
		"cut":       {io.ErrUnexpectedEOF, "Error"},
		"any":       {errors.New("it does not work"), "Error"},
	} {
		if got := reasonOf(fmt.Errorf("cluster c: %w", c.err)); got != c.want {
			t.Errorf("%s: %s for %v, want %s", name, got, c.err, c.want)
		}
	}
}
