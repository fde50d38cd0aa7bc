package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is the CPU time a process has used.
type usage struct {
	pid int
	at  time.Time
	cpu time.Duration
}

func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// The second field is the command in parentheses and may hold spaces; user and system time are the
	// 14th and 15th, in clock ticks of 10 ms.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return usage{}, err
		}
		ticks += n
	}
	return usage{pid, time.Now(), time.Duration(ticks) * 10 * time.Millisecond}, nil
}

// share is how much of one core the process has used since: "12 %".
func (u usage) share() string {
	now, err := usageOf(u.pid)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f %%", 100*(now.cpu-u.cpu).Seconds()/now.at.Sub(u.at).Seconds())
}

// memory is what a process has resident, in MB.
type memory struct {
	now, peak float64
	file      float64 // of now: pages of the program's own file, which the kernel can drop
}

func memoryOf(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			m.now = kib * 1024 / 1e6
		case "VmHWM":
			m.peak = kib * 1024 / 1e6
		case "RssFile":
			m.file = kib * 1024 / 1e6
		}
	}
	return m, nil
}

func (m memory) String() string {
	return fmt.Sprintf("%.0f MB (%.0f of them program file)", m.now, m.file)
}
