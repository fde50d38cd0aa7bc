package main

import (
	"io"
	"strings"
	"testing"
)

func TestWrongSettingsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no namespace":         {nil, "--namespace: want the namespace of the ConfigMap"},
		"a short lease":        {[]string{"--namespace=dns", "--lease-duration=8s"}, "--renew-deadline: 10s: want it to end"},
		"no retry in time":     {[]string{"--namespace=dns", "--retry-period=6s"}, "--retry-period: 6s: want at most half of --renew-deadline, 10s"},
		"no operator to agree": {[]string{"--namespace=dns", "--need=9"}, `need: "9": want from 3 to 5`},
		"no such mode":         {[]string{"--namespace=dns", "--ipv6-mode=guess"}, `ipv6.mode: "guess": want echo, service`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", "")
			t.Setenv("NAMESPACE", "")
			_, err := parse(c.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestEnvironmentAndDefaults(t *testing.T) {
	t.Setenv("NAMESPACE", "")
	t.Setenv("POD_NAMESPACE", "dns")
	t.Setenv("POD_NAME", "ipcontroller-0")
	t.Setenv("IPV4_MODE", "static")
	t.Setenv("IPV4_ADDRESS", here)
	c, err := parse(nil, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.Namespace != "dns" || c.Identity != "ipcontroller-0" || c.Detect.IPv4.Address != here || c.ConfigMap != "spokedns-wan-ip" || !c.Events {
		t.Errorf("%+v", c)
	}
}
