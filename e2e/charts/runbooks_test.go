package charts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/e2e/charts/chartdoc"
	"github.com/spokedns/spokedns/e2e/stack"
)

// runbooks are the pages of docs/runbooks, by alert; the list of them is "README".
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(stack.Root(), "docs", "runbooks", "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, path := range paths {
		out[strings.TrimSuffix(filepath.Base(path), ".md")] = text(t, path)
	}
	return out
}

// every is all that a pattern finds, its first group.
func every(pattern, text string) (out []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestEveryAlertHasItsRunbook(t *testing.T) {
	want := []string{"README"}
	for _, chart := range alertCharts() {
		for _, a := range alerts(t, chart) {
			want = append(want, a.Alert)
		}
		for _, a := range rules(render(t, chartDir(t, chart), "testdata/"+chart+"/least.yaml", "--set", "prometheusRule.enabled=true")) {
			if page := "https://github.com/spokedns/spokedns/blob/main/docs/runbooks/" + a.Alert + ".md"; a.Annotations["runbook_url"] != page {
				t.Errorf("%s: by default its runbook is %q, want %s", a.Alert, a.Annotations["runbook_url"], page)
			}
		}
	}
	pages, metrics := runbooks(t), text(t, stack.Root(), "docs", "metrics.md")
	var got []string
	for name, page := range pages {
		got = append(got, name)
		if name == "README" {
			continue
		}
		wanted := []string{"Meaning", "What users notice", "First look", "Causes and remedies", "Silence", "See also"}
		if diff := cmp.Diff(wanted, every(`(?m)^## (.+)$`, page)); diff != "" || !strings.HasPrefix(page, "# "+name+"\n") {
			t.Errorf("%s: headings: %s", name, diff)
		}
		_, look, _ := strings.Cut(page, "## First look")
		look, causes, _ := strings.Cut(look, "## Causes and remedies")
		for i, block := range strings.Split(look, "\n    $ ")[1:] {
			command, output, _ := strings.Cut(block, "\n")
			if !strings.HasPrefix(output, "    ") {
				t.Errorf("%s: command %d, %s, has no output to expect", name, i+1, command)
			}
		}
		if n := strings.Count(look, "\n    $ "); n < 3 {
			t.Errorf("%s: %d commands, want three", name, n)
		}
		if n := strings.Count(causes, "\n| ") - 1; n < 2 {
			t.Errorf("%s: %d causes", name, n)
		}
		if !strings.Contains(pages["README"], "]("+name+".md)") || !strings.Contains(metrics, "](runbooks/"+name+".md)") {
			t.Errorf("the list of runbooks or docs/metrics.md does not have %s", name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts -, pages +:\n%s", diff)
	}
}

// What a page names is there: series, pages and their headings, other alerts, settings of charts and of the webhook.
func TestRunbooksNameWhatExists(t *testing.T) {
	known, settings := knownSeries(t), settings(t)
	heading := func(line string) string {
		return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(line), ""), " ", "-")
	}
	for name, page := range runbooks(t) {
		for _, series := range every(`\b((?:spokedns|etcd)_[a-z_]+[a-z])`, page) {
			if strings.HasSuffix(series, "spokedns_wan_ip") || strings.HasSuffix(series, "etcd_mvcc_db_total_size") || strings.HasSuffix(series, "certificate_expiry") {
				continue // the beginning of several, for grep
			}
			if _, err := known.labelsOf(series); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, link := range every(`\]\(([^)]+)\)`, page) {
			path, anchor, _ := strings.Cut(link, "#")
			path = filepath.Join(stack.Root(), "docs", "runbooks", path)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var anchors []string
			for _, h := range every(`(?m)^#+ (.+)$`, string(content)) {
				anchors = append(anchors, heading(h))
			}
			if anchor != "" && !slices.Contains(anchors, anchor) {
				t.Errorf("%s: %s has no #%s, only %q", name, path, anchor, anchors)
			}
		}
		for _, setting := range every("`([a-zA-Z\\[\\]]+(?:\\.[a-zA-Z<>\\[\\]]+)+)`", page) {
			if !settings[setting] && !strings.HasSuffix(setting, ".yaml") {
				t.Errorf("%s: there is no setting %s", name, setting)
			}
		}
	}
}

// settings are those of all charts, and those of the webhook's file, as docs/configuration.md has them. What ends in a
// group of them is one, too.
func settings(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	add := func(path string) {
		for path != "" {
			out[path] = true
			path, _, _ = strings.Cut(path+"\n", "\n")
			i := strings.LastIndexByte(path, '.')
			path = path[:max(i, 0)]
		}
	}
	for _, chart := range chartNames(t) {
		values, err := chartdoc.Parse([]byte(text(t, stack.Root(), "charts", chart, "values.yaml")))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range chartdoc.Leaves(values) {
			add(v.Path)
		}
	}
	for _, key := range every("(?m)^\\| `([^`]+)` \\|", text(t, stack.Root(), "docs", "configuration.md")) {
		add(key)
		add("config." + key)
	}
	return out
}

// The log lines that are looked for are written by the programs.
func TestRunbooksLookForWhatIsLogged(t *testing.T) {
	var code strings.Builder
	for _, program := range []string{"webhook", "ipcontroller", "corednsconfig", "zonecontroller", "program"} {
		err := filepath.WalkDir(filepath.Join(stack.Root(), program), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				code.WriteString(text(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	looked := 0
	for name, page := range runbooks(t) {
		for _, msg := range append(every(`level=[A-Z]+ msg="([^"]+)"`, page), every(`level=[A-Z]+ msg=([^" ]+)`, page)...) {
			looked++
			if !strings.Contains(code.String(), `"`+msg+`"`) {
				t.Errorf("%s: no program logs %q", name, msg)
			}
		}
	}
	if looked < 15 {
		t.Errorf("only %d lines", looked)
	}
}

// Every flag in a command is one of that program's.
func TestRunbooksUseFlagsThatExist(t *testing.T) {
	dir := t.TempDir()
	programs := map[string]string{}
	for _, tool := range []string{"kubectl", "helm"} {
		path, err := stack.Tool(tool)
		if err != nil {
			t.Fatal(err)
		}
		programs[tool] = path
	}
	for _, program := range []string{"webhook", "corednsconfig", "zonecontroller"} {
		programs[program] = filepath.Join(dir, program)
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", programs[program], "./"+program)
		cmd.Dir = stack.Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	help := map[string]string{}
	ask := func(program string, args ...string) string {
		key := program + " " + strings.Join(args, " ")
		if _, asked := help[key]; !asked {
			cmd := exec.CommandContext(t.Context(), programs[program], args...)
			cmd.Env = append(os.Environ(), "HOME="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %s", key, err, out)
			}
			help[key] = string(out)
		}
		return help[key]
	}
	checked := 0
	for name, page := range runbooks(t) {
		commands := append(every(`(?m)^    \$ (.+)$`, page), every("`((?:kubectl|helm|webhook|corednsconfig|zonecontroller) [^`]+)`", page)...)
		for _, line := range commands {
			for command := range strings.SplitSeq(line, " | ") {
				words := strings.Fields(command)
				if programs[words[0]] == "" {
					continue
				}
				var known string
				sub := words[1:]
				for len(sub) > 1 && (sub[0] == "-n" || strings.HasPrefix(sub[0], "--kubeconfig=")) {
					if sub[0] == "-n" {
						sub = sub[1:]
					}
					sub = sub[1:]
				}
				switch words[0] {
				case "kubectl":
					known = ask("kubectl", "options") + ask("kubectl", sub[0], "--help")
					if sub[0] == "rollout" || sub[0] == "auth" {
						known = ask("kubectl", "options") + ask("kubectl", sub[0], sub[1], "--help")
					}
				case "helm", "corednsconfig", "zonecontroller":
					known = ask(words[0], sub[0], "--help")
				default:
					known = ask(words[0], "--help")
				}
				for _, flag := range every(`(?:^|\s)(--[a-z][a-z-]+|-[a-zA-Z]\b)`, " "+strings.Join(words, " ")) {
					if strings.Contains(command, " -- ") && !strings.Contains(strings.Split(command, " -- ")[0], flag) {
						continue // of the program that runs inside
					}
					checked++
					if !regexp.MustCompile(`(?m)(^|[\s,\[])` + regexp.QuoteMeta(flag) + `\b`).MatchString(known) {
						t.Errorf("%s: %s has no flag %s: %s", name, words[0], flag, command)
					}
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d flags", checked)
	}
}
