package record

import "sync"

// mostScratch bounds a buffer that is kept for later, in bytes; a row is a page or a few.
const mostScratch = 64 << 10

var scratches = sync.Pool{New: func() any { return &buffers{} }}

type buffers struct{ list [][]byte }

// scratch is memory for rows that are read once: where somebody has 10 records in as many rows, those
// are most of what an answer would leave to the garbage collector.
type scratch struct {
	from *buffers
	n    int // lent
}

// take lends a buffer, for one row.
func (s *scratch) take() []byte {
	if s.from == nil {
		s.from = scratches.Get().(*buffers)
	}
	if s.n == len(s.from.list) {
		s.from.list = append(s.from.list, make([]byte, 0, 8<<10))
	}
	s.n++
	return s.from.list[s.n-1][:0]
}

// filled notes where the row went that the last buffer was lent for: to memory of its own when the
// buffer was too small.
func (s *scratch) filled(body []byte) {
	if cap(body) <= mostScratch {
		s.from.list[s.n-1] = body
	}
}

// release takes all buffers back: nobody may have anything of them any more.
func (s *scratch) release() {
	if s.from != nil {
		scratches.Put(s.from)
		*s = scratch{}
	}
}
