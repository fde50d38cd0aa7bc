package etcdlint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/etcdclient"
)

// Options are those of the command lint-etcd.
type Options struct {
	etcdclient.Options `embed:""` // CoreDNS's own user has the rights it takes

	Path    string        `name:"path" env:"-" help:"Path of the keys, as in the Corefile." default:"/skydns"`
	Zones   []string      `name:"zone" env:"-" help:"Zone CoreDNS answers for; repeat it for several." placeholder:"ZONE" required:""`
	Output  string        `name:"output" env:"-" help:"text or json." enum:"text,json" default:"text"`
	Fail    string        `name:"fail" env:"-" help:"Least severity that makes the command fail: note, warning or error." enum:"note,warning,error" default:"error"`
	Timeout time.Duration `name:"timeout" env:"-" help:"Longest time for everything." default:"30s"`
}

// Found is the error of a run that has findings of the severity that was asked for. Its text has no news for
// who has read the report.
type Found struct{ Findings int }

// Error implements error.
func (f *Found) Error() string { return fmt.Sprintf("%d findings", f.Findings) }

// ExitCode is what the command ends with: 0 when nothing was found, 1 with findings, 2 when they could not be
// looked for.
func ExitCode(err error) int {
	var found *Found
	switch {
	case err == nil:
		return 0
	case errors.As(err, &found):
		return 1
	}
	return 2
}

// Run reads the keys from etcd, judges them and writes the report to w. It changes nothing. Its error is a
// *Found if there are findings of severity Fail or worse.
func Run(ctx context.Context, o Options, w io.Writer) error {
	o = o.withDefaults()
	var fail Severity
	if err := errors.Join(o.validate(), fail.UnmarshalText([]byte(o.Fail))); err != nil {
		return fmt.Errorf("lint-etcd: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("etcd at %s took longer than %s", strings.Join(o.Endpoints, ", "), o.Timeout))
	defer cancel()
	keys, revision, err := o.read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return fmt.Errorf("lint-etcd: %w", err)
	}
	report := Report{Keys: len(keys), Revision: revision, Findings: Lint(Layout{Path: o.Path, Zones: o.Zones}, keys)}
	if err := report.write(w, o.Output); err != nil {
		return fmt.Errorf("lint-etcd: write the report: %w", err)
	}
	n := 0
	for _, f := range report.Findings {
		if f.Severity >= fail {
			n++
		}
	}
	if n > 0 {
		return &Found{Findings: n}
	}
	return nil
}

func (o Options) withDefaults() Options {
	or := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	or(&o.Path, "/skydns")
	or(&o.Output, "text")
	or(&o.Fail, Error.String())
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, fmt.Errorf("%s is %q: want %s", field, value, want))
	}
	if !strings.HasPrefix(o.Path, "/") || len(o.Path) == 1 || strings.Contains(o.Path[1:], "/") {
		wrong("path", o.Path, "one segment, for example /skydns")
	}
	if len(o.Zones) == 0 {
		wrong("zone", "", "the zones of the Corefile, for example openmcp.cluster")
	}
	for _, zone := range o.Zones {
		if zone == "" || zone != strings.ToLower(strings.Trim(zone, ".")) {
			wrong("zone", zone, "a name in lower case without a dot at its end, for example openmcp.cluster")
		}
	}
	if o.Output != "text" && o.Output != "json" {
		wrong("output", o.Output, "text or json")
	}
	if o.Timeout < 0 {
		wrong("timeout", o.Timeout.String(), "a positive duration, for example 30s")
	}
	return errors.Join(append(errs, o.Options.Validate())...)
}

func (o Options) read(ctx context.Context) ([]Key, int64, error) {
	client, err := etcdclient.Connect(ctx, o.Options, o.Timeout)
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	return Read(ctx, client, o.Path)
}

// Report is what was found in the keys of one revision.
type Report struct {
	Keys     int       `json:"keys"`
	Revision int64     `json:"revision"`
	Findings []Finding `json:"findings"`
}

// write writes the report as "json" or for people.
func (r Report) write(w io.Writer, output string) error {
	if output == "json" {
		if r.Findings == nil {
			r.Findings = []Finding{}
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	var b strings.Builder
	counts := map[Severity]int{}
	var last Code
	for _, f := range r.Findings {
		counts[f.Severity]++
		if f.Code != last {
			fmt.Fprintf(&b, "%s: %s\n  CoreDNS: %s.\n  Remedy: %s.\n", f.Severity, f.Code, f.Effect, f.Remedy)
			last = f.Code
		}
		fmt.Fprintf(&b, "    %s", f.Key)
		if f.Detail != "" {
			fmt.Fprintf(&b, " (%s)", f.Detail)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d keys at revision %d: %d errors, %d warnings, %d notes\n", r.Keys, r.Revision, counts[Error], counts[Warning], counts[Note])
	_, err := io.WriteString(w, b.String())
	return err
}
