package record

import "sync"

// cache keeps raw rows and index blocks, bounded in bytes. What it holds never changes; it evicts
// what was not asked for since the hand of its clock last came by.
type cache struct{ shards [cacheShards]cacheShard }

const (
	cacheShards   = 16
	cacheOverhead = 112 // bytes of an entry beside its value, about
)

// cacheKey is a row or a block. Rows change when they are compacted or dropped; the number of the
// manifest that last did so is part of their key.
type cacheKey struct{ tag, a, b uint64 }

const blockTag = ^uint64(0)

func rowKey(rewritten uint64, tenant uint32, pos uint64) cacheKey {
	return cacheKey{rewritten, uint64(tenant), pos}
}

func blockKey(run int64, n int) cacheKey { return cacheKey{blockTag, uint64(run), uint64(n)} }

type cacheShard struct {
	mu    sync.Mutex
	at    map[cacheKey]int32 // guarded by mu, as is all below; index into slots
	slots []cacheSlot
	free  []int32
	hand  int
	bytes int64
	most  int64
	asked [64]cacheKey // some of what was looked for and not kept
}

type cacheSlot struct {
	key  cacheKey
	body []byte // nil when the slot is free
	used bool
}

func newCache(bytes int64) *cache {
	c := &cache{}
	for i := range c.shards {
		c.shards[i].at = make(map[cacheKey]int32)
		c.shards[i].most = max(0, bytes/cacheShards)
	}
	return c
}

func (c *cache) shard(k cacheKey) *cacheShard {
	return &c.shards[mix(k.a*0x9e3779b97f4a7c15^k.b^k.tag<<40)%cacheShards]
}

// get returns nil for what it does not hold.
func (c *cache) get(k cacheKey) []byte {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.at[k]
	if !ok {
		return nil
	}
	s.slots[i].used = true
	return s.slots[i].body
}

// wants says whether a row is worth keeping: it was looked for before, not long ago.
func (c *cache) wants(k cacheKey) bool {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.asked[mix(k.b*0x9e3779b97f4a7c15^k.a)>>8%uint64(len(s.asked))]
	if *slot == k {
		return true
	}
	*slot = k
	return false
}

func (c *cache) put(k cacheKey, body []byte) {
	s := c.shard(k)
	size := int64(len(body)) + cacheOverhead
	if size > s.most/4 || body == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, have := s.at[k]; have {
		return
	}
	for s.bytes+size > s.most {
		s.evict()
	}
	var i int32
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i = int32(len(s.slots))
		s.slots = append(s.slots, cacheSlot{})
	}
	s.slots[i] = cacheSlot{key: k, body: body}
	s.at[k] = i
	s.bytes += size
}

func (s *cacheShard) evict() {
	for {
		i := s.hand
		s.hand = (s.hand + 1) % len(s.slots)
		slot := &s.slots[i]
		if slot.body == nil {
			continue
		}
		if slot.used {
			slot.used = false
			continue
		}
		s.remove(int32(i))
		return
	}
}

func (s *cacheShard) remove(i int32) {
	slot := &s.slots[i]
	s.bytes -= int64(len(slot.body)) + cacheOverhead
	delete(s.at, slot.key)
	*slot = cacheSlot{}
	s.free = append(s.free, i)
}
