package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit is what a node keeps below by collecting garbage more often, once it nears it: its
// caches, filters and queues have bounds of their own and are less together.
const memoryLimit = 312<<20 + headroom

// headroom counts as heap that is in use and is never touched, so that it takes no memory: without it a
// small heap, which is what reads and erasures leave, is collected dozens of times a second.
const headroom = 48 << 20

var untouched []byte

// boundMemory sets both, unless the operator gave a limit as GOMEMLIMIT.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		untouched = make([]byte, headroom)
		debug.SetMemoryLimit(memoryLimit)
	}
}
