package main

import (
	"cmp"
	"runtime/debug"
)

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version string

// buildVersion is the release, else what the Go tool knows of the source.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
