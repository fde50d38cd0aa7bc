package install

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/charts"
	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// cluster is one of thin air: a release and its surroundings, with a log of what was done.
type cluster struct {
	found      Found
	drift      string
	undrained  string
	down       string
	namespace  bool
	terminates string
	stays      string
	reason     Reason // of a copy that is refused
	fails      map[string]error
	log        []string
}

func (c *cluster) do(what string) error {
	c.log = append(c.log, what)
	return c.fails[what]
}

func (c *cluster) Find(context.Context) (Found, error)     { return c.found, c.fails["find"] }
func (c *cluster) Drifted(context.Context) (string, error) { return c.drift, c.fails["drifted"] }
func (c *cluster) Up(context.Context) (bool, string, error) {
	return c.down == "", c.down, c.fails["up"]
}
func (c *cluster) Rollback(context.Context, int) error         { return c.do("rollback") }
func (c *cluster) Release(context.Context) error               { return c.do("release") }
func (c *cluster) Drain(context.Context) error                 { return c.do("drain") }
func (c *cluster) Uninstall(context.Context) error             { return c.do("uninstall") }
func (c *cluster) MakeNamespace(context.Context) error         { return c.do("make namespace") }
func (c *cluster) Install(context.Context, Wish, string) error { return c.do("install") }
func (c *cluster) Upgrade(context.Context, Wish, string) error { return c.do("upgrade") }
func (c *cluster) Drained(context.Context) (bool, string, error) {
	return c.undrained == "", c.undrained, c.fails["drained"]
}

func (c *cluster) Namespace(context.Context) (bool, string, error) {
	return c.namespace, c.terminates, c.fails["namespace"]
}

func (c *cluster) RemoveNamespace(context.Context) (string, error) {
	return c.stays, c.do("remove namespace")
}

func (c *cluster) Copy(_ context.Context, s []v1alpha1.SecretCopy) (Reason, string, error) {
	return c.reason, string(c.reason), c.do(strings.TrimSpace("copy " + names(s)))
}

func (c *cluster) Forget(_ context.Context, s []v1alpha1.SecretCopy) error {
	return c.do(strings.TrimSpace("forget all but " + names(s)))
}

func names(secrets []v1alpha1.SecretCopy) string {
	var out []string
	for _, s := range secrets {
		out = append(out, s.Target)
	}
	return strings.Join(out, " ")
}

func engine(t *testing.T) *Engine {
	t.Helper()
	chart, err := OpenChart(charts.Webhook, "webhook")
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Chart: chart})
}

func TestStep(t *testing.T) {
	e := engine(t)
	wish := Wish{Namespace: "dns", Release: "edge", Values: map[string]any{}, Secrets: []v1alpha1.SecretCopy{{Source: "a", Target: "b"}}, DrainTimeout: time.Minute}
	gone := Wish{Namespace: "dns", Release: "edge", DrainTimeout: time.Minute}
	digest := e.Digest(wish)
	stands := Found{Status: Stands, Ours: true, Digest: digest}
	lost := errors.New("connection refused")
	for name, c := range map[string]struct {
		cluster cluster
		wish    Wish
		want    State
		reason  Reason
		log     []string
		says    string
		err     error
	}{
		"no namespace":             {cluster{}, wish, Installing, "", []string{"make namespace"}, "was made", nil},
		"no namespace to go":       {cluster{}, gone, Gone, "", nil, "no namespace", nil},
		"namespace on its way":     {cluster{terminates: "it is being deleted"}, wish, Installing, "", nil, "being deleted", nil},
		"namespace on its way out": {cluster{terminates: "it is being deleted"}, gone, Removing, "", nil, "being deleted", nil},
		"install":                  {cluster{namespace: true}, wish, Installing, "", []string{"copy b", "install"}, "no release yet", nil},
		"Secret refused":           {cluster{namespace: true, reason: SecretTaken}, wish, Failed, SecretTaken, []string{"copy b"}, "", nil},
		"well":                     {cluster{namespace: true, found: stands}, wish, Installed, "", []string{"copy b", "forget all but b"}, "as is wished", nil},
		"drifted":                  {cluster{namespace: true, found: stands, drift: "Service x is gone"}, wish, Installing, "", []string{"copy b", "upgrade"}, "changed or deleted", nil},
		"comes up":                 {cluster{namespace: true, found: stands, down: "pulling"}, wish, Installing, "", []string{"copy b"}, "pulling", nil},
		"does not come up":         {cluster{namespace: true, found: Found{Status: Stands, Ours: true, Digest: digest, Age: time.Hour}, down: "ErrImagePull"}, wish, Failed, Unhealthy, []string{"copy b"}, "ErrImagePull", nil},
		"somebody else's":          {cluster{namespace: true, found: Found{Status: Stands}}, wish, Failed, ForeignRelease, []string{"copy b"}, "did not make", nil},
		"somebody at work":         {cluster{namespace: true, found: Found{Status: Pending, Ours: true}}, wish, Failed, Busy, []string{"copy b"}, "is not ended", nil},
		"hangs":                    {cluster{namespace: true, found: Found{Status: Pending, Ours: true, Age: time.Hour, Good: 2}}, wish, Installing, "", []string{"copy b", "rollback"}, "back to revision 2", nil},
		"to go":                    {cluster{namespace: true, found: stands}, gone, Draining, "", []string{"drain"}, "withdrawn first", nil},
		"drains":                   {cluster{namespace: true, found: Found{Status: Stands, Ours: true, Drains: true}, undrained: "records left"}, gone, Draining, "", nil, "records left", nil},
		"cannot be asked":          {cluster{namespace: true, found: Found{Status: Stands, Ours: true, Drains: true}, fails: map[string]error{"drained": lost}}, gone, Draining, "", nil, "connection refused", nil},
		"drained":                  {cluster{namespace: true, found: Found{Status: Stands, Ours: true, Drains: true}}, gone, Removing, "", []string{"uninstall", "forget all but", "remove namespace"}, "withdrawn all", nil},
		"drained, others there":    {cluster{namespace: true, stays: "Pod x is in it", found: Found{Status: Stands, Ours: true, Drains: true}}, gone, Gone, "", []string{"uninstall", "forget all but", "remove namespace"}, "the namespace stays: Pod x is in it", nil},
		"gone but the namespace":   {cluster{namespace: true}, gone, Removing, "", []string{"forget all but", "remove namespace"}, "", nil},
		"refused by the server":    {cluster{namespace: true, fails: map[string]error{"install": errors.New("forbidden: attempting to grant")}}, wish, Failed, HelmFailed, []string{"copy b", "install"}, "attempting to grant", nil},
		"too slow":                 {cluster{namespace: true, fails: map[string]error{"install": context.DeadlineExceeded}}, wish, "", "", []string{"copy b", "install"}, "", context.DeadlineExceeded},
		"not reached":              {cluster{fails: map[string]error{"namespace": lost}}, wish, "", "", nil, "", lost},
		"not read":                 {cluster{namespace: true, fails: map[string]error{"find": lost}}, wish, "", "", []string{"copy b"}, "", lost},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := e.step(t.Context(), &c.cluster, &c.cluster, c.wish)
			if !errors.Is(err, c.err) || r.State != c.want || r.Reason != c.reason || !strings.Contains(r.Message, c.says) {
				t.Errorf("%+v, %v: want %s %s, %q", r, err, c.want, c.reason, c.says)
			}
			if diff := cmp.Diff(c.log, c.cluster.log); diff != "" {
				t.Errorf("-want +did\n%s", diff)
			}
			if waits := r.State == Installing || r.State == Draining || r.State == Removing; waits != (r.Again > 0) && r.Reason == "" {
				t.Errorf("%s: again in %s", r.State, r.Again)
			}
		})
	}
}

// Records that may be left are told of, those that were withdrawn are not.
func TestStepTellsOfRecordsLeft(t *testing.T) {
	e := engine(t)
	gone := Wish{Namespace: "dns", Release: "edge", DrainTimeout: time.Minute}
	for name, c := range map[string]struct {
		found     Found
		undrained string
		left      bool
	}{
		"withdrawn": {Found{Status: Stands, Ours: true, Drains: true}, "", false},
		"too slow":  {Found{Status: Stands, Ours: true, Drains: true, DrainingFor: time.Hour}, "records left", true},
		"kept":      {Found{Status: Stands, Ours: true, Keeps: true}, "", true},
	} {
		r, err := e.step(t.Context(), &cluster{namespace: true, found: c.found, undrained: c.undrained}, &cluster{namespace: true}, gone)
		if err != nil || r.Did != Uninstall || r.Left != c.left {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestOutlook(t *testing.T) {
	w := Wish{Namespace: "dns", Release: "edge", Values: map[string]any{"a": map[string]any{"b": "new", "c": int64(1)}, "d": []any{"x"}}, Secrets: []v1alpha1.SecretCopy{{Source: "s", Target: "t"}}}
	old := map[string]any{"a": map[string]any{"b": "old-and-secret", "c": 1.0}, "e": true}
	want := "= Secret s as dns/t\nupgrade release dns/edge: because\n~ a.b: \"new\"\n+ d: [\"x\"]\n- e\n"
	if got := outlook(w, true, Upgrade, "because", old); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	want = "+ namespace dns\n= Secret s as dns/t\ninstall release dns/edge: because\n+ a.b: \"new\"\n+ a.c: 1\n+ d: [\"x\"]\n"
	if got := outlook(w, false, Install, "because", nil); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := outlook(Wish{Namespace: "dns", Release: "edge"}, true, Drain, "because", old); got != "drain and uninstall release dns/edge: because\n" {
		t.Error(got)
	}
}

func TestCount(t *testing.T) {
	text := "# HELP external_dns_controller_no_op_runs_total x\nexternal_dns_controller_no_op_runs_total 3\nexternal_dns_controller_no_op_runs_total_other 9\n"
	if got := count([]byte(text), idleRuns); got != 3 {
		t.Error(got)
	}
	for _, none := range []string{"", "external_dns_controller_no_op_runs_total", "external_dns_controller_no_op_runs_total x", "other 1"} {
		if got := count([]byte(none), idleRuns); got != 0 {
			t.Errorf("%q: %v", none, got)
		}
	}
}

func TestKeeps(t *testing.T) {
	for name, c := range map[string]struct {
		values map[string]any
		want   bool
	}{
		"by default":  {nil, false},
		"sync":        {map[string]any{"externalDNS": map[string]any{"policy": "sync", "registry": "dynamodb"}}, false},
		"upsert-only": {map[string]any{"externalDNS": map[string]any{"policy": "upsert-only"}}, true},
		"create-only": {map[string]any{"externalDNS": map[string]any{"policy": "create-only"}}, true},
		"no registry": {map[string]any{"externalDNS": map[string]any{"registry": "noop"}}, true},
	} {
		if got := keeps(c.values); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What is given to Helm is not what was given to us: it writes into values.
func TestCloneIsApart(t *testing.T) {
	values := map[string]any{"a": map[string]any{"b": "x"}}
	other := draining(values)
	other["a"].(map[string]any)["b"] = "y"
	if diff := cmp.Diff(map[string]any{"a": map[string]any{"b": "x"}}, values); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains([]any{other["drain"]}, any(true)) {
		t.Errorf("%v does not drain", other)
	}
}
