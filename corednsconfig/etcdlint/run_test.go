package etcdlint_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/etcdclient"
	"github.com/spokedns/spokedns/corednsconfig/etcdlint"
)

func TestRunNamesWrongOptions(t *testing.T) {
	good := etcdlint.Options{Options: etcdclient.Options{Endpoints: []string{"http://127.0.0.1:1"}}, Zones: []string{"example.org"}, Timeout: time.Millisecond}
	for _, tt := range []struct {
		name  string
		spoil func(*etcdlint.Options)
		want  string
	}{
		{"no endpoint", func(o *etcdlint.Options) { o.Endpoints = nil }, `endpoints is ""`},
		{"no zone", func(o *etcdlint.Options) { o.Zones = nil }, `zone is ""`},
		{"zone with a dot", func(o *etcdlint.Options) { o.Zones = []string{"example.org."} }, `zone is "example.org."`},
		{"path of two", func(o *etcdlint.Options) { o.Path = "/a/b" }, `path is "/a/b"`},
		{"user alone", func(o *etcdlint.Options) { o.Username = "u" }, `password-file is ""`},
		{"certificate alone", func(o *etcdlint.Options) { o.CertFile = "c" }, `tls-key-file is ""`},
		{"output", func(o *etcdlint.Options) { o.Output = "yaml" }, `output is "yaml"`},
		{"severity", func(o *etcdlint.Options) { o.Fail = "fatal" }, `severity is "fatal"`},
		{"no such file", func(o *etcdlint.Options) { o.CAFile = "/does/not/exist" }, `/does/not/exist`},
		{"nobody there", func(*etcdlint.Options) {}, `etcd at http://127.0.0.1:1 took longer than 1ms`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.spoil(&o)
			var out bytes.Buffer
			err := etcdlint.Run(t.Context(), o, &out)
			if err == nil || !strings.Contains(err.Error(), tt.want) || etcdlint.ExitCode(err) != 2 || out.Len() > 0 {
				t.Errorf("the error is %v with exit code %d, want one with %q; it wrote %q", err, etcdlint.ExitCode(err), tt.want, &out)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	for want, err := range []error{nil, errors.Join(&etcdlint.Found{Findings: 3}), errors.New("etcd is down")} {
		if got := etcdlint.ExitCode(err); got != want {
			t.Errorf("exit code of %v is %d, want %d", err, got, want)
		}
	}
}
