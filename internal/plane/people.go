package plane

import (
	"sync"
	"sync/atomic"

	"domicile.dev/internal/seal"
	"domicile.dev/internal/subject"
)

// person is somebody whom this node has met lately: their head subject and key. gone is set when
// an erasure or a merge was committed, here or on another node, before the next group begins.
type person struct {
	subject.Key
	key     *seal.Key
	trusted bool // a server source has spoken of them
	gone    atomic.Bool
	said    [4]atomic.Uint64 // digests of speeches that are known to be kept, the last of each slot; 0 is none
	place   [2]atomic.Uint64 // the last declared residences that were looked at, see knownPlace; of those who may not and may say
}

// heard says whether the person is known to have said that.
func (p *person) heard(digest uint64) bool { return p.said[digest>>1&3].Load() == digest }

// heard notes that the person of k, if they are known here, has said that.
func (c *people) heard(k subject.Key, digest uint64) {
	s := &c.subjects[k.Subject[0]&15]
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.m[k]; p != nil {
		p.said[digest>>1&3].Store(digest)
	}
}

// people caches whom an identifier names. It saves look-ups, never decides: every commit group
// checks in its own transaction who is gone since.
type people struct {
	most     int           // entries a shard
	forgets  atomic.Uint64 // changes only under the lock of the subject's shard
	idents   [16]identShard
	subjects [16]subjectShard
}

type identShard struct {
	mu sync.RWMutex
	m  map[subject.BindingKey]*person // guarded by mu
}

type subjectShard struct {
	mu sync.RWMutex
	m  map[subject.Key]*person // guarded by mu; one person a subject
}

func newPeople(most int) *people {
	c := &people{most: max(most/16, 1)}
	for i := range c.idents {
		c.idents[i].m = map[subject.BindingKey]*person{}
		c.subjects[i].m = map[subject.Key]*person{}
	}
	return c
}

// get returns whom k names, nil when it isn't known here.
func (c *people) get(k subject.BindingKey) *person {
	s := &c.idents[k.Digest[0]&15]
	s.mu.RLock()
	p := s.m[k]
	s.mu.RUnlock()
	if p == nil || p.gone.Load() {
		return nil
	}
	return p
}

// put notes that the identifiers name the person, as a transaction saw it that began when forgets
// was seen; it does nothing when somebody was forgotten since. It returns the person, nil then.
// When a shard is full, some entries make room, whichever the map yields.
func (c *people) put(seen uint64, k subject.Key, key *seal.Key, trusted bool, idents ...subject.BindingKey) *person {
	s := &c.subjects[k.Subject[0]&15]
	s.mu.Lock()
	if c.forgets.Load() != seen {
		s.mu.Unlock()
		return nil
	}
	p := s.m[k]
	if p == nil || p.gone.Load() || p.trusted != trusted {
		if p != nil {
			p.gone.Store(true)
		}
		p = &person{Key: k, key: key, trusted: trusted}
		makeRoom(s.m, c.most, true)
		s.m[k] = p
	}
	s.mu.Unlock()
	for _, ident := range idents {
		s := &c.idents[ident.Digest[0]&15]
		s.mu.Lock()
		makeRoom(s.m, c.most, false)
		s.m[ident] = p
		s.mu.Unlock()
	}
	return p
}

// makeRoom drops a sixteenth of a full map; whole says that its entries are all that keeps a person findable.
func makeRoom[K comparable](m map[K]*person, most int, whole bool) {
	if len(m) < most {
		return
	}
	drop := max(most/16, 1)
	for k, p := range m {
		if whole {
			p.gone.Store(true)
		}
		delete(m, k)
		if drop--; drop <= 0 {
			return
		}
	}
}

// forget marks the person as gone: no cached identifier names them any more. That holds because who
// makes room in subjects is marked as gone, too.
func (c *people) forget(k subject.Key) {
	s := &c.subjects[k.Subject[0]&15]
	s.mu.Lock()
	c.forgets.Add(1)
	if p := s.m[k]; p != nil {
		p.gone.Store(true)
		delete(s.m, k)
	}
	s.mu.Unlock()
}

// clear forgets everybody.
func (c *people) clear() {
	c.forgets.Add(1)
	for i := range c.idents {
		s := &c.idents[i]
		s.mu.Lock()
		for _, p := range s.m {
			p.gone.Store(true)
		}
		clear(s.m)
		s.mu.Unlock()
	}
	for i := range c.subjects {
		s := &c.subjects[i]
		s.mu.Lock()
		for _, p := range s.m {
			p.gone.Store(true)
		}
		clear(s.m)
		s.mu.Unlock()
	}
}
