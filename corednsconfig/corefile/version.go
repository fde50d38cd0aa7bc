package corefile

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is a release of CoreDNS. The zero Version means unknown.
type Version struct{ Major, Minor, Patch int }

// ParseVersion reads the version from what an image tag or `coredns -version` says: "1.11.3", "v1.12.0",
// "v1.11.4-eksbuild.2", "CoreDNS-1.10.1".
func ParseVersion(s string) (Version, error) {
	m := regexp.MustCompile(`^(?:CoreDNS-|coredns-)?v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:[-+_. ].*)?$`).FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("CoreDNS version %q: want major.minor.patch, for example 1.12.1", s)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // at most four digits, as the pattern says
	}
	return Version{Major: n[0], Minor: n[1], Patch: n[2]}, nil
}

// Known reports whether v names a release.
func (v Version) Known() bool { return v != Version{} }

// AtLeast reports whether v is known and not older than w.
func (v Version) AtLeast(w Version) bool { return v.Known() && v.compare(w) >= 0 }

func (v Version) compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// String is "1.12.1", or "unknown".
func (v Version) String() string {
	if !v.Known() {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}
