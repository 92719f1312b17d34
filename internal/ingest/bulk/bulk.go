// Package bulk reads files of any size as batches of native records, sends them and keeps a
// journal, so that an import that was stopped anywhere goes on where it was and counts exactly.
//
// Reading is pure: a line that can't be a record is listed by line and reason, never by value. What
// a record may hold is for the node to judge; here only that is refused which could cost others,
// or would not arrive: lines that are no JSON object of at most native.MaxRecordBytes with an id.
package bulk

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/native"
)

// The bounds of one batch. A record may be as large as a batch by itself.
const (
	MaxBatchRecords = 1000
	MaxBatchBytes   = 1 << 20
	maxBad          = 1000 // bad lines of one batch
	bufferBytes     = 64 << 10
)

// Position is a place between two lines of a file.
type Position struct {
	Offset int64 `json:"offset"` // bytes before it
	Line   int64 `json:"line"`   // lines before it
}

// Bad is a line that was not kept. Path is of a record's own names alone.
type Bad struct {
	Line   int64  `json:"line"` // from 1; of a row of several lines, the first
	Reason string `json:"reason"`
	Path   string `json:"path,omitempty"`
	Region string `json:"region,omitempty"` // where the record belongs, when that is why
}

// Batch is some records of a file that follow each other.
type Batch struct {
	Body  []byte   // records, one a line
	Lines []int64  // the line of each record
	Bad   []Bad    // lines between them that are no records
	Next  Position // where the next batch begins

	seq int
}

func (b *Batch) reset() {
	b.Body, b.Lines, b.Bad = b.Body[:0], b.Lines[:0], b.Bad[:0]
}

// rows reads the records of one format.
type rows interface {
	// next appends a record as one line of JSON to dst. A row that is no record gives a reason
	// instead and leaves dst as it was. At the end of the file, err is io.EOF.
	next(dst []byte) (out []byte, line int64, reason, path string, err error)
	// position is after the row that next returned last.
	position() Position
}

// Reader reads a file in batches.
type Reader struct {
	rows    rows
	done    Position // after the last batch
	carry   []byte   // a record that did not fit in it
	line    int64    // of carry
	scratch []byte
}

// Open reads in from at on: CSV by m, or NDJSON when m is nil. Where at is not the beginning, in is
// an io.Seeker.
//
// Faults of kind Invalid: a header that lacks columns of m, a JSON array in place of lines.
func Open(in io.Reader, m *Mapping, at Position) (*Reader, error) {
	src := &source{in: in, buf: bufio.NewReaderSize(in, bufferBytes)}
	r := &Reader{done: at}
	var err error
	if m != nil {
		r.rows, err = newTable(src, m)
	} else {
		r.rows, err = newLines(src, at)
	}
	if err == nil && at.Offset > 0 {
		err = src.seek(at)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Next fills b with what follows. At the end of the file it returns io.EOF, and b holds nothing.
func (r *Reader) Next(b *Batch) error {
	b.reset()
	if len(r.carry) > 0 {
		b.Body, b.Lines = append(b.Body, r.carry...), append(b.Lines, r.line)
		r.carry = r.carry[:0]
		r.done = r.rows.position()
	}
	for len(b.Lines) < MaxBatchRecords && len(b.Bad) < maxBad && len(b.Body) < MaxBatchBytes {
		out, line, reason, path, err := r.rows.next(r.scratch[:0])
		if err == io.EOF { //nolint:errorlint // rows return it bare
			r.done = r.rows.position()
			break
		} else if err != nil {
			return fault.New(fault.Invalid, "import.unreadable", "the file can't be read after line %d", r.rows.position().Line).Because(err)
		}
		r.scratch = out
		switch {
		case reason != "":
			b.Bad = append(b.Bad, Bad{Line: line, Reason: reason, Path: path})
		case len(b.Body)+len(out) > MaxBatchBytes && len(b.Lines) > 0:
			r.carry, r.line = append(r.carry[:0], out...), line
			b.Next = r.done
			return nil
		default:
			b.Body, b.Lines = append(b.Body, out...), append(b.Lines, line)
		}
		r.done = r.rows.position()
	}
	b.Next = r.done
	if len(b.Lines)+len(b.Bad) == 0 {
		return io.EOF
	}
	return nil
}

// source is the file's bytes with the place that was read up to.
type source struct {
	in  io.Reader
	buf *bufio.Reader
	at  Position
}

// slice returns bytes up to the end of a line, or as many as the buffer holds of it; they are good
// until the next call. At the end of the file there are none, and err is io.EOF.
func (s *source) slice() ([]byte, error) {
	b, err := s.buf.ReadSlice('\n')
	s.at.Offset += int64(len(b))
	if len(b) > 0 {
		if b[len(b)-1] == '\n' {
			s.at.Line++
		}
		if err == bufio.ErrBufferFull || err == io.EOF { //nolint:errorlint // bufio returns them bare
			err = nil
		}
	}
	return b, err
}

func (s *source) seek(at Position) error {
	in, ok := s.in.(io.Seeker)
	if !ok {
		return fmt.Errorf("bulk: %T can't go to byte %d", s.in, at.Offset)
	}
	if _, err := in.Seek(at.Offset, io.SeekStart); err != nil {
		return fault.New(fault.Invalid, "import.unreadable", "the file can't be read from where the import stopped").Because(err)
	}
	s.buf.Reset(s.in)
	s.at = at
	return nil
}

// mark is what some programs write before UTF-8.
var mark = []byte("\xef\xbb\xbf")

// skipMark passes over a byte order mark at the beginning.
func (s *source) skipMark() {
	if b, _ := s.buf.Peek(len(mark)); bytes.Equal(b, mark) {
		n, _ := s.buf.Discard(len(mark))
		s.at.Offset += int64(n)
	}
}

const maxRow = native.MaxRecordBytes
