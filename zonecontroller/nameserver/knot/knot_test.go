package knot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestItems(t *testing.T) {
	got := items("zone.domain = z1.test.\nzone[z1.test.].acl = a b\nzone[z1.test.].comment = \"spokedns:12\"\nnonsense\n")
	want := map[string][]string{"acl": {"a", "b"}, "comment": {"spokedns:12"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// tool is a program in the place of knotc: it writes down what it is asked for, and answers by the script.
func tool(t *testing.T, script string) (*Tool, func() string) {
	t.Helper()
	dir := t.TempDir()
	program, log := filepath.Join(dir, "knotc"), filepath.Join(dir, "log")
	text := "#!/bin/sh\nshift 2\necho \"$@\" >> " + log + "\ncase \"$1\" in\n" + script + "\nesac\n"
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return New(program, "/run/knot.sock"), func() string {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestTransactionsEnd(t *testing.T) {
	commands := [][]string{{"conf-set", "zone[a.test]"}, {"conf-set", "zone[a.test].file", "x; rm"}}
	for _, tt := range []struct{ name, script, log, fails string }{
		{"done", "conf-begin) echo OK;;", "conf-begin\nconf-set zone[a.test]\nconf-set zone[a.test].file x; rm\nconf-commit\n", ""},
		{"a command fails", `conf-set) echo "error: (invalid item)"; exit 1;;`, "conf-begin\nconf-set zone[a.test]\nconf-abort\n", "knotc: conf-set: (invalid item)"},
		{"the commit fails", `conf-commit) echo "error: (no)"; exit 1;;`, "conf-begin\nconf-set zone[a.test]\nconf-set zone[a.test].file x; rm\nconf-commit\nconf-abort\n", "knotc: conf-commit: (no)"},
		{"it cannot begin", `conf-begin) echo "error: (denied)"; exit 1;;`, "conf-begin\n", "knotc: conf-begin: (denied)"},
	} {
		k, log := tool(t, tt.script)
		err := k.Change(t.Context(), commands)
		if (err == nil) != (tt.fails == "") || err != nil && err.Error() != tt.fails {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.fails)
		}
		if diff := cmp.Diff(tt.log, log()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestTransactionsOfOthers waits for somebody's transaction, and ends one that is empty or about zones of ours.
func TestTransactionsOfOthers(t *testing.T) {
	for diff, aborted := range map[string]bool{"+zone[own.test.].file = own.db": false, "+acl.id = spokedns-1-key": true, "": true} {
		held := filepath.Join(t.TempDir(), "held")
		if err := os.WriteFile(held, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		k, log := tool(t, `conf-begin) if [ -e `+held+` ]; then echo "error: (too many transactions)"; exit 1; fi;;
conf-diff) echo "`+diff+`";;
conf-abort) rm `+held+`;;`)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := k.Change(ctx, nil); (err == nil) != aborted {
			t.Errorf("%q: %v; want it ended: %t", diff, err, aborted)
		}
		if got := strings.Contains(log(), "conf-abort"); got != aborted {
			t.Errorf("%q: aborted is %t, want %t", diff, got, aborted)
		}
	}
}

func TestFailuresHaveTypes(t *testing.T) {
	var unreachable *Unreachable
	if _, err := New("/nowhere/knotc", "/s").Run(t.Context(), "status"); !errors.As(err, &unreachable) {
		t.Errorf("no program: %v; want *Unreachable", err)
	}
	k, _ := tool(t, `status) echo "error: failed to connect to socket '/s' (not exists)" >&2; exit 1;;`)
	if _, err := k.Run(t.Context(), "status"); !errors.As(err, &unreachable) {
		t.Errorf("no socket: %v; want *Unreachable", err)
	}
	k, _ = tool(t, `conf-read) echo "error: (invalid identifier) zone[a]"; exit 1;;`)
	if section, err := k.Section(t.Context(), "zone[a]"); section != nil || err != nil {
		t.Errorf("no such zone: %v, %v; want nothing", section, err)
	}
	k, _ = tool(t, `conf-read) echo "acl.id = a-1"; echo "acl.id = b-1"; echo "acl[a-1].key = k";;`)
	if ids, err := k.Identifiers(t.Context(), "acl", "a-"); err != nil || len(ids) != 1 || ids[0] != "a-1" {
		t.Errorf("%q, %v; want a-1", ids, err)
	}
}
