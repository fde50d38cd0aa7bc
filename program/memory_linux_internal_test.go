package program

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanSpans(t *testing.T) {
	const smaps = `00400000-01ebf000 r-xp 00000000 fe:00 12157463                           /usr/bin/webhook
Rss:               16880 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
01ebf000-03a48000 r--p 01abf000 fe:00 12157463                           /usr/bin/webhook
Anonymous:             0 kB
03a48000-03b02000 rw-p 03648000 fe:00 12157463                           /usr/bin/webhook
Anonymous:           588 kB
03b02000-03b03000 r--p 03648000 fe:00 12157463                           /usr/bin/webhook
Anonymous:             4 kB
03b03000-03b43000 rw-p 00000000 00:00 0
Anonymous:            40 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 99                         /lib/libc.so.6
Anonymous:             0 kB
7f0000001000-7f0000002000 r-xp 00000000 fe:00 12157463                   /usr/bin/webhook (deleted)
Anonymous:             0 kB
nonsense
7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]
`
	want := []span{{0x400000, 0x1abf000}, {0x1ebf000, 0x1b89000}}
	if diff := cmp.Diff(want, cleanSpans(strings.NewReader(smaps), "/usr/bin/webhook"), cmp.AllowUnexported(span{})); diff != "" {
		t.Error(diff)
	}
}

// The test's own program runs on without the pages it gave back, and has some to give.
func TestUnmapProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer smaps.Close()
	if len(cleanSpans(smaps, program)) == 0 {
		t.Error("no part of the program can be given back")
	}
	unmapProgram()
	if got := strings.ToUpper(Version("v1 of it")); got != "V1 OF IT" {
		t.Errorf("afterwards it computes %q", got)
	}
}
