package program

import "testing"

func TestMemoryLimitLeavesRoom(t *testing.T) {
	for live, want := range map[uint64]int64{0: 280 << 20, 100 << 20: 280 << 20, 300 << 20: 400 << 20, 3 << 30: 4 << 30} {
		if got := memoryLimit(280<<20, live); got != want {
			t.Errorf("with %d MiB in use the limit is %d MiB, want %d", live>>20, got>>20, want>>20)
		}
	}
}
