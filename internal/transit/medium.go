package transit

import (
	"bufio"
	"crypto/hpke"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"domicile.dev/internal/fault"
)

// PartMedium is a recording or attachment: a stream of its own, which is sent again whole when it was cut.
const PartMedium Part = "medium"

// Medium is what is said of a recording or attachment ahead of its content.
type Medium struct {
	ID         string `json:"id"` // at the source
	Type       string `json:"type,omitempty"`
	Name       string `json:"name,omitempty"`
	Bytes      int64  `json:"bytes"`           // of the content
	Class      uint16 `json:"class,omitempty"` // of retention, days
	ReceivedAt int64  `json:"received_at"`     // Unix milliseconds
}

// The stream is the encapsulated key, then frames: four bytes, of which the highest bit says that it
// is the last and the others how long it is, and what HPKE sealed. The first holds a Medium, the others
// chunks of content. A frame's place and kind are in its associated data.
const (
	mediumChunk   = 64 << 10
	encBytes      = 1088 + 32 // of MLKEM768X25519
	tagBytes      = 16
	lastFrame     = 1 << 31
	maxFrameBytes = mediumChunk + tagBytes
)

// Kinds of frames.
const (
	frameHead byte = iota
	frameMore
	frameLast
)

func (r Route) mediumInfo(record string, n int) []byte {
	b := r.info(PartMedium, uint32(n))
	return append(binary.BigEndian.AppendUint16(b, uint16(len(record))), record...)
}

func frameAD(seq uint64, kind byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, seq), kind)
}

// SealMedium seals content, which has about.Bytes bytes, into w as number n of the source's record. It
// holds one chunk at a time. Errors are those of w and content; io.ErrUnexpectedEOF when there is
// less content than about says or more.
func SealMedium(w io.Writer, public []byte, r Route, record string, n int, about Medium, content io.Reader) error {
	k, err := kem.NewPublicKey(public)
	if err != nil {
		return fmt.Errorf("read the target's key: %w", err)
	}
	enc, s, err := hpke.NewSender(k, kdf, aead, r.mediumInfo(record, n))
	if err != nil {
		return fmt.Errorf("begin to seal a medium: %w", err)
	}
	head, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("encode a medium: %w", err)
	}
	if _, err := w.Write(enc); err != nil {
		return err
	}
	if err := writeFrame(w, s, 0, frameHead, head); err != nil {
		return err
	}
	chunk := make([]byte, mediumChunk)
	defer clear(chunk)
	left := about.Bytes
	for seq := uint64(1); left > 0; seq++ {
		c := chunk[:min(left, mediumChunk)]
		if _, err := io.ReadFull(content, c); err != nil {
			return cutShort(err)
		}
		kind := frameMore
		if left -= int64(len(c)); left == 0 {
			kind = frameLast
		}
		if err := writeFrame(w, s, seq, kind, c); err != nil {
			return err
		}
	}
	return nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func writeFrame(w io.Writer, s *hpke.Sender, seq uint64, kind byte, plain []byte) error {
	sealed, err := s.Seal(frameAD(seq, kind), plain)
	if err != nil {
		return fmt.Errorf("seal a medium: %w", err)
	}
	size := uint32(len(sealed))
	if kind == frameLast {
		size |= lastFrame
	}
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, size)); err != nil {
		return err
	}
	_, err = w.Write(sealed)
	return err
}

// MediumReader reads the content of a medium that SealMedium sealed. It never returns a byte of a frame
// that was altered, and io.EOF only when everything has come. Its other errors are faults of kind Invalid,
// move.altered, and those of the stream.
type MediumReader struct {
	in     *bufio.Reader
	r      *hpke.Recipient
	about  Medium
	seq    uint64
	left   int64 // bytes to come
	chunk  []byte
	sealed []byte
	ended  bool
	err    error
}

// OpenMedium begins to read number n of the source's record. It reads what is said of it.
func (k *Key) OpenMedium(r Route, record string, n int, in io.Reader) (*MediumReader, error) {
	m := &MediumReader{in: bufio.NewReaderSize(in, 32<<10)}
	enc := make([]byte, encBytes)
	if _, err := io.ReadFull(m.in, enc); err != nil {
		return nil, cutShort(err)
	}
	var err error
	if m.r, err = hpke.NewRecipient(enc, k.k, kdf, aead, r.mediumInfo(record, n)); err != nil {
		return nil, alteredMedium()
	}
	head, last, err := m.frame(true)
	if err != nil {
		return nil, err
	}
	if last {
		return nil, alteredMedium()
	}
	if err := decode(head, &m.about); err != nil {
		return nil, err
	}
	if a := &m.about; !name(a.ID) || len(a.Type) > maxName || len(a.Name) > maxName || !utf8.ValidString(a.Type) || !utf8.ValidString(a.Name) || a.Bytes <= 0 || a.ReceivedAt <= 0 {
		return nil, malformed()
	}
	m.left = m.about.Bytes
	return m, nil
}

// About returns what is said of the content.
func (m *MediumReader) About() Medium { return m.about }

// Read implements io.Reader.
func (m *MediumReader) Read(b []byte) (int, error) {
	for len(m.chunk) == 0 {
		if m.err == nil {
			m.err = m.load()
		}
		if m.err != nil {
			return 0, m.err
		}
	}
	n := copy(b, m.chunk)
	clear(m.chunk[:n])
	m.chunk = m.chunk[n:]
	return n, nil
}

// load opens the next frame.
func (m *MediumReader) load() error {
	if m.ended {
		if _, err := m.in.ReadByte(); err == nil {
			return alteredMedium()
		} else if !errors.Is(err, io.EOF) {
			return err
		}
		return io.EOF
	}
	chunk, last, err := m.frame(false)
	if err != nil {
		return err
	}
	if m.left -= int64(len(chunk)); len(chunk) == 0 || last != (m.left == 0) || m.left < 0 {
		return alteredMedium()
	}
	m.chunk, m.ended = chunk, last
	return nil
}

func (m *MediumReader) frame(head bool) (plain []byte, last bool, err error) {
	var size [4]byte
	if _, err := io.ReadFull(m.in, size[:]); err != nil {
		return nil, false, cutShort(err)
	}
	n := binary.BigEndian.Uint32(size[:])
	last = n&lastFrame != 0
	if n &^= lastFrame; n < tagBytes || n > maxFrameBytes {
		return nil, false, alteredMedium()
	}
	if m.sealed == nil {
		m.sealed = make([]byte, maxFrameBytes)
	}
	if _, err := io.ReadFull(m.in, m.sealed[:n]); err != nil {
		return nil, false, cutShort(err)
	}
	kind := frameMore
	switch {
	case head:
		kind = frameHead
	case last:
		kind = frameLast
	}
	plain, err = m.r.Open(frameAD(m.seq, kind), m.sealed[:n])
	if err != nil {
		return nil, false, alteredMedium()
	}
	m.seq++
	return plain, last, nil
}

func alteredMedium() error {
	return fault.New(fault.Invalid, "move.altered", "this medium does not open: it was altered, or sealed for another move or place in it").
		WithHint("take it from the source again, and send it unchanged")
}
