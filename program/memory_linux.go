package program

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// span is a range of addresses.
type span struct{ from, size uintptr }

// unmapProgram gives back what starting touched of the program file and running does not: the initialisation of all
// that is linked in, 30 MB of it with the SDKs of clouds. The pages are read-only and as they are in the file, so what is needed again is
// mapped again; meanwhile they are the page cache's, which the kernel can use otherwise. That it cannot be done is no
// reason not to run.
func unmapProgram() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer smaps.Close()
	for _, s := range cleanSpans(smaps, program) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, s.from, s.size, syscall.MADV_DONTNEED)
	}
}

// cleanSpans reads proc_pid_smaps(5) and returns where the file is mapped without a right to write and without a page
// of its own. Pages that are not those of the file, such as relocated ones, would be lost.
func cleanSpans(smaps io.Reader, file string) (spans []span) {
	var at span
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if len(words) < 5 { // "Anonymous:  0 kB"
			if words[0] == "Anonymous:" && at.size > 0 {
				if words[1] == "0" {
					spans = append(spans, at)
				}
				at = span{}
			}
			continue
		}
		at = span{}
		var from, to uintptr
		_, err := fmt.Sscanf(words[0], "%x-%x", &from, &to)
		if err == nil && to > from && len(words) == 6 && words[5] == file && !strings.Contains(words[1], "w") {
			at = span{from, to - from}
		}
	}
	return spans
}
