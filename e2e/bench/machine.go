package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

// describeMachine says on what, and with which versions, the numbers were measured.
func describeMachine(ctx context.Context) []string {
	return []string{
		fmt.Sprintf("machine: %s, %d cores, %s", cpuModel(), runtime.NumCPU(), kernel()),
		"load average at the end, over 1, 5 and 15 minutes: " + loadAverage() + " (on a busy machine the times are longer and the ratios less sure)",
		fmt.Sprintf("disk: %s for write and fsync of 4 KiB (median of 50)", short(fsyncTime())),
		strings.Join([]string{
			runtime.Version(), moduleVersion("sigs.k8s.io/external-dns"), firstLine(ctx, "named", "-v"), firstLine(ctx, "etcd", "--version"),
			firstLine(ctx, "coredns", "-version"), toolVersion("kube-apiserver", "k8s.io/kubernetes"),
		}, "; "),
	}
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(release))
}

func loadAverage() string {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(load))[:3], ", ")
}

func moduleVersion(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == path {
			return filepath.Base(path) + " " + m.Version
		}
	}
	return path
}

// toolVersion is the version of the module a tool was built from.
func toolVersion(tool, module string) string {
	path, err := stack.Tool(tool)
	if err != nil {
		return tool + " missing"
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return tool
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return tool + " " + m.Version
		}
	}
	return tool
}

// firstLine is what a program says about its version.
func firstLine(ctx context.Context, program, flag string) string {
	path, err := stack.Tool(program)
	if err != nil {
		if path, err = stack.System(program, program); err != nil {
			return program + " missing"
		}
	}
	out, _ := exec.CommandContext(ctx, path, flag).CombinedOutput()
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return strings.TrimSuffix(string(line), " <id:>")
}

// fsyncTime is what one durable write costs in the temporary directory.
func fsyncTime() time.Duration {
	f, err := os.CreateTemp("", "spokedns-fsync-")
	if err != nil {
		return 0
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	block := make([]byte, 4096)
	var all samples
	for range 50 {
		took, err := clock(func() error {
			if _, err := f.Write(block); err != nil {
				return err
			}
			return syscall.Fdatasync(int(f.Fd()))
		})
		if err != nil {
			return 0
		}
		all = append(all, took)
	}
	return all.median()
}
