package setting_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spokedns/spokedns/webhook/setting"
)

func TestUnderPutsThePathInFront(t *testing.T) {
	server := &setting.Error{Field: "server", Value: "dns", Want: "want host:port"}
	missing := &setting.Error{Want: "want one of etcd, rfc2136"}
	item := &setting.Error{Field: "[2]", Value: "x", Want: "want a host name"}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"a field", setting.Under("backend.rfc2136", server), `backend.rfc2136.server: "dns": want host:port`},
		{"twice", setting.Under("views[0]", setting.Under("backend", server)), `views[0].backend.server: "dns": want host:port`},
		{"the thing itself", setting.Under("backend", missing), `backend: want one of etcd, rfc2136`},
		{"an element", setting.Under("hosts", item), `hosts[2]: "x": want a host name`},
		{"several", setting.Under("v", errors.Join(server, missing)), "v.server: \"dns\": want host:port\nv: want one of etcd, rfc2136"},
		{"another error", setting.Under("v", errors.New("broken")), "v: broken"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if err := setting.Under("v", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestUnderKeepsErrorsFindable(t *testing.T) {
	cause := errors.New("no such file")
	var e *setting.Error
	err := setting.Under("tsig", errors.Join(&setting.Error{Field: "name", Want: "is missing"}, fmt.Errorf("secretFile: %w", cause)))
	if !errors.As(err, &e) || e.Field != "tsig.name" {
		t.Errorf("found %+v", e)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause got lost")
	}
}
