//go:build race

package seal

// racing: under the race detector a sync.Pool forgets on purpose, so that allocations say nothing.
const racing = true
