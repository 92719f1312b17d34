package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestTheOperatorsMemoryLimitHolds(t *testing.T) {
	was := debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	for given, want := range map[string]int64{"": memoryLimit, "1GiB": math.MaxInt64} { // Go's runtime reads what is given
		debug.SetMemoryLimit(math.MaxInt64)
		t.Setenv("GOMEMLIMIT", given)
		boundMemory()
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("GOMEMLIMIT=%q: a limit of %d, want %d", given, got, want)
		}
	}
}
