package vault

import (
	"bytes"
	"encoding/binary"
	"sync"

	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
)

const shardCount = 32 // a power of two

// cache keeps ready keys by their wrapped bytes, the least recently used going first. A key is
// found only by exactly what it was unwrapped from: tenant, subject, epoch and bytes.
type cache struct{ shards [shardCount]shard }

// shard guards its part of the cache.
type shard struct {
	mu      sync.Mutex
	entries map[uint64]*entry
	ring    entry // ring.next is the most recently used, ring.prev the least
	most    int
}

type entry struct {
	next, prev *entry
	hash       uint64
	key        *seal.Key
	tenant     string
	subject    id.Subject
	epoch      uint32
	wrapped    [WrappedBytes]byte
}

func newCache(entries int) *cache {
	c := &cache{}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries = map[uint64]*entry{}
		s.most = max(1, entries/shardCount)
		s.ring.next, s.ring.prev = &s.ring, &s.ring
	}
	return c
}

// at returns where w belongs. Its first bytes are a random nonce: they are the hash.
func (c *cache) at(w Wrapped) (s *shard, hash uint64, ok bool) {
	if len(w.Bytes) != WrappedBytes {
		return nil, 0, false
	}
	hash = binary.LittleEndian.Uint64(w.Bytes)
	return &c.shards[hash%shardCount], hash, true
}

func (e *entry) is(tenant string, s id.Subject, w Wrapped) bool {
	return e.subject == s && e.epoch == w.Epoch && e.tenant == tenant && bytes.Equal(e.wrapped[:], w.Bytes)
}

func (c *cache) get(tenant string, subject id.Subject, w Wrapped) *seal.Key {
	s, hash, ok := c.at(w)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[hash]
	if e == nil || !e.is(tenant, subject, w) {
		return nil
	}
	s.unlink(e)
	s.first(e)
	return e.key
}

func (c *cache) put(tenant string, subject id.Subject, w Wrapped, k *seal.Key) {
	s, hash, ok := c.at(w)
	if !ok {
		return
	}
	e := &entry{hash: hash, key: k, tenant: tenant, subject: subject, epoch: w.Epoch, wrapped: [WrappedBytes]byte(w.Bytes)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[hash]; old != nil {
		s.unlink(old)
	} else if len(s.entries) >= s.most {
		last := s.ring.prev
		s.unlink(last)
		delete(s.entries, last.hash)
	}
	s.entries[hash] = e
	s.first(e)
}

func (c *cache) drop(w Wrapped) {
	s, hash, ok := c.at(w)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[hash]; e != nil {
		s.unlink(e)
		delete(s.entries, hash)
	}
}

// dropEpochs drops what was wrapped under the given epochs.
func (c *cache) dropEpochs(gone map[uint32]bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for hash, e := range s.entries {
			if gone[e.epoch] {
				s.unlink(e)
				delete(s.entries, hash)
			}
		}
		s.mu.Unlock()
	}
}

func (s *shard) unlink(e *entry) { e.prev.next, e.next.prev = e.next, e.prev }

func (s *shard) first(e *entry) {
	e.prev, e.next = &s.ring, s.ring.next
	e.prev.next, e.next.prev = e, e
}
