package centre

import (
	"hash/maphash"
	"sync"
	"time"
)

// Most subscriptions in a window: of one client, and of all on this node.
const (
	window     = 15 * time.Minute
	ofOne      = 10
	ofAll      = 1000
	mostCounts = 10_000
)

// limiter counts in windows. It keeps no address: clients are numbers, of a hash whose seed ends with the process.
type limiter struct {
	seed maphash.Seed
	now  func() time.Time

	mu    sync.Mutex // guards what follows
	began time.Time
	all   int
	by    map[uint64]int
}

func newLimiter() *limiter {
	return &limiter{seed: maphash.MakeSeed(), now: time.Now, by: map[uint64]int{}}
}

// allow counts one and says whether it may be. A client that isn't known counts among all.
func (l *limiter) allow(peer string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.began) >= window {
		l.began, l.all = now, 0
		clear(l.by)
	}
	if l.all >= ofAll {
		return false
	}
	if peer != "" {
		k := maphash.String(l.seed, peer)
		if l.by[k] >= ofOne {
			return false
		}
		if len(l.by) < mostCounts {
			l.by[k]++
		}
	}
	l.all++
	return true
}
