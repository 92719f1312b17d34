package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit is what a node keeps below by collecting garbage more often, once it nears it: its
// caches, filters and queues have bounds of their own and are less together.
const memoryLimit = 352 << 20

// boundMemory sets the limit, unless the operator gave another one as GOMEMLIMIT.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
