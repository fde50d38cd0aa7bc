package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Source is what an image is made of, as it says of itself.
type Source struct {
	Release  string    // the charts' appVersion, "0.1.0"
	Revision string    // the commit, "-dirty" behind it when the checkout is not what was committed
	Time     time.Time // of the commit
}

// Version is what the program prints and the second tag: the release and the first twelve digits of the revision.
func (s Source) Version() string {
	commit, dirty, _ := strings.Cut(s.Revision, "-")
	version := s.Release + "-" + commit[:min(12, len(commit))]
	if dirty != "" {
		version += "-" + dirty
	}
	return version
}

func (s Source) created() string { return s.Time.UTC().Format(time.RFC3339) }

// check refuses what could be no tag.
func (s Source) check() error {
	if !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`).MatchString(s.Version()) {
		return fmt.Errorf("version %q: want letters, digits, dots, hyphens and underscores, as the tag of an image is made of", s.Version())
	}
	return nil
}

// SourceOf reads what a checkout is. Where there is no git, the environment says it: REVISION, and SOURCE_DATE_EPOCH
// (reproducible-builds.org) in seconds. Both win over git.
func SourceOf(ctx context.Context, root string, env func(string) string) (Source, error) {
	release, err := appVersion(filepath.Join(root, "charts", "spokedns", "Chart.yaml"))
	if err != nil {
		return Source{}, err
	}
	s := Source{Release: release, Revision: env("REVISION")}
	if s.Revision == "" {
		if s.Revision, err = git(ctx, root, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"); err != nil {
			return s, fmt.Errorf("revision: %w; outside of a git checkout give REVISION", err)
		}
	}
	seconds := env("SOURCE_DATE_EPOCH")
	if seconds == "" {
		if seconds, err = git(ctx, root, "show", "--no-patch", "--format=%ct", "HEAD"); err != nil {
			return s, fmt.Errorf("time of the commit: %w; outside of a git checkout give SOURCE_DATE_EPOCH", err)
		}
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || unix < 0 {
		return s, fmt.Errorf("SOURCE_DATE_EPOCH: %q: want seconds since 1970", seconds)
	}
	s.Time = time.Unix(unix, 0).UTC()
	return s, nil
}

func appVersion(chart string) (string, error) {
	text, err := os.ReadFile(chart)
	if err != nil {
		return "", err
	}
	var c struct{ AppVersion string }
	if err := yaml.Unmarshal(text, &c); err != nil {
		return "", fmt.Errorf("%s: %w", chart, err)
	}
	if c.AppVersion == "" {
		return "", fmt.Errorf("%s: appVersion is not given", chart)
	}
	return c.AppVersion, nil
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
