package record

import (
	"context"

	"domicile.dev/internal/store"
)

// readAhead is how many blocks a merge reads of a run at a time, in a View of its own: a long one
// would keep SQLite from emptying its write-ahead log.
const readAhead = 48

// stream reads all entries of a run in order.
type stream struct {
	l     *Log
	ctx   context.Context
	r     *run
	block int // next to read
	ahead [][]byte
	br    blockReader
	g     group
	buf   []entry
	at    int
	cur   entry
}

// next moves to the next entry, which is then in cur.
func (s *stream) next() (bool, error) {
	for {
		if s.at < len(s.buf) {
			s.cur = s.buf[s.at]
			s.at++
			return true, nil
		}
		ok, err := s.br.next(&s.g)
		if err != nil {
			return false, err
		}
		if !ok {
			if more, err := s.open(); err != nil || !more {
				return false, err
			}
			continue
		}
		if s.r.Family == ByClient {
			s.cur = entry{key: s.g.key, pos: s.g.at.Pos, idx: s.g.at.Idx}
			return true, nil
		}
		s.at = 0
		if s.buf, err = s.g.locations(s.r.FirstPos, s.buf[:0]); err != nil {
			return false, err
		}
	}
}

// open goes to the next block.
func (s *stream) open() (bool, error) {
	if len(s.ahead) == 0 {
		if s.block >= s.r.Blocks {
			return false, nil
		}
		last := min(s.block+readAhead, s.r.Blocks) - 1
		if err := s.l.db.View(s.ctx, func(tx store.Tx) error {
			s.ahead = s.ahead[:0]
			if err := s.l.store.Blocks(tx, s.r.ID, s.block, last, func(_ int, body []byte) error {
				s.ahead = append(s.ahead, body)
				return nil
			}); err != nil || len(s.ahead) == last-s.block+1 {
				return err
			}
			return s.missing(tx)
		}); err != nil {
			return false, err
		}
		s.block = last + 1
	}
	s.br = readBlock(s.r.Family, s.r.FirstPos, s.ahead[0])
	s.ahead = s.ahead[1:]
	return true, nil
}

// missing says why blocks are not there: another node has merged the run and removed it, or the
// store is broken.
func (s *stream) missing(tx store.Tx) error {
	all, err := s.l.store.Runs(tx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.ID == s.r.ID && r.State == RunPublished {
			return corrupt("missing blocks of a run")
		}
	}
	return errLost
}

// mergeInto writes the entries of all inputs that keep keeps.
func (l *Log) mergeInto(ctx context.Context, w *runWriter, inputs []*run, keep func(e *entry) bool) error {
	var heap []*stream // the least first
	for _, r := range inputs {
		s := &stream{l: l, ctx: ctx, r: r}
		if ok, err := s.next(); err != nil {
			return err
		} else if ok {
			heap = append(heap, s)
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sift(heap, i)
	}
	for len(heap) > 0 {
		s := heap[0]
		if keep(&s.cur) {
			if err := w.add(&s.cur); err != nil {
				return err
			}
		}
		ok, err := s.next()
		if err != nil {
			return err
		}
		if !ok {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		sift(heap, 0)
	}
	return nil
}

// sift moves the stream at i down to its place.
func sift(heap []*stream, i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(heap); c++ {
			if heap[c].cur.less(&heap[least].cur) {
				least = c
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
