package config_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/config"
)

// following is a Reloader at work on a file in a directory of its own. It refuses what contains "wrong".
type following struct {
	path    string
	applied chan string // contents put into use, "!" before those that were forced
	failed  chan error
	hangup  chan os.Signal
	reg     *prometheus.Registry
	log     *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// follow starts a Reloader on path, which exists and holds what is in use.
func follow(t *testing.T, path string) *following {
	t.Helper()
	f := &following{
		path: path, applied: make(chan string, 10), failed: make(chan error, 10),
		hangup: make(chan os.Signal, 1), reg: prometheus.NewRegistry(), log: &safeBuffer{},
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &config.Reloader{
		Path: path, Applied: content,
		Apply: func(_ context.Context, content []byte, forced bool) error {
			if strings.Contains(string(content), "wrong") {
				return errors.New("this is wrong")
			}
			if name, ok := strings.CutPrefix(string(content), "needs "); ok {
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err != nil {
					return err
				}
			}
			if forced {
				f.applied <- "!" + string(content)
			} else {
				f.applied <- string(content)
			}
			return nil
		},
		Failed: func(_ context.Context, err error) { f.failed <- err },
		Retry:  20 * time.Millisecond,
		Log:    slog.New(slog.NewTextHandler(f.log, nil)),
	}
	r.Register(f.reg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx, f.hangup) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

// await returns what arrives on c.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// write puts a new content in the file's place in one step, so that nobody reads half of it.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// expectMetrics waits until the reload metrics are as given.
func (f *following) expectMetrics(t *testing.T, success, failure, last float64) {
	t.Helper()
	want := map[string]float64{
		"spokedns_config_reload_total success": success,
		"spokedns_config_reload_total failure": failure,
		"spokedns_config_last_reload_success":  last,
	}
	var diff string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if diff = cmp.Diff(want, f.metrics(t)); diff == "" {
			return
		}
	}
	t.Errorf("metrics (-want +got):\n%s", diff)
}

// metrics reads all metrics but the time of the last success.
func (f *following) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := f.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if got["spokedns_config_last_reload_success_timestamp_seconds"] == 0 {
		t.Error("no time of the last success")
	}
	delete(got, "spokedns_config_last_reload_success_timestamp_seconds")
	return got
}

func TestReloadFollowsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, "one")
	f := follow(t, path)
	write(t, path, "two")
	if got := await(t, f.applied); got != "two" {
		t.Errorf("applied %q, want two", got)
	}
	f.expectMetrics(t, 1, 0, 1)
}

// TestReloadFollowsAConfigMap does what a kubelet does: the file is a link through "..data", and an
// update renames a new "..data" over the old one.
func TestReloadFollowsAConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(name, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "config.yaml"), content)
		if err := os.Symlink(name, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..2026_1", "one")
	path := filepath.Join(dir, "config.yaml")
	if err := os.Symlink("..data/config.yaml", path); err != nil {
		t.Fatal(err)
	}
	f := follow(t, path)
	for i, content := range []string{"two", "three"} {
		version("..2026_"+string(rune('2'+i)), content)
		if got := await(t, f.applied); got != content {
			t.Errorf("applied %q, want %q", got, content)
		}
	}
}

func TestReloadRefusesAndHeals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, "one")
	f := follow(t, path)
	write(t, path, "wrong")
	if err := await(t, f.failed); err.Error() != "this is wrong" {
		t.Errorf("reported %v", err)
	}
	f.expectMetrics(t, 0, 1, 0)
	if log := f.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "this is wrong") {
		t.Errorf("log lacks the error:\n%s", log)
	}
	write(t, path, "one")
	f.expectMetrics(t, 0, 1, 1)
	if len(f.applied) > 0 {
		t.Errorf("applied %q, which was in use", <-f.applied)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := await(t, f.failed); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reported %v, want that the file is gone", err)
	}
	f.expectMetrics(t, 0, 2, 0)
}

// A file that the configuration names may come later, as a mounted Secret does.
func TestReloadTriesAgainWhatItRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, "first")
	f := follow(t, path)
	write(t, path, "needs secret")
	if err := await(t, f.failed); !strings.Contains(err.Error(), "secret") {
		t.Errorf("refused because of %v", err)
	}
	time.Sleep(100 * time.Millisecond) // some attempts, which are not told again
	write(t, filepath.Join(filepath.Dir(path), "secret"), "x")
	if got := await(t, f.applied); got != "needs secret" {
		t.Errorf("applied %q", got)
	}
	if n := strings.Count(f.log.String(), "refused"); n != 1 {
		t.Errorf("told %d times, want once:\n%s", n, f.log)
	}
	if len(f.failed) != 0 {
		t.Error("the same refusal is told again")
	}
}

func TestReloadOnHangupIsForced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, "one")
	f := follow(t, path)
	f.hangup <- syscall.SIGHUP
	if got := await(t, f.applied); got != "!one" {
		t.Errorf("applied %q, want the content in use, forced", got)
	}
	f.expectMetrics(t, 1, 0, 1)
}

func TestReloadIgnoresNeighbours(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	write(t, path, "one")
	f := follow(t, path)
	write(t, path, "wrong")
	_ = await(t, f.failed)
	write(t, filepath.Join(dir, "neighbour"), "x")
	write(t, path, "two") // what comes next is this, not a second refusal
	if got := await(t, f.applied); got != "two" {
		t.Errorf("applied %q, want two", got)
	}
	f.expectMetrics(t, 1, 1, 1)
}

func TestReloadInADirectoryThatIsNeverQuiet(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	write(t, path, "one")
	f := follow(t, path)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			_ = os.WriteFile(filepath.Join(dir, "program.log"), []byte("x"), 0o600)
			time.Sleep(settleFraction)
		}
	}()
	write(t, path, "two")
	if got := await(t, f.applied); got != "two" {
		t.Errorf("applied %q, want two", got)
	}
	stop()
	<-stopped
}

// settleFraction is well below the quiet that the Reloader waits for.
const settleFraction = 10 * time.Millisecond

func TestReloadNamesTheDirectoryItCannotFollow(t *testing.T) {
	r := &config.Reloader{Path: filepath.Join(t.TempDir(), "none", "config.yaml"), Log: slog.New(slog.DiscardHandler)}
	err := r.Run(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), r.Path) {
		t.Errorf("got %v, want an error naming %s", err, r.Path)
	}
}
